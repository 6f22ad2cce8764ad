"""Which page is where: the chat at the gateway, the fleet at the admin port."""

from __future__ import annotations

from html import escape

from meritorder.console.page import assemble

_HTML = "text/html; charset=utf-8"


def gateway_pages(live: str = "") -> dict[str, tuple[str, bytes]]:
    """Path -> content type and body of the pages for clients. `live`: address of the live page, to link to."""
    return {"/": (_HTML, assemble("chat", {"live": escape(live)}))}


def admin_pages() -> dict[str, tuple[str, bytes]]:
    """Path -> content type and body of the pages for operators."""
    return {"/": (_HTML, assemble("live"))}
