"""The backends' side: framing, kept connections, faults of backends."""

import asyncio
import socket
import ssl

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.http.rig import Heard, backend, request_of, run, serving

from meritorder.problems import InputError
from meritorder.serve.http.client import Fault, FetchError, Upstream, fetch

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: B\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: B\r\n\r\n3\r\nhel\r\n2;e\r\nlo\r\n0\r\nX-Last:\r\n\r\n"
)
AFTER_1XX = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nX-H: h\r\n\r\n" + OK


def always(answer: bytes, *, times: int = 1000, reset: bool = False):
    """A backend that answers `times` requests of a connection with the same bytes and then closes."""

    async def script(reader, writer):
        for _ in range(times):
            await request_of(reader)
            writer.write(answer)
            await writer.drain()
        if reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()

    return script


def upstream(url: str, **more) -> Upstream:
    return Upstream(url, loop=asyncio.get_running_loop(), **more)


async def ask(to: Upstream, body: bytes = b"") -> Heard:
    heard = Heard()
    to.send(b"POST", b"/v1/x", b"", body, heard)
    await heard.over.wait()
    await asyncio.sleep(0.01)
    assert heard.ends == 1
    return heard


@pytest.mark.parametrize("size", [0, 5, 1_000_000])
def test_the_request_arrives_as_it_was_given(size):
    got = []

    async def script(reader, writer):
        got.append(await request_of(reader))
        writer.write(OK)
        await request_of(reader)

    async def main():
        async with backend(script) as (url, _):
            heard = Heard()
            to = upstream(url + "/base/")
            assert to.base == "/base"
            to.send(b"POST", b"/v1/x", b"x-one: 1\r\nx-two: 2\r\n", b"x" * size, heard)
            await heard.over.wait()
            assert (heard.status, heard.body, heard.fault) == (200, b"hello", None)
            assert heard.headers == [(b"content-length", b"5"), (b"x-a", b"B")]
            host = url.removeprefix("http://").encode()
            head = b"POST /base/v1/x HTTP/1.1\r\nhost: %b\r\nx-one: 1\r\nx-two: 2\r\ncontent-length: %d\r\n\r\n"
            assert got == [(head % (host, size), b"x" * size)]
            to.close()

    run(main())


def test_connections_are_kept_and_as_many_as_needed():
    async def main():
        async with backend(always(OK)) as (url, connections):
            to = upstream(url, most_idle=3)
            for _ in range(5):
                assert (await ask(to, b"x")).body == b"hello"
            assert len(connections) == 1
            assert all(heard.body == b"hello" for heard in await asyncio.gather(*(ask(to) for _ in range(6))))
            assert len(connections) == 6
            await asyncio.gather(*(ask(to) for _ in range(6)))  # three were kept
            assert len(connections) == 9
            to.close()

    run(main())


@pytest.mark.parametrize("answer", [OK, CHUNKED, AFTER_1XX])
def test_split_at_any_byte_it_is_the_same_answer(answer):
    async def main():
        at = 0

        async def script(reader, writer):
            nonlocal at
            while True:
                await request_of(reader)
                writer.write(answer[:at])
                await writer.drain()
                await asyncio.sleep(0.002)
                writer.write(answer[at:])

        async with backend(script) as (url, connections):
            to = upstream(url)
            for at in range(len(answer)):  # noqa: B007 the script reads it
                heard = await ask(to)
                assert (heard.status, heard.body, heard.fault) == (200, b"hello", None)
                assert dict(heard.headers)[b"x-a"] == b"B"
                assert b"x-last" not in dict(heard.headers)
                assert b"x-h" not in dict(heard.headers)
            assert len(connections) == 1
            to.close()

    run(main())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_connection_that_the_backend_does_not_keep_is_not_used_again(answer, body):
    keeps = b"204" in answer

    async def main():
        async with backend(always(answer)) as (url, connections):
            to = upstream(url)
            for _ in range(3):
                heard = await ask(to)
                assert (heard.body, heard.fault) == (body, None)
            assert len(connections) == (1 if keeps else 3)
            to.close()

    run(main())


def test_a_body_without_framing_ends_with_the_connection():
    async def main():
        async with backend(always(b"HTTP/1.1 200 OK\r\n\r\nhello", times=1)) as (url, _):
            heard = await ask(upstream(url))
            assert (heard.body, heard.fault) == (b"hello", None)
        async with backend(always(b"HTTP/1.1 200 OK\r\n\r\nhello", times=1, reset=True)) as (url, _):
            heard = await ask(upstream(url))
            assert heard.fault is Fault.CUT

    run(main())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", Fault.RESET),
        (b"HTT", Fault.CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Fault.CUT),
        (OK[:-1], Fault.CUT),
        (CHUNKED[:-1], Fault.CUT),
        (CHUNKED[:-30], Fault.CUT),
        (b"SSH-2.0-x\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nzz\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Fault.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000, Fault.MALFORMED),
    ],
)
def test_every_way_an_answer_can_fail_has_its_name(answer, fault):
    async def main():
        async with backend(always(answer, times=1)) as (url, connections):
            heard = await ask(upstream(url))
            assert heard.fault is fault
            assert len(connections) == 1

    run(main())


def test_a_reset_is_a_reset_or_a_cut():
    async def main():
        for answer, fault in ((b"", Fault.RESET), (OK[:-1], Fault.CUT)):
            async with backend(always(answer, times=1, reset=True)) as (url, _):
                assert (await ask(upstream(url))).fault is fault

    run(main())


def test_faults_of_connecting():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert (await ask(upstream(f"http://127.0.0.1:{port}"))).fault is Fault.REFUSED
        assert (await ask(upstream("http://nowhere.invalid"))).fault is Fault.DNS
        assert (await ask(upstream(f"http://{'x' * 70}.example"))).fault is Fault.DNS
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            # its queue of connections is full: the kernel lets further ones wait
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            to = upstream(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout_s=0.2)
            assert (await ask(to)).fault is Fault.CONNECT_TIMEOUT
            for one in waiting:
                one.close()

    run(main())


def test_an_address_that_was_found_once_is_used_while_dns_fails():
    class Loop:
        """The running loop, with a DNS of its own."""

        looked_up = 0
        works = True

        def __getattr__(self, name):
            return getattr(asyncio.get_running_loop(), name)

        async def getaddrinfo(self, host, port, **more):
            self.looked_up += 1
            await asyncio.sleep(0)
            if not self.works:
                raise socket.gaierror("down")
            # nobody listens at the first
            return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.9", "127.0.0.1")]

    async def main():
        loop = Loop()
        async with backend(always(OK, times=1)) as (url, connections):
            to = Upstream(url.replace("localhost", "somewhere.example"), loop=loop)
            assert all(heard.body == b"hello" for heard in await asyncio.gather(*(ask(to) for _ in range(5))))
            assert loop.looked_up == 1
            loop.works = False
            to._resolved_until = 0.0
            assert (await ask(to)).body == b"hello"
            assert loop.looked_up == 2
            assert len(connections) == 6

    run(main())


def test_dns_that_hangs_stops_nobody_whose_address_is_known():
    class Loop:
        """The running loop, with a DNS of its own."""

        looked_up = 0
        hangs = False
        address = "127.0.0.9"  # nobody listens there

        def __getattr__(self, name):
            return getattr(asyncio.get_running_loop(), name)

        async def getaddrinfo(self, host, port, **more):
            self.looked_up += 1
            address = self.address
            while self.hangs:
                await asyncio.sleep(0.01)
            return [(0, 0, 0, "", (address, port))]

    async def main():
        loop = Loop()
        async with backend(always(OK, times=1)) as (url, _):
            to = Upstream(url.replace("localhost", "somewhere.example"), loop=loop, connect_timeout_s=0.5)
            loop.hangs = True
            assert {heard.fault for heard in await asyncio.gather(ask(to), ask(to))} == {Fault.CONNECT_TIMEOUT}
            assert (await ask(to)).fault is Fault.CONNECT_TIMEOUT
            assert loop.looked_up == 1, "who waits in vain does not leave one behind each time"
            loop.hangs = False
            await asyncio.sleep(0.05)
            loop.address = "127.0.0.1"
            assert (await ask(to)).fault is Fault.REFUSED  # and so it is looked up again
            await ask(to)
            assert (await ask(to)).body == b"hello"
            loop.hangs = True
            to._resolved_until = 0.0
            looked_up = loop.looked_up
            async with asyncio.timeout(0.3):
                assert [(await ask(to)).body for _ in range(5)] == [b"hello"] * 5
            assert loop.looked_up == looked_up + 1
            loop.hangs = False
            await asyncio.sleep(0.05)

    run(main())


def test_a_kept_connection_found_closed_costs_nothing():
    async def main():
        async with backend(always(OK, times=1)) as (url, connections):
            to = upstream(url)
            for expected in (1, 2, 3):  # closed after each answer, without saying so
                heard = await ask(to)
                assert heard.body == b"hello"
                assert len(connections) == expected

        async def closes_on_second(reader, writer):
            await request_of(reader)
            writer.write(OK)
            await request_of(reader)

        async with backend(closes_on_second) as (url, connections):
            to = upstream(url)
            for _ in range(3):  # closed after the request went out
                heard = await ask(to, b"body")
                assert (heard.body, heard.fault) == (b"hello", None)
            assert len(connections) == 3
            to.close()

    run(main())


def test_a_request_is_sent_a_second_time_only_once_and_not_after_closing():
    async def main():
        asked = 0
        held = asyncio.Event()

        async def script(reader, writer):
            nonlocal asked
            await request_of(reader)
            asked += 1
            if asked == 1:
                writer.write(OK)
                await request_of(reader)
                asked += 1
                held.set()

        async with backend(script) as (url, _):
            to = upstream(url)
            await ask(to)
            assert (await ask(to)).fault is Fault.RESET
            assert asked == 3
            asked = 0
            held.clear()
            await ask(to)
            heard = Heard()
            to.send(b"POST", b"/", b"", b"", heard)
            to.close()
            await heard.over.wait()
            assert heard.fault is Fault.STALE

    run(main())


def test_surplus_bytes_are_never_taken_for_the_next_answer():
    async def main():
        for surplus in (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"H", b"junk"):
            async with backend(always(OK + surplus)) as (url, connections):
                to = upstream(url)
                for _ in range(3):
                    assert (await ask(to)).body == b"hello"
                assert len(connections) == 3

        async def late(reader, writer):
            await request_of(reader)
            writer.write(OK)
            await asyncio.sleep(0.005)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await reader.read()

        async with backend(late) as (url, _):
            to = upstream(url)
            for _ in range(3):
                assert (await ask(to)).body == b"hello"
                await asyncio.sleep(0.02)

    run(main())


@pytest.mark.parametrize("when", ["connecting", "sent", "head", "data", "ended"])
def test_cancelling_closes_the_connection_and_silences_the_sink(when):
    async def main():
        closed = asyncio.Event()

        async def script(reader, writer):
            while True:
                await request_of(reader)
                if when == "ended":
                    writer.write(OK)
                elif when != "sent":
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
                if when != "ended":
                    assert await reader.read() == b""
                    closed.set()
                    return

        class Cancelling(Heard):
            def on_head(self, status, headers):
                super().on_head(status, headers)
                if when == "head":
                    call.cancel()

            def on_data(self, data):
                assert when != "head"
                super().on_data(data)
                if when == "data":
                    call.cancel()

        async with backend(script) as (url, connections):
            to = upstream(url)
            heard = Cancelling()
            call = to.send(b"POST", b"/", b"", b"x", heard)
            if when == "connecting":
                call.cancel()
                await asyncio.sleep(0.05)
                assert heard.ends == 0
                return
            if when == "sent":
                while not connections:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.01)
                call.cancel()
            if when == "ended":
                await heard.over.wait()
                call.cancel()  # does nothing
                assert (await ask(to)).body == b"hello"
                assert len(connections) == 1
            else:
                await closed.wait()
                await asyncio.sleep(0.02)
                assert heard.ends == 0
            call.pause()
            call.resume()
            call.cancel()
            to.close()

    run(main())


def test_the_sink_may_send_its_next_request_when_the_first_has_ended():
    async def main():
        done = asyncio.Event()

        class Again(Heard):
            def __init__(self, left):
                super().__init__()
                self.left = left

            def on_end(self):
                super().on_end()
                assert self.body == b"hello"
                if self.left:
                    to.send(b"GET", b"/", b"", b"", Again(self.left - 1))
                else:
                    done.set()

        async with backend(always(OK)) as (url, connections):
            to = upstream(url)
            to.send(b"GET", b"/", b"", b"", Again(20))
            await done.wait()
            assert len(connections) == 1
            to.close()

    run(main())


def test_pausing_holds_the_backend_back():
    async def main():
        written = 0

        async def script(reader, writer):
            nonlocal written
            while True:
                await request_of(reader)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n")
                for _ in range(300):
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    written += 100_000

        async with backend(script) as (url, connections):
            to = upstream(url)
            heard = Heard()
            call = to.send(b"GET", b"/", b"", b"", heard)
            call.pause()  # before it is connected, too
            await asyncio.sleep(0.2)
            assert not heard.parts
            call.resume()
            await heard.some.wait()
            call.pause()
            got = len(heard.body)
            await asyncio.sleep(0.2)
            assert len(heard.body) == got
            assert written < 25_000_000  # what the kernels' buffers take
            call.resume()
            await heard.over.wait()
            assert len(heard.body) == 30_000_000

            class PausedAtTheEnd(Heard):
                def on_data(self, data):
                    super().on_data(data)
                    if len(self.body) == 30_000_000:
                        last.pause()

            heard = PausedAtTheEnd()
            last = to.send(b"GET", b"/", b"", b"", heard)
            await heard.over.wait()
            assert len((await ask(to)).body) == 30_000_000  # the connection reads on for the next
            assert len(connections) == 1
            to.close()

    run(main())


def test_over_tls_the_backend_must_prove_its_name():
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    misnamed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(misnamed)

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # refused handshakes
        with authority.cert_pem.tempfile() as ca, other.cert_pem.tempfile() as wrong:
            async with backend(always(OK), ssl=context) as (url, connections):
                to = upstream(url, ca=ca)
                for _ in range(2):
                    assert (await ask(to)).body == b"hello"
                assert len(connections) == 1
                to.close()
                assert (await ask(upstream(url, ca=wrong))).fault is Fault.TLS
                assert (await ask(upstream(url))).fault is Fault.TLS
            async with backend(always(OK), ssl=misnamed) as (url, _):
                assert (await ask(upstream(url, ca=ca))).fault is Fault.TLS
            async with backend(always(OK[:-1], times=1), ssl=context) as (url, _):
                assert (await ask(upstream(url, ca=ca))).fault is Fault.CUT
            async with backend(always(OK)) as (url, _):  # speaks no TLS
                assert (await ask(upstream(url.replace("http:", "https:"), ca=ca, connect_timeout_s=1.0))).fault in (
                    Fault.TLS,
                    Fault.CONNECT_TIMEOUT,
                )

    run(main())


@pytest.mark.parametrize("url", ["http://a:99999", "http://a:b", "http://:80", "http://[::1"])
def test_an_impossible_address_is_told(url):
    async def main():
        with pytest.raises(InputError, match="not an address"):
            upstream(url)

    run(main())


def test_a_missing_list_of_authorities_is_told():
    async def main():
        with pytest.raises(InputError, match="nowhere"):
            upstream("https://localhost", ca="nowhere.pem")

    run(main())


def test_fetch_gives_one_whole_answer_or_says_why_not():
    async def main():
        async with backend(always(CHUNKED)) as (url, _):
            to = upstream(url)
            status, headers, body = await fetch(to, b"GET", b"/metrics")
            assert (status, dict(headers)[b"x-a"], body) == (200, b"B", b"hello")
            with pytest.raises(FetchError) as info:
                await fetch(to, b"GET", b"/metrics", most=4)
            assert info.value.fault is Fault.MALFORMED
            to.close()
        async with backend(always(b"")) as (url, _):
            with pytest.raises(TimeoutError):
                await fetch(upstream(url), b"GET", b"/", timeout_s=0.1)
        async with backend(always(OK[:-1], times=1)) as (url, _):
            with pytest.raises(FetchError) as info:
                await fetch(upstream(url), b"GET", b"/")
            assert info.value.fault is Fault.CUT

    run(main())


PIECES = [
    *(OK, CHUNKED, AFTER_1XX, OK[:-2], CHUNKED[:-5], b"HTTP/1.1 200 OK\r\n", b"\r\n", b"\0", b"\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=8))
def test_whatever_a_backend_says_every_call_ends_once(pieces):
    failures = []

    async def script(reader, writer):
        await request_of(reader)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        async with backend(script) as (url, _):
            to = upstream(url)
            for _ in range(2):
                await ask(to)
            to.close()

    run(main())
    assert not failures


def test_it_speaks_with_our_own_server():
    def handler(request, answer):
        answer.head(200, b"", None)
        answer.write(request.method)
        answer.write(request.body)
        answer.end()

    async def main():
        async with serving(handler) as (server, port):
            to = upstream(f"http://127.0.0.1:{port}")
            for size in (0, 1, 20_000, 3_000_000):
                assert (await ask(to, b"x" * size)).body == b"POST" + b"x" * size
            assert server.accepted == 1
            to.close()

    run(main())
