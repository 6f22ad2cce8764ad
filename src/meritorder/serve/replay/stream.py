"""A streamed answer of an OpenAI-compatible endpoint as a client sees it: when tokens came, how many, how it ended."""

from __future__ import annotations

import msgspec


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: msgspec.Raw | None = None


_DECODER = msgspec.json.Decoder(_Event)


class Stream:
    """Reads server-sent events as they come. Times are those that `read` is given; NaN where it never happened."""

    __slots__ = ("_rest", "ended", "error", "first", "last", "pieces", "usage")

    def __init__(self) -> None:
        self._rest = b""
        self.first = self.last = float("nan")  # first and latest piece of text
        self.pieces = 0
        self.usage: _Usage | None = None
        self.ended = False  # a proper end was seen
        self.error = ""  # what an error event said, or what was wrong with an event

    def read(self, data: bytes, now: float) -> None:
        """Some bytes have come."""
        *events, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in events:
            payload = b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
            if payload == b"[DONE]":
                self.ended = True
            elif payload:
                self._event(payload, now)

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer: as the endpoint says, else a token per piece."""
        return self.usage.completion_tokens if self.usage else self.pieces

    def _event(self, payload: bytes, now: float) -> None:
        try:
            event = _DECODER.decode(payload)
        except msgspec.DecodeError as error:
            self.error = f"an event that is none: {error}"
            return
        if event.error is not None:
            self.error = bytes(event.error).decode("utf-8", "replace")
        self.usage = event.usage or self.usage
        for choice in event.choices:
            if choice.text or (choice.delta and (choice.delta.content or choice.delta.reasoning_content)):
                self.pieces += 1
                self.last = now
                if self.pieces == 1:
                    self.first = now
            self.ended = self.ended or choice.finish_reason is not None
