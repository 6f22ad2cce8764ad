"""What a backend says of itself: `Readings` of its metrics, `Timings` in its answers. Every kind is read into these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Readings:
    """One look at a backend's metrics. None: it doesn't say."""

    queued: int  # requests that wait in the engine, whoever sent them
    running: int  # requests in the engine's batch
    taken: float  # when, of the event loop's clock
    kv_used: float | None = None  # part of the KV cache in use, 0..1


@dataclass(frozen=True, slots=True)
class Timings:
    """How the backend itself saw one request; in its answer, or in the last chunk of a stream. None: it doesn't say."""

    queue_s: float | None = None
    prompt_s: float | None = None
    output_s: float | None = None
    cached_tokens: int | None = None  # of the prompt, found in the prefix cache
