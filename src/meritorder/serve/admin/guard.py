"""Keeps web pages of other origins away from the admin port."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from meritorder.serve.origin import foreign


class Guard:
    """ASGI middleware: refuses requests with a foreign Host (where bound to loopback) or a foreign Origin."""

    def __init__(self, app: ASGIApp, *, loopback: bool) -> None:
        self.app, self.loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http" and (fault := foreign(scope["headers"], loopback=self.loopback)):
            await JSONResponse({"problems": [fault]}, status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, send)
