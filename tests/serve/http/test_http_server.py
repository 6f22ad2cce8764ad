"""The clients' side: framing, order, limits, faults of clients."""

import asyncio
import json
import re
import socket
import ssl
from http.client import HTTPConnection

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.http.rig import answer_of, connect, echo, exchange, run, serving

from meritorder.serve.http.request import split_target

POST = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
LAST = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c?q=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Empty:\r\nX-Two: 2\r\n\r\n"
    b"3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n"
)


def test_a_request_arrives_whole_and_so_does_its_answer():
    seen = []

    def handler(request, answer):
        seen.append(request)
        answer.send(201, b"x-a: b\r\n", b"fine")

    async def main():
        async with serving(handler) as (server, port):
            reader, writer = await connect(port)
            writer.write(b"POST /v1/a%20b?x=%20y HTTP/1.1\r\nHOST: h\r\nX-A: Bc \r\nContent-Length: 5\r\n\r\nhello")
            status, headers, body = await answer_of(reader)
            assert (status, body, headers[b"x-a"]) == (201, b"fine", b"b")
            assert b"GMT" in headers[b"date"]
            assert server.connections == server.accepted == 1
            writer.close()

    run(main())
    (request,) = seen
    assert (request.method, request.path, request.query, request.body) == (b"POST", "/v1/a b", b"x=%20y", b"hello")
    assert request.headers == [(b"host", b"h"), (b"x-a", b"Bc"), (b"content-length", b"5")]
    assert request.header(b"x-a") == b"Bc"
    assert request.header(b"x-b") is None
    assert request.peer == "127.0.0.1"
    assert request.received > 0


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/a?b?c", "/a", b"b?c"),
        (b"http://h:1/a?b", "/a", b"b"),
        (b"http://h", "/", b""),
        (b"*", "*", b""),
        (b"/%e2%82%ac%ff", "/€\ufffd", b""),
    ],
)
def test_targets_split_into_path_and_query(target, path, query):
    assert split_target(target) == (path, query)


@pytest.mark.parametrize("data", [POST + LAST, CHUNKED + LAST, b"\r\n" + LAST])
def test_split_at_any_byte_it_is_the_same_request(data):
    def handler(request, answer):
        headers = [[name.decode(), value.decode()] for name, value in request.headers]
        answer.send(200, b"", json.dumps([request.path, headers, request.body.decode()]).encode())

    async def main():
        async with serving(handler) as (_, port):

            async def split(at):
                reader, writer = await connect(port)
                writer.write(data[:at])
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(data[at:])
                answers = []
                while not reader.at_eof():
                    answers.append((await answer_of(reader))[2])
                    if b"Connection: close" in data and len(answers) == data.count(b"HTTP/1.1"):
                        assert await reader.read() == b""
                writer.close()
                return answers

            whole = await split(0)
            assert len(whole) == data.count(b"HTTP/1.1")
            assert all("X-Trailer" not in answer.decode() for answer in whole)
            for other in await asyncio.gather(*(split(at) for at in range(1, len(data)))):
                assert other == whole

    run(main())


def test_pipelined_requests_are_answered_in_order_however_late():
    held = []

    def handler(request, answer):
        held.append((request, answer))

    async def main():
        async with serving(handler) as (_, port):
            reader, writer = await connect(port)
            writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(50)))
            for i in range(50):
                while not held:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0)
                ((request, answer),) = held  # the next only after this one
                assert request.path == f"/{i}"
                held.clear()
                answer.head(200, b"", None)
                answer.write(b"part %d," % i)
                answer.write(b"x" * 20_000)
                answer.end()
                assert (await answer_of(reader))[2] == b"part %d," % i + b"x" * 20_000
            writer.close()

    run(main())


def test_reading_ahead_is_bounded():
    held = []

    async def main():
        async with serving(lambda request, answer: held.append(answer)) as (_, port):
            _, writer = await connect(port)
            writer.write(POST)
            while not held:
                await asyncio.sleep(0.001)
            writer.transport.set_write_buffer_limits(0)
            sent = 0
            while True:  # until the kernels' buffers are full
                writer.write(POST * 2000)
                try:
                    await asyncio.wait_for(writer.drain(), 0.3)
                except TimeoutError:
                    break
                sent += 2000
                assert sent * len(POST) < 50e6
            assert len(held) == 1
            writer.transport.abort()

    run(main())


def test_many_pipelined_requests_answered_at_once_do_not_recurse():
    async def main():
        async with serving(echo) as (_, port):
            got = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3000 + LAST)
            assert got.count(b"HTTP/1.1 200") == 3001

    run(main())


@pytest.mark.parametrize(
    ("request_head", "framing", "closes"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"transfer-encoding: chunked", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", b"transfer-encoding: chunked", True),
        (b"GET / HTTP/1.0\r\n", b"connection: close", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", b"connection: close", True),
    ],
)
def test_a_body_of_unknown_length_is_framed_as_the_client_understands_it(request_head, framing, closes):
    def handler(request, answer):
        answer.head(200, b"", None)
        answer.write(b"one")
        answer.write(b"")  # an empty chunk would end the body
        answer.write(b"two")
        answer.end()
        answer.write(b"after")
        answer.end()

    async def main():
        async with serving(handler) as (_, port):
            reader, writer = await connect(port)
            writer.write(request_head + b"\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert framing in head
            assert (b"connection: close" in head) == closes
            if b"chunked" in framing:
                assert await reader.readexactly(21) == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
            if closes:
                assert await reader.read() == (b"" if b"chunked" in framing else b"onetwo")
            else:
                writer.write(request_head + b"\r\n")
                assert (await answer_of(reader))[2] == b"onetwo"
            writer.close()

    run(main())


def test_http_1_0_connections_are_kept_where_the_client_asks_for_it():
    async def main():
        async with serving(echo) as (_, port):
            reader, writer = await connect(port)
            for _ in range(2):
                writer.write(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                status, headers, body = await answer_of(reader)
                assert (status, headers[b"connection"], body) == (200, b"keep-alive", b"/a ")
            writer.close()

    run(main())


def test_answers_to_head_and_204_have_no_body():
    def handler(request, answer):
        answer.send(204 if request.path == "/none" else 200, b"", b"four")

    async def main():
        async with serving(handler) as (_, port):
            got = await exchange(
                port,
                b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            )
            first, second, third, rest = got.split(b"\r\n\r\n")
            assert b"content-length: 4" in first
            assert second.startswith(b"HTTP/1.1 204")
            assert b"content-length" not in second
            assert b"content-length: 4" in third
            assert rest == b"four"

    run(main())


BAD = [
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\nhello", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\nX: no host\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3000, 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 3000, 431),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10001\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10001\r\n\r\n", 413),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2711\r\n" + b"x" * 10001 + b"\r\n0\r\n\r\n",
        413,
    ),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;%b\r\nx\r\n" % (b"y" * 999) * 50, 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * 9999, 400),
]


@pytest.mark.parametrize(("data", "status"), BAD, ids=range(len(BAD)))
def test_what_is_malformed_or_too_large_is_refused_in_openai_s_form_and_the_connection_closed(data, status):
    handled = []

    def handler(request, answer):
        handled.append(request.path)
        echo(request, answer)

    async def main():
        async with serving(handler, head="2 kB", body="10 kB") as (server, port):
            for ahead in (b"", POST):
                reader, writer = await connect(port)
                if ahead:
                    writer.write(ahead)
                    assert (await answer_of(reader))[0] == 200
                writer.write(data)
                got, headers, body = await answer_of(reader)
                assert got == status
                assert headers[b"connection"] == b"close"
                assert headers[b"content-type"] == b"application/json"
                error = json.loads(body)["error"]
                assert error["type"] == "invalid_request_error"
                assert error["request_id"].encode() == headers[b"x-request-id"]
                assert await reader.read() == b""
                writer.close()
            assert server.bad_requests == 2

    run(main())
    assert handled == ["/v1/x"]


def test_no_head_is_too_large_to_be_refused_behind_another_request():
    large = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3000 + b"\r\n\r\n"

    async def main():
        async with serving(echo, head="2 kB") as (_, port):
            for at in (0, 1, 20, 2000, 3010):
                reader, writer = await connect(port)
                writer.write(POST + large[:at])
                assert (await answer_of(reader))[0] == 200
                writer.write(large[at:])
                assert (await answer_of(reader))[0] == 431
                writer.close()
            # but many small ones are no large one
            got = await exchange(port, POST * 100 + LAST)
            assert got.count(b"HTTP/1.1 200") == 101

    run(main())


def test_the_refusal_of_a_large_body_reaches_a_client_that_is_still_sending_it():
    async def main():
        async with serving(echo, body="10 kB") as (_, port):

            def upload():
                client = HTTPConnection("127.0.0.1", port)
                client.putrequest("POST", "/")
                client.putheader("Content-Length", "3000000")
                client.endheaders()
                for _ in range(30):
                    client.send(b"x" * 100_000)
                return client.getresponse().status

            assert await asyncio.to_thread(upload) == 413

    run(main())


def test_a_client_that_waits_for_100_continue_is_told_to():
    async def main():
        async with serving(echo) as (_, port):
            reader, writer = await connect(port)
            # behind another request, too
            writer.write(POST + b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            assert (await answer_of(reader))[0] == 200
            assert (await answer_of(reader))[0] == 100
            writer.write(b"hello")
            assert (await answer_of(reader))[2] == b"/ hello"
            writer.close()

    run(main())


def test_offers_of_other_protocols_are_passed_over_and_the_body_kept():
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n"
    data = b"POST /v1/x?y HTTP/1.1\r\n" + offer + b"Host: a\r\nContent-Length: 5\r\n\r\nhello"

    async def main():
        async with serving(echo) as (_, port):
            for at in range(len(data)):
                reader, writer = await connect(port)
                writer.write(data[:at])
                await writer.drain()
                await asyncio.sleep(0)
                writer.write(data[at:] + data + LAST)
                for _ in range(3):
                    assert (await answer_of(reader))[2] == b"/v1/x hello"
                assert await reader.read() == b""
                writer.close()

    run(main())


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"],
)
def test_requests_that_dribble_in_are_refused_with_408(sent):
    async def main():
        async with serving(echo, head_time=0.1, body_time=0.1, idle_time=10) as (server, port):
            for ahead in (b"", POST) if sent else (b"",):
                reader, writer = await connect(port)
                writer.write(ahead + sent)
                if ahead:
                    assert (await answer_of(reader))[0] == 200
                assert (await answer_of(reader))[0] == 408
                assert await reader.read() == b""
                writer.close()
            while server.connections:
                await asyncio.sleep(0.01)

    run(main())


def test_idle_connections_are_closed_in_time_and_busy_ones_are_not():
    held = []

    def handler(request, answer):
        if request.path == "/held":
            held.append(answer)
        else:
            echo(request, answer)

    async def main():
        async with serving(handler, head_time=0.2, body_time=0.2, idle_time=0.1) as (_, port):
            busy_reader, busy = await connect(port)
            busy.write(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            reader, writer = await connect(port)
            writer.write(POST)
            assert (await answer_of(reader))[0] == 200
            assert await reader.read() == b""
            await asyncio.sleep(0.3)
            held[0].send(200, b"", b"late")
            assert (await answer_of(busy_reader))[2] == b"late"
            writer.close()
            busy.close()

    run(main())


def test_one_connection_too_many_is_told_so():
    async def main():
        async with serving(echo, connections=2) as (server, port):
            kept = [await connect(port) for _ in range(2)]
            reader, writer = await connect(port)
            status, headers, body = await answer_of(reader)
            assert status == 503
            assert headers[b"retry-after"] == b"1"
            assert json.loads(body)["error"]["type"] == "server_error"
            assert await reader.read() == b""
            writer.close()
            while server.connections > 2:
                await asyncio.sleep(0.01)
            reader, writer = kept[0]
            writer.write(LAST)
            assert (await answer_of(reader))[0] == 200

    run(main())


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_a_client_that_leaves_is_noticed_while_its_answer_is_awaited(reset, started):
    async def main():
        gone = asyncio.Event()
        told = []
        answers = []

        def handler(request, answer):
            def on_gone():
                told.append(answer.gone)
                gone.set()

            answer.on_gone = on_gone
            answers.append(answer)
            if started:
                answer.head(200, b"", None)

        async with serving(handler) as (server, port):
            _, writer = await connect(port)
            writer.write(POST)
            while not answers:
                await asyncio.sleep(0.001)
            if reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                writer.transport.abort()
            else:
                writer.close()
            if started and not reset:  # what is written to one that closed brings the news
                await asyncio.sleep(0.05)
                answers[0].write(b"data: x\n\n")
            async with asyncio.timeout(2):
                await gone.wait()
            assert told == [True]
            answers[0].send(200, b"", b"nobody listens")
            answers[0].abort()
            await asyncio.sleep(0.05)
            assert told == [True]
            assert server.connections == 0

    run(main())


def test_a_client_that_only_stops_sending_gets_its_answers():
    async def main():
        loop = asyncio.get_running_loop()

        def handler(request, answer):
            loop.call_later(0.1, echo, request, answer)

        async with serving(handler) as (_, port):
            reader, writer = await connect(port)
            writer.write(POST + POST)
            writer.write_eof()
            statuses = []
            while not reader.at_eof():
                status, _, body = await answer_of(reader)
                statuses.append(status)
                if statuses.count(200) == 2:
                    assert body == b"/v1/x hello"
                    assert await reader.read() == b""
            assert [status for status in statuses if status != 100] == [200, 200]
            writer.close()

    run(main())


@pytest.mark.parametrize("how", ["chunked", "length", "close", "short", "long", "nothing"])
def test_an_answer_that_is_given_up_can_not_be_taken_for_a_whole_one(how):
    def handler(request, answer):
        if how == "nothing":
            answer.abort()
            return
        answer.head(200, b"", 10 if how in ("length", "short", "long") else None)
        answer.write(b"error\n" if how != "long" else b"x" * 11)
        if how in ("short", "long"):
            answer.end()
        else:
            answer.abort()
        assert answer.gone

    async def main():
        async with serving(handler) as (_, port):
            reader, writer = await connect(port)
            writer.write(POST if how != "close" else b"GET / HTTP/1.0\r\n\r\n")
            if how == "close":
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            else:
                got = await reader.read()
                assert got.endswith(
                    {"nothing": b"", "long": b"content-length: 10\r\n\r\n"}.get(
                        how, b"error\n" + b"\r\n" * (how == "chunked")
                    )
                )
            writer.close()

    run(main())


def test_a_slow_reader_stops_its_producer_and_takes_no_memory():
    async def main():
        loop = asyncio.get_running_loop()
        marks = []
        written = 0

        def handler(request, answer):
            slow = False

            def on_slow(is_slow):
                nonlocal slow
                slow = is_slow
                marks.append((is_slow, written))
                if not slow:
                    produce()

            def produce():
                nonlocal written
                while not slow and written < 30_000_000:
                    answer.write(b"x" * 10_000)
                    written += 10_000
                if written >= 30_000_000:
                    answer.end()

            answer.on_slow = on_slow
            answer.head(200, b"", None)
            loop.call_soon(produce)

        async with serving(handler) as (_, port):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setblocking(False)
            await loop.sock_sendall(sock, POST)
            await asyncio.sleep(0.3)
            assert marks[-1][0]
            assert written < 20_000_000  # what the kernels' buffers take
            reader, writer = await asyncio.open_connection(sock=sock)
            assert len((await answer_of(reader))[2]) == 30_000_000
            writer.close()

    run(main())


def test_one_that_never_fetches_its_last_answer_is_dropped():
    def handler(request, answer):
        answer.send(200, b"", b"x" * 30_000_000)

    async def main():
        async with serving(handler) as (server, port):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(LAST)
            while not server.accepted:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                while server.connections:
                    await asyncio.sleep(0.05)
            sock.close()

    run(main())


def test_a_handler_that_raises_costs_one_answer():
    def handler(request, answer):
        if request.path == "/early":
            answer.head(200, b"", None)
        if request.path != "/fine":
            raise ValueError("secret")
        echo(request, answer)

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serving(handler) as (_, port):
            got = await exchange(port, b"GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 500")
            assert b"secret" not in got
            got = await exchange(port, b"GET /early HTTP/1.1\r\nHost: a\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 200")
            assert not got.endswith(b"0\r\n\r\n")
            assert (await exchange(port, LAST.replace(b"/v1/x", b"/fine"))).startswith(b"HTTP/1.1 200")

    run(main())


def test_draining_finishes_what_runs_and_closes_the_rest():
    held = []

    def handler(request, answer):
        if request.path == "/held":
            held.append(answer)
        else:
            echo(request, answer)

    async def main():
        async with serving(handler) as (server, port):
            idle, idle_writer = await connect(port)
            idle_writer.write(POST)
            await answer_of(idle)
            busy, busy_writer = await connect(port)
            busy_writer.write(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            new, new_writer = await connect(port)
            silent, silent_writer = await connect(port)
            while not held or server.connections < 4:
                await asyncio.sleep(0.001)
            server.drain()
            assert await idle.read() == b""
            new_writer.write(POST)
            status, headers, _ = await answer_of(new)
            assert (status, headers[b"connection"]) == (200, b"close")
            assert await new.read() == b""
            held[0].send(200, b"", b"done")
            _, headers, body = await answer_of(busy)
            assert (headers[b"connection"], body) == (b"close", b"done")
            assert await silent.read() == b""
            while server.connections:
                await asyncio.sleep(0.01)
            for writer in (idle_writer, busy_writer, new_writer, silent_writer):
                writer.close()

    run(main())


def test_over_tls():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def main():
        gone = asyncio.Event()

        def handler(request, answer):
            if request.path == "/held":
                answer.on_gone = gone.set
            else:
                echo(request, answer)

        async with serving(handler, ssl=context, body="10 kB") as (_, port):
            reader, writer = await connect(port, ssl=trusting, server_hostname="localhost")
            writer.write(POST + POST)
            assert (await answer_of(reader))[2] == b"/v1/x hello"
            assert (await answer_of(reader))[2] == b"/v1/x hello"
            writer.write(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.close()
            await gone.wait()
            reader, writer = await connect(port, ssl=trusting, server_hostname="localhost")
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n")
            assert (await answer_of(reader))[0] == 413
            writer.close()

    run(main())


PIECES = [
    *(b"GET ", b"POST ", b"/", b"/v1/x", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n", b"\n", b"\r", b"\0"),
    *(b"Host: a\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"Expect: 100-continue\r\n"),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"hello", POST, CHUNKED),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=8).map(b"".join), max_size=4),
    st.integers(0, 3),
)
def test_whatever_comes_nothing_fails_and_well_formed_requests_are_answered(parts, good):
    """`good` well-formed requests, then anything: the first are all answered, the rest closes or is answered."""
    failures = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: failures.append(context))

        def handler(request, answer):
            assert b"\0" not in b"".join(name + value for name, value in request.headers)
            if len(request.body) % 2:
                loop.call_soon(echo, request, answer)
            else:
                echo(request, answer)

        async with serving(handler, head_time=0.05, body_time=0.05, idle_time=0.05) as (server, port):
            reader, writer = await connect(port)
            writer.write(POST * good)
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0)
            for _ in range(good):
                assert (await answer_of(reader))[2] == b"/v1/x hello"
            rest = await reader.read()
            statuses = {int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", rest)}
            assert statuses <= {100, 200, 400, 408, 413, 431}
            writer.close()
            while server.connections:
                await asyncio.sleep(0.001)

    run(main())
    assert not failures
