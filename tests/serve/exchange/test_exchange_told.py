"""What clients are told when there is no answer: the truth, and when to come again. And who is no client at all."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import pytest
from tests.serve.exchange.rig import Rig, rig, wait_for
from tests.serve.fake_backend import Act, FakeBackend

Pair = tuple[Rig, list[FakeBackend]]
OWN_POOLS = """
  chat: {model: llama-3.1-8b, live: {deadlines: {first_token: 400 ms, token: 300 ms, answer: 5 s}}}
  first: {model: llama-3.1-8b, pools: [p0]}
"""


@pytest.fixture
def two():
    with rig(2) as pair:
        yield pair


def test_an_api_that_no_pool_of_the_service_has_is_not_there() -> None:
    with rig(2, kinds=["cerebras", "vllm"], services=OWN_POOLS) as (gateway, fakes):
        ask = {"model": "first", "max_tokens": 2, "messages": [{"role": "user", "content": "a"}]}
        reply = gateway.post("/v1/messages", ask)
        assert reply.status == 404
        assert "/v1/messages" in reply.json["error"]["message"]
        assert "retry-after" not in reply.headers
        assert gateway.post("/v1/messages", ask | {"model": "chat"}).status == 200
        assert [len(fake.requests) for fake in fakes] == [0, 1]


def test_the_wait_is_that_of_the_services_own_pools() -> None:
    with rig(2, services=OWN_POOLS) as (gateway, _):
        gateway.on_loop(lambda: [gateway.backends[i].throttled(wait) for i, wait in ((0, 30.0), (1, 5.0))])
        ask = {"model": "first", "messages": []}
        reply = gateway.post("/v1/chat/completions", ask)
        assert (reply.status, reply.headers["retry-after"]) == (429, "30")
        assert gateway.chat().headers["retry-after"] == "5"


def test_the_wait_for_a_backend_that_failed_is_until_it_is_asked_again(two: Pair) -> None:
    gateway, _ = two

    def eject() -> None:
        for backend, wait in zip(gateway.backends, (0.0, 7.0), strict=True):
            backend.health.eject(gateway.loop.time() + wait, "worse than its peers")

    gateway.on_loop(eject)
    reply = gateway.chat()
    assert reply.status == 503
    assert 29 <= int(reply.headers["retry-after"]) <= 30


def test_the_wait_where_nobody_can_serve_well_is_that_for_the_first_end(two: Pair, monkeypatch: Any) -> None:
    from meritorder.serve.books.dispatcher import NoPlace

    gateway, fakes = two
    fakes[0].usual = Act("ok", first_s=0.1, token_s=0.2, tokens=12)
    client = threading.Thread(target=lambda: gateway.chat(stream=True))
    client.start()
    wait_for(lambda: gateway.in_books() == 1)

    def told(now: float) -> int:
        gateway.on_loop(lambda: gateway.gateway._room.clear())
        gateway.gateway.now = lambda: now
        return int(gateway.chat().headers["retry-after"])

    place, clock = gateway.dispatcher.place, gateway.gateway.now
    gateway.dispatcher.place = lambda *_: NoPlace.SHED
    began = clock()
    assert told(began + 0.2) == 1
    assert told(began + 42.0) in (42, 43)
    gateway.dispatcher.place, gateway.gateway.now = place, clock
    client.join()


def test_health_is_that_of_all_workers(two: Pair) -> None:
    gateway, _ = two
    gateway.on_loop(lambda: [gateway.dispatcher.usable(i, False) for i in (0, 1)])  # as another worker found
    assert gateway.get("/health").status == 503
    gateway.on_loop(lambda: gateway.dispatcher.usable(1, True))
    assert gateway.get("/health").status == 200


# web pages of elsewhere


BODY = b'{"model": "chat", "messages": []}'


def send(gateway: Rig, headers: dict[str, str], method: str = "POST", path: str = "/v1/chat/completions") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=15)
    connection.putrequest(method, path, skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    body = BODY if method == "POST" else b""
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


JSON = {"content-type": "application/json"}
OWN = {"host": "localhost:8000"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN | JSON, 200),
        ({"host": "127.0.0.1:1"} | JSON, 200),
        ({"host": "[::1]:8000"} | JSON, 200),
        (OWN | JSON | {"origin": "http://localhost:8000"}, 200),
        (OWN | {"content-type": "Application/JSON ; charset=utf-8"}, 200),
        (OWN, 415),
        (OWN | {"content-type": "text/plain"}, 415),
        (OWN | {"content-type": "text/plain;charset=json"}, 415),
        (OWN | {"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"host": "evil.example"} | JSON, 403),
        (OWN | JSON | {"origin": "http://evil.example"}, 403),
        (OWN | JSON | {"origin": "null"}, 403),
        (OWN | {"origin": "http://evil.example"}, 403),
        (OWN | JSON | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
    ],
    ids=str,
)
def test_web_pages_of_elsewhere_are_kept_out_of_loopback(two: Pair, headers: dict[str, str], status: int) -> None:
    gateway, fakes = two
    for _ in range(2):  # the second time the head is known
        assert send(gateway, headers) == status
    assert len(fakes[0].requests) == (2 if status == 200 else 0)


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/openapi.json"])
def test_and_so_they_can_read_nothing(two: Pair, path: str) -> None:
    assert send(two[0], {"host": "evil.example"}, "GET", path) == 403
    assert send(two[0], OWN, "GET", path) == 200


@pytest.mark.parametrize(("more", "status"), [("listen: '0.0.0.0:8000'", 200), ("keys: required", 401)])
def test_a_port_with_other_guards_has_any_name(more: str, status: int) -> None:
    with rig(1, more=f"gateway: {{{more}}}") as (gateway, _):
        assert send(gateway, {"host": "api.example"} | JSON) == status
