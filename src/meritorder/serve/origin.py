"""Whether a request was made by a web page of another origin.

A browser can reach what listens on its machine's loopback, and any page that it shows can make it send requests there.
Two headers that pages can't forge tell them apart: Host (against a foreign name that resolves to 127.0.0.1) and Origin.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host name or address (without port) is this machine's own."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def foreign(headers: Iterable[tuple[bytes, bytes]], *, loopback: bool) -> str:
    """Why a request with these headers (names in lower case) is not to be served; "": it may be.

    `loopback`: the port listens on loopback alone, so that no other Host is right.
    """
    hosts, origins, fetch = [], [], {b"sec-fetch-site": b"", b"sec-fetch-mode": b""}
    for name, value in headers:
        if name == b"host":
            hosts.append(value.decode("latin-1"))
        elif name == b"origin":
            origins.append(value.decode("latin-1"))
        elif name in fetch:
            fetch[name] = value
    if len(hosts) != 1 or len(origins) > 1:
        return "needs exactly one Host header, and one Origin header at most"
    try:
        host = urlsplit(f"//{hosts[0]}").hostname or ""
    except ValueError:
        host = ""
    if loopback and not is_loopback(host):
        return "this port answers to localhost only; use http://127.0.0.1 and the port"
    if origins and origins[0] not in (f"http://{hosts[0]}", f"https://{hosts[0]}"):
        return "came from a page of another origin"
    if not origins and fetch[b"sec-fetch-site"] == b"cross-site" and fetch[b"sec-fetch-mode"] != b"navigate":
        return "came from a page of another origin"
    return ""
