"""The process of one embedded engine: `python -m meritorder.serve.engines.child`, started by `engine.py`.

Reads its settings (one line of JSON) from stdin, says `ready PORT` on stdout, and lives until stdin closes: it is gone
with its parent, however that ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

_NICE = 5  # gateway and clients come first on a busy machine
_HOST_CACHE_MIB = 256  # of prompts; llama.cpp's own default is 8 GiB
_WARNINGS = 2  # llama.cpp's verbosity: from 4 on it would log prompts


def main() -> None:
    """Serve until the parent lets go."""
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when this ends
    with suppress(OSError):
        os.nice(_NICE)
    if settings["core"] is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, {settings["core"]})
    server = _serve(settings)
    print("ready", server.listening_address.rsplit(":", 1)[1], flush=True)
    sys.stdin.read()
    os._exit(0)  # at once: a request under way would hold the server's own shutdown


def _serve(settings: dict[str, Any]) -> Any:
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.model.path = settings["weights"]
    params.model_alias = {settings["model"]}
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]
    params.api_keys = [settings["key"]]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]  # split evenly over the slots
    params.n_batch = params.n_ubatch = settings["token_budget"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.cache_ram_mib = _HOST_CACHE_MIB
    params.sampling.dry_multiplier = settings["dry"]
    params.use_jinja = True
    params.endpoint_metrics = params.endpoint_slots = True
    params.ui = False
    params.verbosity = _WARNINGS
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
