"""`Reader`: a backend's event stream, cut into whole events and checked before anything of it reaches the client.

Events go on byte for byte. What the client has been told so far is kept in `Told`, so that another backend can take up
the answer where one breaks off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
import orjson

from meritorder.serve.exchange.usage import Usage

DONE: Final = b"data: [DONE]\n\n"

MOST_EVENT = 8_000_000  # bytes of one event; more is no event stream
MOST_TEXT = 2_000_000  # characters kept of an answer; a longer one can't be taken up elsewhere
_PARTS = 64  # small strings cost several times their length: joined when so many

OPENAI: Final = "openai"  # chat and completions: events without a name, an end marked [DONE]
TYPED: Final = "typed"  # responses and messages: every event has a type, one type marks the end

_BLANK = re.compile(rb"\r\n\r\n|\n\n|\n\r\n")
_FIELDS = (b"data", b"event", b"id", b"retry")
_ENDS = frozenset({"message_stop", "response.completed", "response.incomplete"})
_ERRORS = frozenset({"error", "response.failed"})


class Told:
    """What one client has been told of a streamed answer."""

    __slots__ = (
        "_length",
        "_parts",
        "created",
        "events",
        "finishes",
        "id",
        "model",
        "plain",
        "tokens",
        "usage",
    )

    def __init__(self, plain: bool) -> None:
        self.plain = plain  # so far its text is all there is to the answer, and all of it is kept
        self.id = ""  # as the first event named the answer
        self.model = ""
        self.created = 0
        self.events = 0
        self.tokens = 0  # events with something of the answer in them; by the backend's count where it says so
        self.finishes = 0  # choices that have their finish_reason
        self.usage: Usage | None = None  # as the backend said last
        self._parts: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        """All of it, where `plain`."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def add(self, text: str) -> None:
        """More of the answer's text."""
        self._length += len(text)
        if self._length > MOST_TEXT:
            self.not_plain()
            return
        self._parts.append(text)
        if len(self._parts) > _PARTS:
            self._parts = ["".join(self._parts)]

    def not_plain(self) -> None:
        """Its text can't be all of the answer any more, so none need be kept."""
        self.plain = False
        self._parts = []


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    refusal: Any = None
    function_call: Any = None
    audio: Any = None

    @property
    def other(self) -> bool:
        """Whether there is more to it than text."""
        return bool(
            self.tool_calls or self.reasoning_content or self.reasoning
            or self.refusal or self.function_call or self.audio
        )  # fmt: skip


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: Any = None
    id: str | None = None
    model: str | None = None
    created: int | None = None


class _Message(msgspec.Struct):
    usage: Usage | None = None
    error: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    error: Any = None
    message: Any = None
    usage: Usage | None = None
    response: _Message | None = None


_chunks = msgspec.json.Decoder(_Chunk)
_events = msgspec.json.Decoder(_Event)


class Broken(Exception):
    """The stream can't be what the backend meant to send."""


class Reader:
    """Reads the stream of one backend. `choices`: how many answers the client asked for in one.

    `edit` rewrites each JSON payload before it is read, or drops it (None): for an answer that is taken up in the
    middle. After `feed`: `progress` (something of the answer came), `done` (its end was marked), `broken` (why the
    stream is worthless from here on), `clients` (the backend reported a fault of the request itself).
    """

    __slots__ = (
        "_check", "_choices", "_edit", "_rest", "broken", "clients", "done", "last", "progress", "told",
    )  # fmt: skip

    def __init__(self, told: Told, form: str, choices: int, edit: Callable[[bytes], bytes | None] | None) -> None:
        self.told = told  # what its client knows, if it is this one's
        self._choices = choices
        self._edit = edit
        # not bound to self: that would be a cycle, and keep the text until the collector comes by
        self._check = Reader._chunk if form == OPENAI else Reader._event
        self._rest = b""  # the beginning of an event
        self.done = False
        self.broken = ""
        self.clients = False
        self.progress = False
        self.last = b""  # the last JSON payload: backends write usage and timings into it

    def feed(self, data: bytes) -> bytes:
        """The whole and sound events in what came, ready for the client; b"" where there are none yet."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._edit is None and data.endswith(b"\n\n") and b"\r" not in data:
            start = 0
            try:
                for event in data[:-2].split(b"\n\n"):
                    self._read(event)
                    start += len(event) + 2
            except Broken as why:
                self.broken = str(why)
                return data[:start]
            return data
        return self._feed_slowly(data)

    def close(self) -> bytes:
        """The stream has ended: an event that lacks nothing but its blank line counts."""
        if not self._rest.strip():
            return b""
        return self.feed(b"\n\n")

    @property
    def complete(self) -> bool:
        """Whether the client has all of the answer."""
        return self.done or self.told.finishes >= self._choices

    def _feed_slowly(self, data: bytes) -> bytes:
        """Likewise, with line ends of any kind, a beginning of an event at the end, and rewriting."""
        out: list[bytes] = []
        start = 0
        try:
            for blank in _BLANK.finditer(data):
                whole, event = data[start : blank.end()], data[start : blank.start()]
                start = blank.end()
                payload = _payload(event) if self._edit is not None else None
                if self._edit is None or payload is None or payload == b"[DONE]":
                    self._read(event)
                    out.append(whole)
                elif (edited := self._edit(payload)) is not None:
                    event = b"data: " + edited
                    self._read(event)
                    out.append(event + b"\n\n")
        except Broken as why:
            self.broken = str(why)
            return b"".join(out)
        self._rest = data[start:]
        if len(self._rest) > MOST_EVENT:
            self.broken = "an event without end"
        return b"".join(out)

    def _read(self, event: bytes) -> None:
        """Take note of one event. Raises Broken where it is unsound or tells of a failure."""
        payload = event[6:] if event[:6] == b"data: " and b"\n" not in event else _payload(event)
        if payload is None:
            return
        self.told.events += 1
        if payload == b"[DONE]":
            if self.told.finishes < self._choices and not self.clients:
                raise Broken("the end was marked before the answer had its finish_reason")
            self.done = True
            return
        self.last = payload
        try:
            self._check(self, payload)
        except msgspec.ValidationError:
            self._strange(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Broken("an event that is not JSON") from None

    def _chunk(self, payload: bytes) -> None:
        """An event of chat or completions."""
        chunk = _chunks.decode(payload)
        if chunk.error is not None:
            self._failure(chunk.error)
            return
        told = self.told
        if not told.id and chunk.id:
            told.id, told.model, told.created = chunk.id, chunk.model or "", chunk.created or 0
        for choice in chunk.choices or ():
            text = choice.text
            if (delta := choice.delta) is not None:
                text = delta.content
                if delta.other:
                    told.not_plain()
                    self._token()
            if text:
                self._token()
                if told.plain:
                    told.add(text)
            if choice.index or choice.logprobs:
                told.not_plain()
            if choice.finish_reason is not None:
                told.finishes += 1
                self.progress = True
        if chunk.usage is not None:
            told.usage = chunk.usage
            told.tokens = max(told.tokens, chunk.usage.output)

    def _event(self, payload: bytes) -> None:
        """An event of responses or messages."""
        event = _events.decode(payload)
        if event.type in _ERRORS:
            self._failure(event.error or (event.response and event.response.error) or {"message": event.message})
            return
        usage = event.usage
        if event.type.endswith("delta") and event.type != "message_delta":
            self._token()
        elif event.type in _ENDS:
            self.done = self.progress = True
            usage = event.response.usage if event.response is not None else usage
        elif event.type == "message_start" and isinstance(event.message, dict):
            usage = msgspec.convert(event.message, _Message).usage
        if usage is not None:
            known = self.told.usage
            self.told.usage = usage if known is None else known.merged(usage)

    def _token(self) -> None:
        self.told.tokens += 1
        self.progress = True

    def _strange(self, payload: bytes) -> None:
        """JSON of another shape than expected: it goes on untouched, but nobody else can take up the answer now."""
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise Broken("an event that is not JSON") from None
        if not isinstance(event, dict):
            raise Broken("an event that is no JSON object")
        if event.get("error"):
            self._failure(event["error"])
        self.told.not_plain()
        self._token()

    def _failure(self, error: Any) -> None:
        """The backend reports an error in mid-stream. The client's own goes on to it, others are a broken stream."""
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 500 and code not in (408, 429):
            self.clients = self.done = True
            return
        raise Broken("an error in mid-stream")


def _payload(event: bytes) -> bytes | None:
    """The data of an event; None: it has none (a comment). Raises Broken where a line is none of an event."""
    data: list[bytes] = []
    for line in event.splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value[1:] if value[:1] == b" " else value)
        elif line and name and name not in _FIELDS:
            raise Broken("a line that is none of an event stream")
    return b"\n".join(data) if data else None
