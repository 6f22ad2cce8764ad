"""Backends that fail: the client gets a whole answer from another one, or an error that nobody takes for an answer."""

from __future__ import annotations

import time

import pytest
from tests.serve.exchange.rig import Reply, Rig, rig, wait_for, words
from tests.serve.fake_backend import Act, FakeBackend

Pair = tuple[Rig, list[FakeBackend]]
WHOLE = words(0, 8)
NARROW = """
  chat: {model: llama-3.1-8b, live: {queue: {most: 2, time: 1 s}, deadlines: {first_token: 3 s, answer: 5 s}}}
"""
REPEATED = {
    "500": Act("status", status=500),
    "502 in HTML": Act("status", status=502, body=b"<html>bad gateway"),
    "refuses our key": Act("status", status=401),
    "redirects": Act("status", status=302, headers=(("location", "/x"),)),
    "closes": Act("die-before"),
    "no HTTP": Act("garbage"),
}
FOR_WHOLE = {
    "cut": Act("die-mid"),
    "wrong length": Act("wrong-length"),
    "half JSON": Act("truncate"),
    "no JSON": Act("bad-json"),
    "error in 200": Act("error-event"),
}
FOR_STREAMS = {
    "frozen": Act("freeze-before"),
    "frozen after its head": Act("freeze-head"),
    "no SSE at once": Act("bad-sse", after=0),
    "error at once": Act("error-event", after=0),
    "no JSON at once": Act("bad-json", after=0),
    "ends at once": Act("truncate", after=0),
    "ends in its first event": Act(
        "status", status=200, body=b'data: {"id":', headers=(("content-type", "text/event-stream"),)
    ),
}
IN_MID_STREAM = {
    "cut": Act("die-mid", after=3, token_s=0.01),
    "cut within an event": Act("die-mid", after=3, split=50),
    "frozen": Act("freeze-mid", after=3),
    "ends early": Act("truncate", after=3),
    "no SSE": Act("bad-sse", after=3),
    "no JSON": Act("bad-json", after=3),
    "error event": Act("error-event", after=3, token_s=0.01),
    "chunk cut": Act("wrong-length", after=3),
    "all in one write": Act("error-event", after=3, burst=True),
    "after its role": Act("die-mid", after=0),
}


@pytest.fixture
def two():
    with rig(2) as pair:
        yield pair


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("act", REPEATED.values(), ids=REPEATED)
def test_before_the_first_byte_another_backend_is_asked(two: Pair, act: Act, stream: bool) -> None:
    _repeated(two, act, stream)


@pytest.mark.parametrize("act", FOR_WHOLE.values(), ids=FOR_WHOLE)
def test_half_of_an_answer_is_none(two: Pair, act: Act) -> None:
    _repeated(two, act, stream=False)


@pytest.mark.parametrize("act", FOR_STREAMS.values(), ids=FOR_STREAMS)
def test_a_stream_that_does_not_begin_is_begun_elsewhere(two: Pair, act: Act) -> None:
    _repeated(two, act, stream=True)


def _repeated(two: Pair, act: Act, stream: bool) -> None:
    gateway, fakes = two
    fakes[0].acts.append(act)
    reply = gateway.chat(stream=stream)
    assert (reply.status, reply.cut) == (200, False)
    assert reply.text == WHOLE
    assert [len(fake.requests) for fake in fakes] == [1, 1]
    assert fakes[0].requests[0].json | {"model": ""} == fakes[1].requests[0].json | {"model": ""}
    account = gateway.account()
    assert account.outcome == "ok"
    assert account.pool == 1
    # a role is no answer yet, but it may have gone out
    assert account.retries + account.continued == 1
    assert gateway.backends[0].health.recent.bad == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("api", ["chat/completions", "completions"])
@pytest.mark.parametrize("kinds", [["vllm", "vllm"], ["llama-cpp", "llama-cpp"]], ids=["vllm", "llama-cpp"])
@pytest.mark.parametrize("act", IN_MID_STREAM.values(), ids=IN_MID_STREAM)
def test_a_broken_stream_goes_on_elsewhere_as_one(act: Act, kinds: list[str], api: str) -> None:
    with rig(2, kinds=kinds) as (gateway, fakes):
        fakes[0].acts.append(act)
        ask = {
            "model": "chat", "messages": [{"role": "user", "content": "count"}], "prompt": "count: ", "stream": True,
            "max_tokens": 8, "stream_options": {"include_usage": True},
        }  # fmt: skip
        reply = gateway.post(f"/v1/{api}", ask)
        _is_one_stream(reply)
        usage = reply.chunks[-1]["usage"]
        assert usage["completion_tokens"] == 8
        assert usage["total_tokens"] == usage["prompt_tokens"] + 8
        account = gateway.account()
        assert (account.outcome, account.output_tokens) == ("ok", 8)
        assert account.continued + account.retries == 1
        if account.continued and act.after:
            assert fakes[1].requests[0].json["max_tokens"] == 5
        assert fakes[0].requests[0].json["max_tokens"] == 8


def _is_one_stream(reply: Reply) -> None:
    assert (reply.status, reply.cut) == (200, False)
    assert reply.text == WHOLE
    assert reply.events[-1] == b"[DONE]"
    assert reply.events.count(b"[DONE]") == 1
    chunks = reply.chunks
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert len({chunk["model"] for chunk in chunks}) == 1
    roles = [c["delta"]["role"] for chunk in chunks for c in chunk["choices"] if "role" in c.get("delta", {})]
    assert len(roles) <= 1
    finishes = [c["finish_reason"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]]
    assert finishes == ["length"]


def test_a_stream_can_be_taken_up_twice() -> None:
    with rig(3) as (gateway, fakes):
        fakes[0].acts.append(Act("die-mid", after=3))
        fakes[1].acts.append(Act("freeze-mid", after=2))
        _is_one_stream(gateway.chat(stream=True))
        assert gateway.account().continued == 2
        told = fakes[2].requests[0].json["messages"][-1]
        assert told == {"role": "assistant", "content": words(0, 5).rstrip()}


@pytest.mark.parametrize("act", [Act("status", status=400), Act("status", status=200), Act("die-before")])
def test_who_cannot_take_up_a_stream_is_passed_over(act: Act) -> None:
    with rig(3) as (gateway, fakes):
        fakes[0].acts.append(Act("die-mid", after=3, token_s=0.01))
        fakes[1].acts.append(act)
        _is_one_stream(gateway.chat(stream=True))
        assert [len(fake.requests) for fake in fakes] == [1, 1, 1]


def test_busy_backends_cost_no_tries() -> None:
    with rig(6) as (gateway, fakes):
        for fake in fakes[:5]:
            fake.usual = Act("status", status=429)
        assert gateway.chat().text == WHOLE


def test_a_client_that_leaves_while_it_waits_is_forgotten() -> None:
    import json
    import socket

    with rig(1, services=NARROW) as (gateway, fakes):
        fakes[0].usual = Act(first_s=0.5, tokens=1)
        gateway.on_loop(lambda: gateway.dispatcher.most(0, 1))
        ask = json.dumps({"model": "chat", "messages": []}).encode()
        clients = []
        for waiting in (0, 1):
            client = socket.create_connection(("127.0.0.1", gateway.port))
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ask), ask)
            )
            clients.append(client)
            wait_for(lambda count=waiting: gateway.gateway.in_flight == count + 1)
        wait_for(lambda: gateway.admission.waiting(0) == 1)
        clients[1].close()
        account = gateway.account()
        assert (account.outcome, account.placed) == ("cancelled", 0)
        assert gateway.admission.waiting(0) == 0
        assert clients[0].recv(12) == b"HTTP/1.1 200"
        clients[0].close()
        assert len(fakes[0].requests) == 1


CANNOT = {
    "tools": {"tools": [{"type": "function", "function": {"name": "f"}}]},
    "two choices": {"n": 2},
    "logprobs": {"logprobs": True},
    "format": {"response_format": {"type": "json_object"}},
    "its own beginning": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
}


@pytest.mark.parametrize("more", CANNOT.values(), ids=CANNOT)
def test_what_cannot_go_on_ends_in_an_error(two: Pair, more: dict[str, object]) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("die-mid", after=3))
    reply = gateway.chat(stream=True, **more)
    assert reply.text == words(0, 3)
    assert reply.cut
    assert reply.error["code"] == "backend_failed"
    assert b"[DONE]" not in reply.events
    assert fakes[1].requests == []
    account = gateway.account()
    assert (account.outcome, account.output_tokens, account.status) == ("broken", 3, 200)


@pytest.mark.parametrize("path", ["messages", "responses"])
def test_other_apis_end_in_their_own_error(two: Pair, path: str) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("truncate", after=3))
    ask = {"model": "chat", "messages": [], "input": "a", "max_tokens": 9, "stream": True}
    reply = gateway.post(f"/v1/{path}", ask)
    assert reply.cut
    assert reply.body.count(b"event: error\n") == 1
    assert reply.chunks[-1]["type"] == "error"
    assert gateway.account().outcome == "broken"


def test_a_kind_that_cannot_continue_chats_is_not_asked_to() -> None:
    with rig(3, kinds=["vllm", "openai", "sglang"]) as (gateway, fakes):
        fakes[0].acts.append(Act("die-mid", after=3))
        _is_one_stream(gateway.chat(stream=True))
        assert [len(fake.requests) for fake in fakes] == [1, 0, 1]


def test_a_stream_that_lacks_only_its_end_gets_it(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("die-mid", after=8))
    reply = gateway.chat(stream=True, max_tokens=8)
    _is_one_stream(reply)
    assert fakes[1].requests == []


def test_an_end_without_its_mark_gets_it(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("no-done"))
    _is_one_stream(gateway.chat(stream=True))
    assert fakes[1].requests == []
    assert gateway.account().outcome == "ok"


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_requests_own_fault_passes_untouched(two: Pair, status: int) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("status", status=status, body=b'{"no": "good"}'))
    reply = gateway.chat()
    assert (reply.status, reply.body) == (status, b'{"no": "good"}')
    assert fakes[1].requests == []
    assert gateway.backends[0].health.recent.bad == 0


def test_a_404_is_asked_for_elsewhere_and_else_passed_on(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("status", status=404, body=b"{}"))
    assert gateway.chat().text == WHOLE
    for fake in fakes:
        fake.usual = Act("status", status=404, body=b'{"no": 1}')
    reply = gateway.chat()
    assert (reply.status, reply.body) == (404, b'{"no": 1}')


def test_a_busy_backend_is_left_alone(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("status", status=429, headers=(("retry-after", "30"),)))
    assert gateway.chat().text == WHOLE
    assert gateway.chat().text == WHOLE
    assert [len(fake.requests) for fake in fakes] == [1, 2]
    assert gateway.backends[0].health.recent.bad == 0


def test_when_all_are_busy_the_client_is_told_until_when(two: Pair) -> None:
    gateway, fakes = two
    for fake in fakes:
        fake.usual = Act("status", status=503, headers=(("retry-after", "7"),))
    reply = gateway.chat()
    assert reply.status == 429
    assert 6 <= int(reply.headers["retry-after"]) <= 7
    later = gateway.chat()  # nobody is asked
    assert later.status == 429
    assert int(later.headers["retry-after"]) <= 7
    assert [len(fake.requests) for fake in fakes] == [1, 1]


def test_when_all_fail_the_client_gets_an_honest_error(two: Pair) -> None:
    gateway, fakes = two
    for fake in fakes:
        fake.usual = Act("status", status=500, body=b"secret traceback")
    for stream in (False, True):
        reply = gateway.chat(stream=stream)
        assert reply.status == 502
        assert reply.error["type"] == "server_error"
        assert b"secret" not in reply.body
    account = gateway.account()
    assert (account.outcome, account.retries) == ("failed", 2)
    assert "500" in account.why


def test_all_backends_gone(two: Pair) -> None:
    gateway, fakes = two
    for fake in fakes:
        fake.stop()
    began = time.monotonic()
    statuses = {gateway.chat().status for _ in range(8)}
    assert statuses <= {502, 503}
    assert 503 in statuses  # the circuit is open by then
    assert time.monotonic() - began < 5


def test_one_more_try_where_nobody_else_is_left() -> None:
    with rig(1) as (gateway, fakes):
        fakes[0].acts.append(Act("die-before"))
        assert gateway.chat().text == WHOLE
        fakes[0].acts.append(Act("freeze-before"))
        assert gateway.chat(stream=True).status == 504
        assert len(fakes[0].requests) == 3


SHORT = """
  chat: {model: llama-3.1-8b, live: {deadlines: {first_token: 200 ms, token: 200 ms, answer: 700 ms}}}
"""


def test_no_answer_takes_longer_than_its_deadline() -> None:
    with rig(2, services=SHORT) as (gateway, fakes):
        for fake in fakes:
            fake.usual = Act(first_s=0.05, token_s=0.05, tokens=100)
        began = time.monotonic()
        assert gateway.chat().status == 504
        assert time.monotonic() - began < 1.2
        reply = gateway.chat(stream=True)
        assert (reply.cut, reply.error["code"]) == (True, "deadline_exceeded")
        assert time.monotonic() - began < 2.4


def test_a_whole_answer_is_fetched_elsewhere_from_a_backend_found_dead() -> None:
    with rig(2) as (gateway, fakes):
        fakes[0].usual = Act("freeze-before")
        gateway.on_loop(lambda: [gateway.backends[0].failed("told so") for _ in range(2)])
        # the third failure is this one's own neighbour, found by its token deadline
        import threading

        streaming = threading.Thread(target=lambda: gateway.chat(stream=True))
        streaming.start()
        assert gateway.chat().text == WHOLE
        streaming.join()


def test_a_whole_answer_is_fetched_elsewhere_from_one_that_is_silent_also_to_a_look(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].mute = True
    began = time.monotonic()
    assert gateway.chat().text == WHOLE
    assert time.monotonic() - began < 2.0
    assert "frozen" in gateway.backends[0].health.why or gateway.account().retries == 1


def test_a_long_whole_answer_is_waited_for(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act(first_s=2.0))  # longer than the deadlines of first token and token
    assert gateway.chat().text == WHOLE
    assert fakes[1].requests == []


def test_a_frozen_body_is_fetched_elsewhere(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("freeze-mid"))
    assert gateway.chat().text == WHOLE
    assert "frozen" in gateway.account().why or gateway.account().retries == 1


def test_an_error_of_the_client_in_a_stream_reaches_it(two: Pair) -> None:
    gateway, fakes = two
    event = b'data: {"error":{"message":"too long","type":"BadRequestError","code":400}}\n\ndata: [DONE]\n\n'
    stream = (("content-type", "text/event-stream"),)
    fakes[0].acts.append(Act("status", status=200, body=event, headers=stream))
    reply = gateway.chat(stream=True)
    assert reply.body == event
    assert fakes[1].requests == []


HEDGED = """
  chat: {model: llama-3.1-8b, live: {hedging: 1.0, deadlines: {first_token: 2 s, token: 300 ms, answer: 5 s}}}
"""


def test_a_late_first_token_is_hedged_and_the_loser_cancelled() -> None:
    with rig(2, services=HEDGED) as (gateway, fakes):
        fakes[0].usual = Act(first_s=1.5)
        began = time.monotonic()
        reply = gateway.chat(stream=True)
        assert reply.text == WHOLE
        assert time.monotonic() - began < 0.8
        account = gateway.account()
        assert (account.hedged, account.pool, account.retries) == (True, 1, 0)
        wait_for(lambda: len(fakes[0].cut_at) == 1)


def test_one_of_a_hedged_pair_may_fail() -> None:
    with rig(2, services=HEDGED) as (gateway, fakes):
        fakes[0].usual = Act(first_s=0.4)
        fakes[1].usual = Act("status", status=500)
        assert gateway.chat(stream=True).text == WHOLE
        assert gateway.account().pool == 0


def test_hedges_keep_to_their_budget() -> None:
    with rig(2, services=HEDGED.replace("1.0", "0.5")) as (gateway, fakes):
        fakes[0].usual = Act(first_s=0.15)
        for _ in range(4):
            assert gateway.chat(stream=True).text == WHOLE
        assert len(fakes[1].requests) == 2


def test_who_finds_no_place_waits_and_too_many_are_refused() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with rig(1, services=NARROW) as (gateway, fakes):
        fakes[0].usual = Act(first_s=0.3, tokens=1)
        gateway.on_loop(lambda: gateway.dispatcher.most(0, 1))
        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda _: gateway.chat(), range(6)))
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 429, 429, 429]
        assert all(int(r.headers["retry-after"]) >= 1 for r in replies if r.status == 429)


def test_a_slow_reader_stops_the_backend(two: Pair) -> None:
    import json
    import socket

    gateway, fakes = two
    fakes[0].usual = Act(tokens=3000, pad=10_000)
    ask = json.dumps({"model": "chat", "messages": [], "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ask), ask)
        )
        client.recv(100)
        time.sleep(1.0)  # far longer than the token deadline
        assert fakes[0].running == 1
        assert gateway.accounts == []
        got = 0
        while data := client.recv(1 << 20):
            got += len(data)
            if data.endswith(b"0\r\n\r\n"):
                break
    assert got > 20_000_000
    assert gateway.account().output_tokens == 3000
