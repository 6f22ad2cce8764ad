"""Heads that come again are recognised, and nothing else is taken for them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.http.rig import Heard, answer_of, backend, connect, request_of, run, serving

from meritorder.serve.http.client import Upstream
from meritorder.serve.http.known import know

HEAD = b"POST /%%41 HTTP/1.1\r\nhost: a\r\nContent-Length: %d\r\nx-one: 50%%\r\n\r\n"


def message(body: bytes) -> bytes:
    return HEAD % len(body) + body


@given(first=st.binary(min_size=1, max_size=2000), then=st.binary(min_size=1, max_size=2000))
def test_the_next_message_of_as_many_digits_is_recognised(first: bytes, then: bytes) -> None:
    known = know(message(first), first, "parsed")
    assert known is not None
    assert known.parsed == "parsed"
    same = len(str(len(first))) == len(str(len(then)))
    assert known.body(message(then)) == (then if same else None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message(b"x" * 99)[:-1],
        message(b"x" * 99) + b"x",
        message(b"x" * 99) + message(b"x" * 99),
        b"\r\n" + message(b"x" * 99),
        message(b"x" * 99).replace(b"x-one", b"x-two"),
        message(b"x" * 99).replace(b": 99", b": 98"),
        message(b"x" * 99).replace(b": 99", b":+99"),
        message(b"x" * 99).replace(b": 99", b": 9_9"),
        message(b"x" * 99).replace(b": 99", b": 099"),
        message(b"x" * 99).replace(b": 99", b": 100"),
        message(b"x" * 100),
        message(b"x" * 9),
        HEAD % 99 + b"x" * 100,
        HEAD % 100 + b"x" * 99,
    ],
)
def test_nothing_else_is_recognised(data: bytes) -> None:
    known = know(message(b"y" * 42), b"y" * 42, None)
    assert known is not None
    assert known.body(data) is None


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (message(b"hello") + b"G", b"hello"),
        (b"\r\n\r\n" + message(b"hello"), b"hello"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", b"x"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", b"x"),
        (b"POST / HTTP/1.1\r\nhost: a\r\n\r\n", b""),
    ],
)
def test_what_is_more_than_one_plain_message_is_not_learned(data: bytes, body: bytes) -> None:
    assert know(data, body, None) is None


BODIES = st.lists(st.tuples(st.binary(max_size=1100), st.booleans(), st.integers(0, 1300)), min_size=2, max_size=8)


@settings(max_examples=40, deadline=None)
@given(BODIES)
def test_requests_of_a_kept_connection_arrive_as_they_were_sent(sent: list[tuple[bytes, bool, int]]) -> None:
    async def main() -> None:
        seen = []

        def handler(request, answer):
            seen.append((request.path, request.header(b"x-one"), request.body))
            answer.send(200, b"", request.body)

        async with serving(handler) as (_, port):
            reader, writer = await connect(port)
            for body, other, cut in sent:
                data = message(body).replace(b"50%", b"51%") if other else message(body)
                writer.write(data[:cut])
                if cut < len(data):
                    await writer.drain()
                    writer.write(data[cut:])
                assert (await answer_of(reader))[2] == body
            writer.close()
        assert seen == [("/A", b"51%" if other else b"50%", body) for body, other, _ in sent]

    run(main())


def test_a_byte_between_two_requests_is_not_overlooked() -> None:
    async def main() -> None:
        async with serving(lambda request, answer: answer.send(200, b"", b"")) as (_, port):
            reader, writer = await connect(port)
            for data, status in ((message(b"x"), 200), (message(b"x") + b"X", 200), (message(b"x"), 400)):
                writer.write(data)
                assert (await answer_of(reader))[0] == status
            writer.close()

    run(main())


def test_answers_of_any_length_and_date_are_told_apart() -> None:
    async def main() -> None:
        sizes = [5, 7, 12, 12, 0, 3, 1000, 4]

        async def script(reader, writer):
            for number, size in enumerate(sizes):
                await request_of(reader)
                date = b"date: %d\r\n" % (number // 2)
                writer.write(b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (date, size, b"x" * size))
            await reader.read()

        async with backend(script) as (url, connections):
            to = Upstream(url, loop=asyncio.get_running_loop())
            for number, size in enumerate(sizes):
                heard = Heard()
                to.send(b"POST", b"/", b"", b"hello", heard)
                await heard.over.wait()
                assert (heard.fault, heard.status, len(heard.body)) == (None, 200, size)
                assert (b"date", b"%d" % (number // 2)) in heard.headers
            assert len(connections) == 1
            to.close()

    run(main())
