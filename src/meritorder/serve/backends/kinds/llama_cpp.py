"""llama.cpp's server. Its metrics are there with `--metrics` only, and never say how full the KV cache is."""

from collections.abc import Mapping
from typing import Any

from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, Kind
from meritorder.serve.backends.prometheus_text import total
from meritorder.serve.backends.readings import Readings, Timings


def read(text: bytes, now: float) -> Readings | None:
    """`requests_deferred` wait for a slot, `requests_processing` have one."""
    queued, running = total(text, b"llamacpp:requests_deferred"), total(text, b"llamacpp:requests_processing")
    if queued is None or running is None:
        return None
    return Readings(queued=int(queued), running=int(running), taken=now)


def timings(final: Mapping[str, Any]) -> Timings | None:
    """`timings` in every answer and in the last chunk of every stream, in ms."""
    said = final.get("timings")
    if not isinstance(said, dict):
        return None
    try:
        return Timings(
            prompt_s=said["prompt_ms"] / 1e3, output_s=said["predicted_ms"] / 1e3, cached_tokens=said.get("cache_n")
        )
    except (KeyError, TypeError):
        return None


LLAMA_CPP = Kind(
    name="llama-cpp",
    apis=frozenset({CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES}),
    health_path="/health",  # 503 while it loads the model
    metrics_path="/metrics",
    read=read,
    continuation="assistant-last",
    timings=timings,
)
