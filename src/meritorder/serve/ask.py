"""`Ask`: what the gateway reads of a request's body. Everything else goes to the backend as it came."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from meritorder.serve.errors import Refused

NOTHING = msgspec.Raw()
_IDS = re.compile(rb"\[[\s\[]*[-0-9]")  # token ids, of one prompt or several
_LIST = re.compile(rb"\[(?!\s*[-0-9])")  # of anything but ids
_LONG = 8192  # bytes that cost more to search than to ask where the value is


class Ask(msgspec.Struct):
    """The fields of all five APIs that matter on the way. `Raw`: the JSON text as it stands in the body."""

    model: str | UnsetType = UNSET
    stream: bool | None = None
    service_tier: str | None = None
    n: int | None = None
    max_tokens: int | float | None = None
    max_completion_tokens: int | float | None = None
    max_output_tokens: int | float | None = None
    messages: msgspec.Raw = NOTHING
    prompt: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    system: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING

    @property
    def most_output(self) -> int:
        """Most output tokens that the client wants; 0: it doesn't say."""
        # of the first two the second is the newer name, and backends that know both go by it
        most = self.max_completion_tokens or self.max_tokens or self.max_output_tokens
        return int(min(max(most, 0), 2**31)) if most else 0

    @property
    def choices(self) -> int:
        """How many answers it asks for: `n` for each of its prompts."""
        prompts = 1
        if _LIST.match(self.prompt):
            prompts = len(msgspec.json.decode(self.prompt, type=list[msgspec.Raw]))
        return max(self.n or 1, 1) * max(prompts, 1)

    @property
    def text(self) -> bytes:
        """The JSON text that the prompt is made of."""
        if self.messages is NOTHING:
            return bytes(self.prompt if self.prompt is not NOTHING else self.input)
        return bytes(self.messages) if self.system is NOTHING else bytes(self.system) + bytes(self.messages)


class _Named(msgspec.Struct):
    model: msgspec.Raw


_decoder = msgspec.json.Decoder(Ask)
_named = msgspec.json.Decoder(_Named)


def parse(body: bytes) -> Ask:
    """The body of a POST. Raises Refused (400) where it is no JSON object or a field has a wrong type."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        # msgspec's words name types and the field's path, never a value
        path = str(error).partition("`$.")[2].rstrip("`")
        raise Refused(400, "invalid_type", f"Wrong type in the request: {error}", param=path or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "invalid_json", "The body is not valid JSON.") from None


def model_of(ask: Ask) -> str:
    """The value of `model`. Raises Refused (400) where it is missing."""
    model = ask.model
    if model is UNSET:
        raise Refused(400, "missing_model", "Say which model: the field `model` is missing.", param="model")
    return model


def with_model(body: bytes, model: str) -> bytes:
    """The body with another name as its `model`; every other byte stays as it was."""
    raw = _named.decode(body).model
    value = bytes(raw)
    start = body.find(value)
    if len(body) > _LONG or body.find(value, start + 1) >= 0:
        # The same bytes may stand elsewhere, in a message or a tool's schema; the parser hands out the place itself.
        start = _address(raw) - _address(body)
    end = start + len(value)
    return b"%b%b%b" % (body[:start], msgspec.json.encode(model), body[end:])


def is_token_ids(text: bytes) -> bool:
    """Whether a prompt's JSON text is one or several arrays of token ids."""
    return _IDS.match(text) is not None


def _address(buffer: Any) -> int:
    return int(np.frombuffer(buffer, np.uint8).__array_interface__["data"][0])
