"""Taking up a broken stream on another backend, so that the client sees one answer.

The other backend is given the conversation with the text so far as the beginning of its own answer; what it then
streams is rewritten to be a part of the first one's: same id, no second role, usage of the whole.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from meritorder.serve.backends.kinds.kind import CHAT, Continuation
from meritorder.serve.exchange.stream import Told

_LIMITS = ("max_tokens", "max_completion_tokens", "min_tokens")
_MORE_THAN_TEXT = (
    "best_of", "continue_final_message", "echo", "functions", "grammar", "guided_choice", "guided_grammar",
    "guided_json", "guided_regex", "json_schema", "logprobs", "prompt_logprobs", "response_format",
    "structured_outputs", "suffix", "tools",
)  # fmt: skip
_SANE = 2**53
_TRUE, _FALSE = msgspec.Raw(b"true"), msgspec.Raw(b"false")


def can_continue(path: str, body: bytes) -> bool:
    """Whether the request lets its answer be taken up: it wants text alone, and brings no answer's beginning itself."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # no whole request was ever read: the backend may be more lenient
    if fields.get("n") not in (None, 1) or any(fields.get(name) for name in _MORE_THAN_TEXT):
        return False
    if path == CHAT:
        messages = fields.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        return isinstance(last, dict) and last.get("role") != "assistant"
    return isinstance(fields.get("prompt"), str)


def continuing_body(path: str, body: bytes, told: Told, how: Continuation) -> bytes:
    """The request that asks for the rest of what was `told`, for a backend that does it so (`how`, for a chat)."""
    fields: dict[str, Any] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    text = told.text
    if path == CHAT:
        messages: list[Any] = msgspec.json.decode(fields["messages"], type=list[msgspec.Raw])
        messages.append({"role": "assistant", "content": text.rstrip()})
        fields["messages"] = messages
        if how == "continue_final_message":
            fields["continue_final_message"], fields["add_generation_prompt"] = _TRUE, _FALSE
    else:
        fields["prompt"] = msgspec.json.decode(fields["prompt"], type=str) + text
    for name in _LIMITS:
        limit = msgspec.json.decode(fields.get(name, b"null"))
        if type(limit) in (int, float) and abs(limit) < _SANE:  # others are for the backend to judge
            fields[name] = max(int(limit) - told.tokens, 0 if name == "min_tokens" else 1)
    return msgspec.json.encode(fields)


class Continued:
    """Makes the chunks of one who continues into chunks of the answer that the client already reads."""

    __slots__ = ("_again", "_begun", "_prior", "_told")

    def __init__(self, path: str, told: Told) -> None:
        self._told = told
        self._prior = told.tokens
        self._begun = told.id != ""
        # Chat templates strip a message's end, so the blanks there were not given and may come once more.
        self._again = told.text[len(told.text.rstrip()) :] if path == CHAT else ""

    def edit(self, payload: bytes) -> bytes | None:
        """The payload as it goes to the client; None: nothing of it."""
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return payload  # for the reader to refuse
        if not isinstance(chunk, dict) or not isinstance(chunk.get("choices"), list):
            return payload
        if self._begun:
            chunk["id"], chunk["model"], chunk["created"] = self._told.id, self._told.model, self._told.created
        for choice in chunk["choices"]:
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if not isinstance(delta, dict):
                continue
            role = delta.pop("role", None) if self._begun else None
            if self._again and delta.get("content"):
                delta["content"] = self._unrepeated(delta["content"])
            if role and not delta.get("content") and choice.get("finish_reason") is None and len(delta) <= 1:
                return None
        if isinstance(usage := chunk.get("usage"), dict) and isinstance(usage.get("prompt_tokens"), int):
            usage["prompt_tokens"] = max(usage["prompt_tokens"] - self._prior, 0)
            usage["completion_tokens"] = (usage.get("completion_tokens") or 0) + self._prior
        return orjson.dumps(chunk)

    def _unrepeated(self, text: str) -> str:
        """The first text, without the blanks that the client already has."""
        count = 0
        while count < min(len(text), len(self._again)) and text[count] == self._again[count]:
            count += 1
        # blanks may come one by one
        self._again = self._again[count:] if count == len(text) else ""
        return text[count:]
