"""`Api`: one of the APIs that the gateway has, and who serves it."""

from __future__ import annotations

from collections.abc import Sequence

from meritorder.fleet.schema import Fleet
from meritorder.serve import account
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
    COUNT_TOKENS: account.COUNT_TOKENS,
}


class Api:
    """The one at `/v1/` + path."""

    __slots__ = ("backends", "cannot", "generates", "name", "openai", "path", "target")

    def __init__(self, path: str, fleet: Fleet, backends: Sequence[Backend]) -> None:
        self.path = path
        self.name = _NAMES[path]
        self.target = b"/v1/" + path.encode()
        self.openai = path in (CHAT, COMPLETIONS)  # streams as OpenAI's first two APIs do
        self.generates = path != COUNT_TOKENS  # an engine works for it
        self.cannot = tuple(i for i, backend in enumerate(backends) if path not in backend.kind.apis)
        # of each service: those of its pools that have it
        self.backends = [
            tuple(
                backend
                for backend in backends
                if path in backend.kind.apis
                and backend.fleet_model == service.model
                and (not service.pools or backend.pool in service.pools)
            )
            for service in fleet.services.values()
        ]


def all_apis(fleet: Fleet, backends: Sequence[Backend]) -> list[Api]:
    """Every API."""
    return [Api(path, fleet, backends) for path in _NAMES]
