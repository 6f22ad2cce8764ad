"""The end of a stream that lacks nothing else: what a backend left out, or died before it could say."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from meritorder.serve.backends.kinds.kind import CHAT
from meritorder.serve.exchange.stream import DONE, Told


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Wants(msgspec.Struct):
    stream_options: _Options | None = None


def finish(path: str, told: Told) -> bytes:
    """The last chunk of a client that has all the tokens it wanted."""
    said: dict[str, Any] = {"delta": {}} if path == CHAT else {"text": ""}
    return _chunk(path, told, choices=[{"index": 0, "finish_reason": "length"} | said])


def ending(path: str, body: bytes, told: Told, prompt: int) -> bytes:
    """The end mark, and before it the usage if the request (`body`) asked for it and the backend didn't say it.

    It is the gateway's own count then: `prompt` tokens as estimated, and those of the answer as they came.
    """
    if told.usage is not None or not _wants_usage(body):
        return DONE
    usage = {"prompt_tokens": prompt, "completion_tokens": told.tokens, "total_tokens": prompt + told.tokens}
    return _chunk(path, told, choices=[], usage=usage) + DONE


def _chunk(path: str, told: Told, **more: Any) -> bytes:
    kind = "chat.completion.chunk" if path == CHAT else "text_completion"
    said = {"id": told.id, "object": kind, "created": told.created, "model": told.model}
    return b"data: %b\n\n" % orjson.dumps(said | more)


def _wants_usage(body: bytes) -> bool:
    try:
        options = msgspec.json.decode(body, type=_Wants).stream_options
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return options is not None and options.include_usage
