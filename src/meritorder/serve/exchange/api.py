"""`Api`: one of the APIs that the gateway has, and who serves it."""

from __future__ import annotations

from collections.abc import Sequence

from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.kinds.kind import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
)

# path behind /v1/ -> name in accounts
_NAMES = {
    CHAT: "chat",
    COMPLETIONS: "completions",
    RESPONSES: "responses",
    EMBEDDINGS: "embeddings",
    MESSAGES: "messages",
    COUNT_TOKENS: "messages",
}


class Api:
    """The one at `/v1/` + path."""

    __slots__ = ("cannot", "name", "openai", "path", "served", "target")

    def __init__(self, path: str, backends: Sequence[Backend]) -> None:
        self.path = path
        self.name = _NAMES[path]
        self.target = b"/v1/" + path.encode()
        self.openai = path in (CHAT, COMPLETIONS)  # streams as OpenAI's first two APIs do
        self.cannot = tuple(i for i, backend in enumerate(backends) if path not in backend.kind.apis)
        self.served = len(self.cannot) < len(backends)


def all_apis(backends: Sequence[Backend]) -> list[Api]:
    """Every API."""
    return [Api(path, backends) for path in _NAMES]
