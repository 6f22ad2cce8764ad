"""Keeps web pages of other origins away from the admin port.

A browser on the operator's machine can reach loopback, and any page it shows can make it send requests there. Two
headers that pages can't forge tell them apart: Host (against a foreign name that resolves to 127.0.0.1) and Origin.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def is_loopback(host: str) -> bool:
    """Whether a host name or address (without port) is this machine's own."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware: refuses requests with a foreign Host (where bound to loopback) or a foreign Origin."""

    def __init__(self, app: ASGIApp, *, loopback: bool) -> None:
        self.app, self.loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http" and (fault := self._fault(Headers(scope=scope))):
            await JSONResponse({"problems": [fault]}, status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _fault(self, headers: Headers) -> str | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or len(origins) > 1:
            return "needs exactly one Host header, and one Origin header at most"
        try:
            name = urlsplit(f"//{hosts[0]}").hostname or ""
        except ValueError:
            name = ""
        if self.loopback and not is_loopback(name):
            return "this port answers to localhost only; use http://127.0.0.1 and the port"
        if origins and origins[0] not in (f"http://{hosts[0]}", f"https://{hosts[0]}"):
            return "came from a page of another origin"
        if (
            not origins
            and headers.get("sec-fetch-site") == "cross-site"
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return "came from a page of another origin"
        return None
