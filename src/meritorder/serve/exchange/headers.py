"""Which headers go on: a client's to the backend, a backend's to the client. Everything else stays at the gateway."""

from __future__ import annotations

import math
import re
import secrets
import time
from email.utils import parsedate_to_datetime
from itertools import count

from meritorder.serve.doors.secrets import shown_digest
from meritorder.serve.http.headers import Headers
from meritorder.serve.origin import foreign

# A client's headers that backends may see. Its credentials and cookies are never among them, and neither is
# accept-encoding: answers have to be readable on the way.
_FORWARDED = frozenset(
    {b"accept", b"accept-language", b"content-type", b"traceparent", b"tracestate", b"user-agent"}
)  # fmt: skip
_FORWARDED_FAMILIES = (b"anthropic-", b"openai-")
# What nearly every request has, so that it need not be looked at twice.
_USUAL = frozenset({b"accept-encoding", b"authorization", b"connection", b"content-length", b"host"})
# A backend's headers that clients may see.
_PASSED = frozenset({b"content-encoding", b"content-language"})
_PASSED_FAMILIES = (b"anthropic-", b"openai-", b"x-merit-emulated")

_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_start = f"req_{secrets.token_hex(8)}"
_numbers = count(1)


class Asked:
    """The headers of a request, looked through once for all requests that come with the same ones."""

    __slots__ = ("explain", "foreign", "json", "key", "lines", "said_id", "traceparent")

    def __init__(self, headers: Headers) -> None:
        self.explain = False  # the client wants to know why this backend
        self.json = False  # the body is said to be JSON; a web page can't say so without being allowed to
        self.foreign = foreign(headers, loopback=True)  # it comes from a web page of elsewhere; or ""
        self.traceparent = b""  # W3C trace context
        self.said_id: bytes | None = None  # the client's own name for the request
        self.key = shown_digest(headers)  # of the client's API key
        lines = []
        for name, value in headers:
            if name in _FORWARDED:
                lines.append(b"%b: %b\r\n" % (name, value))
                if name == b"content-type":
                    self.json = value.partition(b";")[0].strip().lower() == b"application/json"
                elif name == b"traceparent":
                    self.traceparent = value
            elif name in _USUAL:
                pass
            elif name == b"x-request-id":
                self.said_id = value
            elif name == b"x-merit-explain":
                self.explain = value == b"1"
            elif name.startswith(_FORWARDED_FAMILIES):
                lines.append(b"%b: %b\r\n" % (name, value))
        self.lines = b"".join(lines)  # for the backend, but for the request's id


def asked_by(headers: Headers) -> Asked:
    """What they say."""
    asked: Asked | None = headers.notes
    if asked is None:
        asked = headers.notes = Asked(headers)
    return asked


def request_id_of(said: bytes | None) -> str:
    """The client's own id where it is a sane one, else a new one."""
    if said is not None and _SANE_ID.fullmatch(said):
        return said.decode("ascii")
    return f"{_start}{next(_numbers)}"


def answered(headers: Headers) -> tuple[bytes, bytes]:
    """The content type of a backend's answer (b"": not said), and its headers for the client as raw lines."""
    notes: tuple[bytes, bytes] | None = headers.notes
    if notes is None:
        notes = headers.notes = _answered(headers)
    return notes


def _answered(headers: Headers) -> tuple[bytes, bytes]:
    kind = lines = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value
            lines += b"content-type: %b\r\n" % value
        elif name in _PASSED or name.startswith(_PASSED_FAMILIES):
            lines += b"%b: %b\r\n" % (name, value)
    return kind.lower(), lines


def length_of(headers: Headers) -> int | None:
    """The declared length of a backend's answer; None: there is none."""
    said = _value(headers, b"content-length")
    return int(said) if said.isdigit() else None


def retry_after_of(headers: Headers) -> float | None:
    """Seconds of a Retry-After header, which may be a date; None: there is none that can be read."""
    said = _value(headers, b"retry-after").decode("latin-1")
    try:
        seconds = float(said) if said[:1].isdigit() else parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError):
        return None
    return max(seconds, 0.0) if seconds < math.inf else None


def _value(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")
