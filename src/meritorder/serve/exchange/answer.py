"""Header lines and error events: what goes to the backend beside the body, and to the client beside the answer."""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from itertools import count

import orjson

from meritorder.dispatch.reasons import REASONS
from meritorder.serve.account import Account
from meritorder.serve.ask import Ask
from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.kinds.kind import MESSAGES, RESPONSES
from meritorder.serve.errors import Refused

# A client's headers that backends may see. Its credentials and cookies are never among them, and neither is
# accept-encoding: answers have to be readable on the way.
_FORWARDED = frozenset(
    {b"accept", b"accept-language", b"content-type", b"traceparent", b"tracestate", b"user-agent"}
)  # fmt: skip
_FORWARDED_FAMILIES = (b"anthropic-", b"openai-")
# A backend's headers that clients may see.
_PASSED = frozenset({b"content-encoding", b"content-language", b"content-type"})
_PASSED_FAMILIES = (b"anthropic-", b"openai-", b"x-merit-emulated")

JSON = b"content-type: application/json\r\n"
_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_start = secrets.token_hex(8)
_numbers = count(1)


def request_id(said: bytes | None) -> str:
    """The client's own id where it is a sane one, else a new one."""
    if said is not None and _SANE_ID.fullmatch(said):
        return said.decode("ascii")
    return f"req_{_start}{next(_numbers):08x}"


def headers_for_backend(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> bytes:
    """The client's headers that go on, as raw lines."""
    lines = [b"x-request-id: %b\r\n" % request_id.encode()]
    for name, value in headers:
        if name in _FORWARDED or name.startswith(_FORWARDED_FAMILIES):
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def headers_of_backend(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The backend's headers that go on, as raw lines."""
    lines = []
    for name, value in headers:
        if name in _PASSED or name.startswith(_PASSED_FAMILIES):
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def header_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a header of a backend's answer, by its lower-case name."""
    return next((value for key, value in headers if key.lower() == name), None)


def retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Seconds of a Retry-After header, which may be a date; None: there is none that can be read."""
    said = (header_of(headers, b"retry-after") or b"").decode("latin-1")
    try:
        seconds = float(said) if said[:1].isdigit() else parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError):
        return None
    return max(seconds, 0.0) if seconds < math.inf else None


def explanation(account: Account, backend: Backend) -> bytes:
    """The header that says why this backend."""
    return (
        f"x-merit-decision: pool={backend.pool}; replica={backend.name.rpartition('/')[2]}; "
        f'reason="{REASONS[account.reason]}"; predicted-ttft={account.predicted_ttft_s:.6g}; '
        f"predicted-tpot={account.predicted_tpot_s:.6g}; attempts={1 + account.retries + account.continued}\r\n"
    ).encode()


def refusal(error: Refused, request_id: str, *, anthropic: bool) -> tuple[int, bytes, bytes]:
    """Status, header lines and body of an answer of the gateway's own."""
    headers = JSON + b"x-request-id: %b\r\n" % request_id.encode()
    if error.retry_after_s > 0:
        headers += b"retry-after: %d\r\n" % math.ceil(error.retry_after_s)
    return error.status, headers, error.body(request_id, anthropic=anthropic)


def error_event(error: Refused, request_id: str, path: str, number: int) -> bytes:
    """The event that ends a broken stream, in the form of the API at `/v1/` + path."""
    if path == MESSAGES:
        return b"event: error\ndata: %b\n\n" % error.body(request_id, anthropic=True)
    if path == RESPONSES:
        said = {
            "type": "error",
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "sequence_number": number,
        }
        return b"event: error\ndata: %b\n\n" % orjson.dumps(said)
    return b"data: %b\n\n" % error.body(request_id)


def with_tier(payload: bytes, tier: str) -> bytes:
    """A JSON object of chat or completions with the tier that served, where the backend did not write one."""
    said = b'"service_tier":"%b"' % tier.encode()
    if b'"service_tier"' not in payload:
        body = payload.rstrip()
        return body[:-1] + b"," + said + b"}" if body.endswith(b"}") and len(body) > 2 else payload
    # vLLM writes null
    return re.sub(rb'"service_tier":\s*null', said, payload, count=1)


def queue_threshold(ask: Ask, backend: Backend, first_token_s: float) -> bytes:
    """The header that makes a backend refuse what it would let wait too long; in its range of 50 to 20,000 ms."""
    name = backend.kind.queue_threshold
    if name is None or ask.service_tier not in ("auto", "flex"):
        return b""
    return b"%b: %d\r\n" % (name.encode(), min(max(first_token_s * 1e3, 50.0), 20_000.0))
