"""OpenVINO GenAI's continuous batching behind completions of the OpenAI API, as far as a calibration needs it.

Run by `scripts/calibrate_local.py` with the Python of an environment that has openvino-genai, which this project's own
does not need: `openvino_server.py WEIGHTS.gguf SEQUENCES TOKEN_BUDGET CORE`. Says `ready PORT`, then serves until it is
killed. Prompts are arrays of tokens; answers are as long as asked.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "smollm2-135m"


class Engine:
    """The pipeline in a thread of its own: steps while there is work."""

    def __init__(self, weights: str, sequences: int, budget: int) -> None:
        import openvino_genai  # type: ignore[import-not-found]

        settings = openvino_genai.SchedulerConfig()
        settings.cache_size = 1  # GB
        settings.max_num_seqs = sequences
        settings.max_num_batched_tokens = budget
        settings.dynamic_split_fuse = True
        settings.enable_prefix_caching = False
        self._genai = openvino_genai
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(
            weights, settings, "CPU", {"INFERENCE_NUM_THREADS": 1}
        )
        self._new: queue.SimpleQueue[tuple[list[int], int, Callable[[int], None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def ask(self, prompt: list[int], tokens: int, tell: Callable[[int], None]) -> None:
        """`tell(n)` is called with every n tokens that come, by the engine's thread."""
        self._new.put((prompt, tokens, tell))

    def _run(self) -> None:
        import numpy as np
        import openvino  # type: ignore[import-not-found]

        number = 0
        under_way: list[tuple[Any, Callable[[int], None]]] = []
        while True:
            while not self._new.empty() or not under_way:
                prompt, tokens, tell = self._new.get()
                config = self._genai.GenerationConfig()
                config.max_new_tokens, config.ignore_eos = tokens, True
                array = openvino.Tensor(np.array([prompt], np.int64))
                under_way.append((self._pipeline.add_request(number, array, config), tell))
                number += 1
            self._pipeline.step()
            left = []
            for handle, tell in under_way:
                while handle.can_read():
                    tell(sum(len(output.generated_ids) for output in handle.read().values()))
                if handle.get_status() == self._genai.GenerationStatus.RUNNING:
                    left.append((handle, tell))
            under_way = left
            time.sleep(0.0003)  # lets requests in: a step may keep Python's lock


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        """Which model is here."""
        if self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._send(404, {"error": {"message": "not here"}})

    def do_POST(self) -> None:
        """A streamed completion."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt, tokens = asked.get("prompt"), int(asked["max_tokens"])
        if not isinstance(prompt, list):
            self._send(400, {"error": {"message": "give the prompt as an array of tokens"}})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        came, over = 0, threading.Event()

        def tell(new: int) -> None:
            nonlocal came
            came += new
            try:
                for _ in range(new):
                    self._event({"choices": [{"text": "x", "index": 0}]})
            except OSError:  # the client has left
                over.set()
            if came >= tokens:
                over.set()

        self.engine.ask(prompt, tokens, tell)
        over.wait()
        usage = {"prompt_tokens": len(prompt), "completion_tokens": came}
        self._event({"choices": [{"text": "", "finish_reason": "length"}], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _event(self, event: object) -> None:
        self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _send(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until killed."""
    weights, sequences, budget, core = sys.argv[1], *map(int, sys.argv[2:5])
    os.sched_setaffinity(0, {core})
    Handler.engine = Engine(weights, sequences, budget)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print("ready", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
