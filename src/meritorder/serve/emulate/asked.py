"""What a client asks of an emulated engine: lengths and form of the answer, and what its prompt shares with others."""

from __future__ import annotations

import hashlib
import re
from array import array
from typing import Any

import msgspec

from meritorder.serve.errors import Refused

# Bytes of text that stand for a token, where the prompt is no array of tokens.
BYTES_PER_TOKEN = 4

_COUNT = re.compile(rb"(?:^|\s)(\d{1,9})\s*$")


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str | None = None
    messages: list[_Message] | None = None
    prompt: str | list[Any] | None = None  # a text, an array of tokens, or one of these in an array
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    ignore_eos: bool = False
    priority: int = 0
    n: int = 1


_DECODER = msgspec.json.Decoder(_Body)


class Asked(msgspec.Struct):
    """A chat or completion that is asked for."""

    chat: bool
    stream: bool
    usage_in_stream: bool
    model: str | None
    prompt: int  # tokens
    most: int | None  # tokens of the answer
    exact: bool  # the answer is as long as it may be
    priority: int
    counted: int  # the number that the given text ends with: the answer counts on from there
    text: bytes  # the prompt; token arrays as 4 bytes a token


def read(body: bytes, *, chat: bool) -> Asked:
    """The body of a request. Raises Refused 400 where it isn't one, or asks for what is not emulated."""
    try:
        asked = _DECODER.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(400, "invalid_body", f"The body is not what was expected: {error}.") from None
    text = _chat_text(asked) if chat else _prompt_text(asked)
    most = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    if most is not None and most < 1:
        raise Refused(400, "invalid_value", f"max_tokens is {most}; give at least 1.", param="max_tokens")
    if asked.n != 1:
        raise Refused(400, "unsupported_value", "Emulated endpoints give one answer (n = 1).", param="n")
    found = _COUNT.search(text[-16:]) if _goes_on(asked) else None
    return Asked(
        chat=chat,
        stream=asked.stream,
        usage_in_stream=asked.stream_options is not None and asked.stream_options.include_usage,
        model=asked.model,
        prompt=max(-(-len(text) // BYTES_PER_TOKEN), 1),
        most=most,
        exact=asked.ignore_eos,
        priority=asked.priority,
        counted=int(found.group(1)) if found else 0,
        text=text,
    )


def blocks(text: bytes, block_tokens: int) -> list[int]:
    """Chained hashes of a prompt's full blocks: two are equal where the texts are, up to and with that block."""
    size = block_tokens * BYTES_PER_TOKEN
    found, chain = [], hashlib.blake2b(digest_size=8)
    for stop in range(size, len(text) + 1, size):
        chain.update(text[stop - size : stop])
        found.append(int.from_bytes(chain.digest(), "little"))
    return found


def _goes_on(asked: _Body) -> bool:
    """Whether the answer continues a text that the client gave."""
    if asked.messages:
        return asked.messages[-1].role == "assistant"
    return isinstance(asked.prompt, str)


def _chat_text(asked: _Body) -> bytes:
    if not asked.messages:
        raise Refused(400, "missing_field", "A chat needs messages.", param="messages")
    texts = []
    for message in asked.messages:
        parts = message.content
        if isinstance(parts, list):
            texts += [str(part.get("text", "")) for part in parts]
        elif parts:
            texts.append(parts)
    return "".join(texts).encode()


def _prompt_text(asked: _Body) -> bytes:
    prompt = asked.prompt
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if not prompt:
        raise Refused(400, "missing_field", "A completion needs a prompt.", param="prompt")
    if isinstance(prompt, str):
        return prompt.encode()
    try:
        return array("I", prompt).tobytes()
    except (TypeError, OverflowError):
        what = "Emulated endpoints take one prompt a request: a text or an array of tokens."
        raise Refused(400, "unsupported_value", what, param="prompt") from None
