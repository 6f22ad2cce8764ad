"""What the gateway itself writes into answers: errors, the tier that served, and why this backend."""

from __future__ import annotations

import math
import re

import orjson

from meritorder.dispatch.reasons import REASONS
from meritorder.serve.account import Account
from meritorder.serve.ask import Ask
from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.kinds.kind import MESSAGES, RESPONSES
from meritorder.serve.errors import Refused

JSON = b"content-type: application/json\r\n"


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
