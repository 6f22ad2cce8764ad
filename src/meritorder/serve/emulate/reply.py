"""The answer to an emulated request in OpenAI's forms: words that count its tokens, and marks that say so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson

from meritorder.serve.emulate.asked import Asked
from meritorder.serve.emulate.job import Job
from meritorder.serve.http.server import Answer

EMULATED = b"x-merit-emulated: 1\r\n"
FINGERPRINT = "emulated"
JSON = b"content-type: application/json\r\n" + EMULATED
_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n" + EMULATED
# stands in the forms below where a number goes
_WORD = "\x00"


def words(first: int, last: int) -> str:
    """The text of tokens `first` to `last`: ` 7 8 9`, a word each."""
    text = "".join(f" {number}" for number in range(first, last + 1))
    return text[1:] if first == 1 else text


class Reply:
    """Writes one answer as its tokens come, at most as fast as the client reads: what it didn't read is a number."""

    __slots__ = (
        "_answer",
        "_asked",
        "_changed",
        "_form",
        "_job",
        "_parts",
        "_ready",
        "_request_id",
        "_slow",
        "_written",
    )

    def __init__(
        self, asked: Asked, job: Job, answer: Answer, request_id: str, model: str, changed: Callable[[Reply], None]
    ) -> None:
        """`changed(self)` is called when there is something to `write`."""
        self._asked, self._job, self._answer = asked, job, answer
        self._request_id = request_id
        self._changed = changed
        self._ready = self._written = 0
        self._slow = False
        self._form = b"", b""  # of its events: before and after the text
        job.on_tokens = self._on_tokens
        answer.on_slow = self._on_slow
        kind = ("chat.completion" if asked.chat else "text_completion") + (
            ".chunk" if asked.chat and asked.stream else ""
        )
        self._parts: dict[str, Any] = {
            "id": ("chatcmpl-" if asked.chat else "cmpl-") + request_id,
            "object": kind,
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": FINGERPRINT,
        }

    def write(self) -> None:
        """Write what has come since the last time."""
        ready = self._ready
        if self._slow or self._answer.gone or ready == self._written:
            return
        data = self._events(self._written + 1, ready) if self._asked.stream else b""
        first, last = self._written == 0, ready == self._job.output
        self._written = ready
        if not self._asked.stream:
            self._answer.send(200, self._headers(JSON), self._whole())
            return
        if first:
            self._answer.head(200, self._headers(_STREAM), None)
        self._answer.write(data + self._tail() if last else data)
        if last:
            self._answer.end()

    def _on_tokens(self, tokens: int) -> None:
        self._ready = tokens
        if self._asked.stream or tokens == self._job.output:
            self._changed(self)

    def _on_slow(self, slow: bool) -> None:
        self._slow = slow
        if not slow:
            self.write()

    def _headers(self, lines: bytes) -> bytes:
        return lines + b"x-request-id: " + self._request_id.encode() + b"\r\n"

    def _events(self, first: int, last: int) -> bytes:
        """The events of tokens `first` to `last` of this answer."""
        if first == 1:
            # the form of all its events but the last, made when it is first needed
            before, _, after = self._event(_WORD, None).partition(orjson.dumps(_WORD)[1:-1])
            self._form = before, after
        before, after = self._form
        counted, end = self._asked.counted, self._job.output
        events = [self._role()] if first == 1 and self._asked.chat else []
        for token in range(first, min(last, end - 1) + 1):
            events += (before, words(counted + token, counted + token).encode(), after)
        if last == end:
            events.append(self._event(words(counted + end, counted + end), self._job.ends))
        return b"".join(events)

    def _event(self, text: str, ends: str | None) -> bytes:
        part = {"delta": {"content": text}} if self._asked.chat else {"text": text}
        return self._data(choices=[{"index": 0, **part, "logprobs": None, "finish_reason": ends}])

    def _role(self) -> bytes:
        delta = {"role": "assistant", "content": ""}
        return self._data(choices=[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])

    def _tail(self) -> bytes:
        usage = self._data(choices=[], usage=self._usage()) if self._asked.usage_in_stream else b""
        return usage + b"data: [DONE]\n\n"

    def _whole(self) -> bytes:
        text = words(self._asked.counted + 1, self._asked.counted + self._job.output)
        part = {"message": {"role": "assistant", "content": text}} if self._asked.chat else {"text": text}
        choice = {"index": 0, **part, "logprobs": None, "finish_reason": self._job.ends}
        return orjson.dumps({**self._parts, "choices": [choice], "usage": self._usage()})

    def _usage(self) -> dict[str, Any]:
        prompt, output = self._job.prompt, self._job.output
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": self._job.hit},
        }

    def _data(self, **parts: Any) -> bytes:
        return b"data: " + orjson.dumps({**self._parts, **parts}) + b"\n\n"
