"""`Request`: what a client asked, parsed."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

from meritorder.serve.http.headers import Headers


class Request:
    """One request, its body complete.

    `method` is upper case, `path` decoded and without the query. `received` is the monotonic time when its headers were
    complete, `peer` the client's address ("" if it has none).
    """

    __slots__ = ("body", "headers", "method", "path", "peer", "query", "received")

    def __init__(
        self,
        method: bytes,
        path: str,
        query: bytes,
        headers: Headers,
        body: bytes,
        received: float,
        peer: str,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.received = received
        self.peer = peer

    def header(self, name: bytes) -> bytes | None:
        """The first value of the header `name` (in lower case)."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


def split_target(target: bytes) -> tuple[str, bytes]:
    """(decoded path, query) of a request's target, be it `/path?query`, a whole URL, or `*`."""
    if not target.startswith(b"/") and target != b"*":
        url = urlsplit(target)
        target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
    path, _, query = target.partition(b"?")
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("utf-8", "replace"), query
