"""`Kind`: all that the gateway knows about one sort of inference server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from meritorder.serve.backends.readings import Readings, Timings

Continuation: TypeAlias = Literal[
    "continue_final_message",  # fields `continue_final_message: true`, `add_generation_prompt: false`
    "assistant-last",  # a last message of the assistant is continued as it is
    "none",  # a chat can't be continued there
]

# What follows /v1/ in the paths of the APIs.
CHAT = "chat/completions"
COMPLETIONS = "completions"
RESPONSES = "responses"
EMBEDDINGS = "embeddings"
MESSAGES = "messages"
COUNT_TOKENS = "messages/count_tokens"


@dataclass(frozen=True)
class Kind:
    """One sort of inference server. Everything has the default of a server of which only OpenAI's API is known."""

    name: str
    apis: frozenset[str] = frozenset({CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS})
    health_path: str = "/v1/models"  # answers within moments, below 500 while requests can be served
    metrics_path: str | None = None
    every_s: float = 2.0  # between two looks at health and metrics
    read: Callable[[bytes, float], Readings | None] = lambda text, now: None  # metrics as sent, and the time of now
    continuation: Continuation = "none"  # of a chat; text completions are continued everywhere
    timings: Callable[[Mapping[str, Any]], Timings | None] = lambda final: None  # an answer, or a stream's last chunk
    queue_threshold: str | None = None  # header with the longest queue time in ms, above which it is to refuse
