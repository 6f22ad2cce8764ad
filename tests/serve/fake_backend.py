"""A model server that answers on a real socket and fails as it is told to.

    with FakeBackend() as fake:             # its own thread and event loop; port chosen by the kernel
        fake.acts.append(Act("die-mid", after=3))   # the next request; afterwards `fake.usual` (at first Act("ok"))
        ... requests to fake.url ...
        fake.requests[-1].body, fake.cut_at

Its answer is the words "w0 w1 w2 ..." (`Act.tokens` of them, or max_tokens), one SSE event each. Asked to go on behind
"... w4 " (an assistant message at the end, or a prompt that ends so) it goes on with "w5 ": whoever joins a broken
stream rightly gets every word once. Speaks chat, completions, responses, embeddings, messages, count_tokens,
/v1/models, /health and /metrics.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal[
    "ok",
    "status",  # answer with `status` and `body`
    "die-before",  # take the request, close the connection without a byte
    "die-mid",  # close in mid-answer, `after` tokens into it
    "freeze-before",  # take the request, say nothing
    "freeze-head",  # head of the answer, then nothing
    "freeze-mid",  # `after` tokens, then nothing
    "truncate",  # end cleanly after `after` tokens: no finish_reason, no [DONE]; without streaming: half of the JSON
    "no-done",  # all tokens and finish_reason, no [DONE]
    "bad-sse",  # `after` tokens, then a line that is no SSE
    "bad-json",  # `after` tokens, then an event that is no JSON
    "error-event",  # `after` tokens, then an error event in the 200 answer
    "wrong-length",  # content-length says more than comes, then the connection closes
    "garbage",  # no HTTP at all
]


@dataclass
class Act:
    """What to do with one request."""

    fault: Fault = "ok"
    after: int = 2
    status: int = 500
    body: bytes = b'{"error":{"message":"told to fail","type":"server_error","code":500}}'
    headers: tuple[tuple[str, str], ...] = ()
    first_s: float = 0.0  # before the first token
    token_s: float = 0.0  # between tokens
    tokens: int = 8  # where the request gives no max_tokens
    split: int = 0  # write the stream in pieces of so many bytes, each in a chunk of its own; 0: an event a chunk
    burst: bool = False  # all events in one write
    pings: int = 0  # comments, `token_s` apart, behind the first `after` tokens of a stream
    pad: int = 0  # bytes that each event of chat and completions is longer


@dataclass
class Got:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


MOST_TOKENS = 400_000


class _Done(Exception):
    """The connection is to be closed."""


class FakeBackend:
    def __init__(self, model: str = "fake-model", *, name: str = "fake", context: ssl.SSLContext | None = None) -> None:
        self.model = model
        self.name = name
        self.acts: deque[Act] = deque()
        self.usual = Act()
        self.requests: list[Got] = []
        self.running = 0  # answers under way
        self.finished = 0  # answers ended as meant
        self.cut_at: list[float] = []  # when the other side closed in mid-answer (time.monotonic)
        self.healthy = True
        self.mute = False  # frozen as a whole: not even /health is answered
        self.metrics = ""  # text of /metrics
        self.url = ""
        self.port = 0
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> FakeBackend:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Listens; a given port brings a stopped one back where it was."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(10)

    def stop(self) -> None:
        """Closes the port and every connection, as a killed process would."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._thread = None

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, ssl=self._context, limit=64 * 1024 * 1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                got = await _read(reader)
                if got is None:
                    break
                await self._answer(got, reader, writer)
        except (_Done, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, got: Got, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = got.path.partition("?")[0]
        if self.mute:
            await asyncio.sleep(3600)
        if got.method == "GET":
            if path.endswith("/health"):
                _write(writer, 200 if self.healthy else 503, b"{}")
            elif path.endswith("/metrics"):
                _write(writer, 200, self.metrics.encode(), "text/plain")
            elif path.endswith("/v1/models"):
                models = {"object": "list", "data": [{"id": self.model, "object": "model", "owned_by": self.name}]}
                _write(writer, 200, json.dumps(models).encode())
            else:
                _write(writer, 404, b'{"error":{"message":"not found","type":"not_found_error","code":404}}')
            return
        self.requests.append(got)
        act = self.acts.popleft() if self.acts else self.usual
        self.running += 1
        work = asyncio.ensure_future(self._act(act, got, path, writer))
        watch = asyncio.ensure_future(_gone(reader))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.cut_at.append(time.monotonic())
                raise _Done
            work.result()
            self.finished += 1
        finally:
            self.running -= 1
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _act(self, act: Act, got: Got, path: str, writer: asyncio.StreamWriter) -> None:
        if act.fault == "status":
            _write(writer, act.status, act.body, extra=act.headers)
            return
        if act.fault == "die-before":
            raise _Done
        if act.fault == "freeze-before":
            await asyncio.sleep(3600)
        if act.fault == "garbage":
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            raise _Done
        try:
            ask = json.loads(got.body)
            told = _Told(self.model, path, ask, act)
        except (TypeError, ValueError, AttributeError, KeyError):  # a request that no server would take
            _write(writer, 400, b'{"error":{"message":"bad request","type":"invalid_request_error","code":400}}')
            return
        if ask.get("stream"):
            await self._stream(act, told, writer)
            return
        if act.fault == "freeze-head":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n")
            await asyncio.sleep(3600)
        await asyncio.sleep(act.first_s + act.token_s * told.count)
        body = json.dumps(told.whole()).encode()
        if act.fault == "bad-json":
            body = body[:-1] + b"]"
        elif act.fault == "error-event":
            body = b'{"error":{"message":"engine died","type":"server_error","code":500}}'
        elif act.fault == "truncate":
            body = body[: len(body) // 2]
        if act.fault in ("wrong-length", "die-mid", "freeze-mid"):
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body) + 10}\r\n\r\n"
            writer.write(head.encode() + (body if act.fault == "wrong-length" else body[: len(body) // 2]))
            await writer.drain()
            if act.fault == "freeze-mid":
                await asyncio.sleep(3600)
            raise _Done
        _write(writer, 200, body, extra=act.headers)

    async def _stream(self, act: Act, told: _Told, writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in act.headers) + "\r\n"
        if act.fault == "freeze-head":
            writer.write(head.encode())
            await asyncio.sleep(3600)
        await asyncio.sleep(act.first_s)
        parts: Iterable[bytes] = _parts(act, told)
        if act.split:
            text = b"".join(parts)
            parts = [text[i : i + act.split] for i in range(0, len(text), act.split)]
        if act.burst:
            parts = [b"".join(parts)]
        writer.write(head.encode())
        for number, part in enumerate(parts):
            if act.token_s and number:
                await asyncio.sleep(act.token_s)
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            if number % 8 == 0:
                await asyncio.sleep(0)
        if act.fault == "die-mid":
            # what has been written reaches the other side before the end
            await asyncio.sleep(0.01)
            raise _Done
        if act.fault == "freeze-mid":
            await asyncio.sleep(3600)
        if act.fault == "wrong-length":
            writer.write(b"ff\r\nshort")
            await writer.drain()
            raise _Done
        writer.write(b"0\r\n\r\n")


def _parts(act: Act, told: _Told) -> Iterator[bytes]:
    """The events of a stream, up to where its fault is."""
    if told.opening():
        yield told.opening()
    for number in range(told.count):
        if act.fault not in ("ok", "no-done") and number >= act.after:
            break
        if number == act.after:
            yield from (b": ping\n\n" for _ in range(act.pings))
        yield told.token(number)
    else:
        yield from told.closing(done=act.fault != "no-done")
    if act.fault == "bad-sse":
        yield b"<html>502 Bad Gateway</html>\n\n"
    elif act.fault == "bad-json":
        yield b'data: {"id":"x","choices":[{"index":0,\n\n'
    elif act.fault == "error-event":
        yield b'data: {"error":{"message":"engine died","type":"server_error","code":500}}\n\n'


class _Told:
    """The words of one answer in the form of its API."""

    def __init__(self, model: str, path: str, ask: dict[str, Any], act: Act) -> None:
        self.model = model
        self.ask = ask
        self.pad = act.pad
        self.api = path.split("/v1/")[-1]
        limit = next((ask[k] for k in ("max_tokens", "max_completion_tokens", "max_output_tokens") if ask.get(k)), None)
        self.start = _heard(self.api, ask)
        # `act.tokens` is the length of the whole answer, also for one who takes it up in the middle
        # a made-up limit must not keep the test busy for ever; a long answer is asked for by `Act.tokens`
        self.count = max(min(int(limit), MOST_TOKENS) if limit else act.tokens - self.start, 0)
        self.id = f"id-{id(self) & 0xFFFFFF:x}"
        text = json.dumps(ask.get("messages") or ask.get("prompt") or ask.get("input") or "")
        self.prompt = max(len(text) // 4, 1)

    def word(self, number: int) -> str:
        return f"w{self.start + number} "

    def text(self) -> str:
        return "".join(self.word(i) for i in range(self.count))

    def usage(self) -> dict[str, Any]:
        if self.api in ("messages", "responses"):
            return {"input_tokens": self.prompt, "output_tokens": self.count}
        total = self.prompt + self.count
        return {"prompt_tokens": self.prompt, "completion_tokens": self.count, "total_tokens": total}

    def whole(self) -> dict[str, Any]:
        head = {"id": self.id, "model": self.model, "created": 1_700_000_000}
        if self.api == "chat/completions":
            message = {"role": "assistant", "content": self.text()}
            choices = [
                {"index": i, "message": message, "finish_reason": "length"} for i in range(self.ask.get("n") or 1)
            ]
            return head | {"object": "chat.completion", "choices": choices, "usage": self.usage()}
        if self.api == "completions":
            choice = {"index": 0, "text": self.text(), "finish_reason": "length", "logprobs": None}
            return head | {"object": "text_completion", "choices": [choice], "usage": self.usage()}
        if self.api == "messages":
            content = [{"type": "text", "text": self.text()}]
            return head | {
                "type": "message", "role": "assistant", "content": content, "stop_reason": "max_tokens",
                "stop_sequence": None, "usage": self.usage(),
            }  # fmt: skip
        if self.api == "messages/count_tokens":
            return {"input_tokens": self.prompt}
        if self.api == "responses":
            return self.response("completed")
        return {
            "object": "list", "model": self.model,
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
            "usage": {"prompt_tokens": self.prompt, "total_tokens": self.prompt},
        }  # fmt: skip

    def response(self, status: str) -> dict[str, Any]:
        content = [{"type": "output_text", "text": self.text(), "annotations": []}]
        message = {"id": "msg", "type": "message", "role": "assistant", "status": status, "content": content}
        return {
            "id": self.id, "object": "response", "created_at": 1_700_000_000, "model": self.model, "status": status,
            "output": [message], "usage": self.usage() if status == "completed" else None, "parallel_tool_calls": True,
            "tool_choice": "auto", "tools": [],
        }  # fmt: skip

    def _chunk(self, choice: dict[str, Any] | None) -> bytes:
        chat = self.api == "chat/completions"
        chunk: dict[str, Any] = {
            "id": self.id, "object": "chat.completion.chunk" if chat else "text_completion", "created": 1_700_000_000,
            "model": self.model, "choices": [] if choice is None else [choice],
        }  # fmt: skip
        if self.pad:
            chunk["pad"] = "x" * self.pad
        if choice is None:
            chunk["usage"] = self.usage()
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    def _event(self, kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()

    def opening(self) -> bytes:
        if self.api == "chat/completions":
            return self._chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
        if self.api == "messages":
            message = self.whole() | {"content": [], "stop_reason": None}
            block = {"type": "text", "text": ""}
            return self._event("message_start", message=message) + self._event(
                "content_block_start", index=0, content_block=block
            )
        if self.api == "responses":
            return self._event("response.created", response=self.response("in_progress"), sequence_number=0)
        return b""

    def token(self, number: int) -> bytes:
        word = self.word(number)
        if self.api == "chat/completions":
            return self._chunk({"index": 0, "delta": {"content": word}, "finish_reason": None})
        if self.api == "messages":
            return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        if self.api == "responses":
            return self._event(
                "response.output_text.delta", delta=word, item_id="msg", output_index=0, content_index=0,
                logprobs=[], sequence_number=number + 1,
            )  # fmt: skip
        return self._chunk({"index": 0, "text": word, "finish_reason": None, "logprobs": None})

    def closing(self, done: bool) -> list[bytes]:
        if self.api == "messages":
            return [
                self._event("content_block_stop", index=0),
                self._event("message_delta", delta={"stop_reason": "max_tokens"}, usage={"output_tokens": self.count}),
            ] + ([self._event("message_stop")] if done else [])
        if self.api == "responses":
            end = self._event("response.completed", response=self.response("completed"), sequence_number=self.count + 1)
            return [end] if done else []
        last = {"delta": {}} if self.api == "chat/completions" else {"text": ""}
        parts = [self._chunk({"index": 0, "finish_reason": "length"} | last)]
        if (self.ask.get("stream_options") or {}).get("include_usage"):
            parts.append(self._chunk(None))
        if done:
            parts.append(b"data: [DONE]\n\n")
        return parts


def _heard(api: str, ask: dict[str, Any]) -> int:
    """Number of the next word, where the request brings the words so far."""
    text = ""
    if api == "chat/completions" and ask.get("messages") and ask["messages"][-1].get("role") == "assistant":
        text = ask["messages"][-1].get("content") or ""
    elif api == "completions" and isinstance(ask.get("prompt"), str):
        text = ask["prompt"]
    last = re.search(r"\bw(\d+)\s*$", text)
    return int(last[1]) + 1 if last else 0


async def _read(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = b""
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    return Got(method, path, headers, body)


async def _gone(reader: asyncio.StreamReader) -> None:
    """Returns when the other side has closed. A request that is sent ahead is not for this server."""
    while not reader.at_eof():
        if reader._buffer or reader.exception() is not None:  # type: ignore[attr-defined]
            return
        await asyncio.sleep(0.005)


def _write(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    kind: str = "application/json",
    extra: tuple[tuple[str, str], ...] = (),
) -> None:
    headers = {"content-type": kind, "content-length": len(body)} | dict(extra)
    head = f"HTTP/1.1 {status} Told\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(head.encode() + b"\r\n" + body)
