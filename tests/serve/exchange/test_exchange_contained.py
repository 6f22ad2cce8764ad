"""What one request, one backend or one fault of our own can do to the others: nothing."""

from __future__ import annotations

import json
import threading
import time

import pytest
from tests.serve.exchange.rig import Rig, rig, wait_for, words
from tests.serve.fake_backend import Act, FakeBackend

from meritorder.serve.exchange.hedge import Hedges

Pair = tuple[Rig, list[FakeBackend]]
WHOLE = words(0, 8)


@pytest.fixture
def two():
    with rig(2) as pair:
        yield pair


def events(*said: object, done: bool = False) -> Act:
    """A stream of these payloads, and then its end."""
    body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in said)
    headers = (("content-type", "text/event-stream"),)
    return Act("status", status=200, body=body + b"data: [DONE]\n\n" * done, headers=headers)


def letters(text: str) -> list[dict[str, object]]:
    """Each in a chunk of its own."""
    head: dict[str, object] = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return [head | {"choices": [{"index": 0, "delta": {"content": letter}, "finish_reason": None}]} for letter in text]


# one request kills no worker


@pytest.mark.parametrize("limit", ["x", [1], {"a": 1}, True, 1e300, -5], ids=str)
@pytest.mark.parametrize("fault", ["die-mid", "freeze-mid"])
def test_odd_limits_are_for_backends_to_judge(two: Pair, fault: str, limit: object) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act(fault, after=3))
    assert gateway.chat(stream=True, min_tokens=limit).text == WHOLE
    assert gateway.chat().text == WHOLE


def test_text_that_is_not_unicode_cannot_be_continued(two: Pair) -> None:
    gateway, fakes = two
    body = b'{"model":"chat","stream":true,"messages":[{"role":"user","content":"\xff"}]}'
    said = events(*letters("ab"))
    for fake in fakes:
        fake.usual = said
    reply = gateway.post("/v1/chat/completions", body)
    assert reply.cut
    assert reply.error["code"] == "backend_failed"
    gateway.settled()


class Broken(Exception):
    """A fault of ours."""


def _fails(*_: object, **__: object) -> None:
    raise Broken


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_fault_of_ours_ends_its_request_only(two: Pair, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    gateway, _ = two
    charged = []
    gateway.gateway.doors.charge = lambda *what: charged.append(what)
    monkeypatch.setattr("meritorder.serve.exchange.accounting.read_timings", _fails)
    reply = gateway.chat(stream=stream)
    if stream:
        assert reply.cut
    else:
        assert reply.status == 500
    assert reply.error["code"] == "internal_error"
    gateway.settled()
    assert len(charged) == len(gateway.accounts) == 1
    monkeypatch.undo()
    assert gateway.chat(stream=stream).text == WHOLE


@pytest.mark.parametrize("where", ["dispatcher.place", "admission.ahead", "doors.charge", "hedges.allows"])
def test_it_is_in_no_book_afterwards(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with rig(2, services=HEDGED) as (gateway, fakes):
        part, name = where.split(".")
        found = getattr(gateway.gateway, part)
        fakes[0].acts.append(Act(first_s=0.3))
        with monkeypatch.context() as patch:
            patch.setattr(type(found[0] if part == "hedges" else found), name, _fails)
            reply = gateway.chat(stream=True)
        assert reply.text == WHOLE if where == "doors.charge" else reply.status == 500
        gateway.settled()
        assert gateway.chat(stream=True).text == WHOLE


def test_what_cannot_be_counted_is_answered_all_the_same(two: Pair) -> None:
    gateway, _ = two
    gateway.gateway.watchers = [_fails]
    assert gateway.chat().text == WHOLE
    gateway.settled()


def test_who_waits_behind_it_gets_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with rig(1, services=NARROW) as (gateway, fakes):
        gateway.on_loop(lambda: gateway.dispatcher.most(0, 1))
        fakes[0].acts.append(Act(first_s=0.5))
        replies = []
        clients = [threading.Thread(target=lambda: replies.append(gateway.chat())) for _ in range(2)]
        clients[0].start()
        wait_for(lambda: gateway.in_books() == 1)
        with monkeypatch.context() as patch:
            clients[1].start()
            wait_for(lambda: gateway.admission.waiting(0) == 1)
            patch.setattr(type(gateway.dispatcher), "place", _fails)  # the end of the first starts the second
            for client in clients:
                client.join()
        assert sorted(reply.status for reply in replies) == [200, 500]
        assert gateway.admission.waiting(0) == 0
        assert gateway.chat().text == WHOLE


# busy backends


def test_a_busy_backend_is_asked_once(two: Pair) -> None:
    gateway, fakes = two
    for fake in fakes:
        fake.usual = Act("status", status=429)
    # as if another worker held them for well all the time
    gateway.on_loop(lambda: setattr(gateway.dispatcher, "usable", lambda *_: None))
    assert gateway.chat().status == 429
    assert [len(fake.requests) for fake in fakes] == [1, 1]


# retries in a queue


NARROW = """
  chat:
    model: llama-3.1-8b
    live: {queue: {most: 1, time: 5 s}, deadlines: {first_token: 3 s, token: 2 s, answer: 9 s}}
"""


def test_who_was_let_in_before_is_not_turned_away() -> None:
    with rig(2, services=NARROW) as (gateway, fakes):
        gateway.on_loop(lambda: [gateway.dispatcher.most(i, 1) for i in (0, 1)])
        fakes[0].acts.append(Act("die-mid", after=3, token_s=0.1))
        fakes[0].usual = fakes[1].usual = Act(first_s=0.6)
        replies = {}

        def ask(name: str, stream: bool) -> None:
            replies[name] = gateway.chat(stream=stream)

        clients = [threading.Thread(target=ask, args=each) for each in [("broken", True), ("other", False)]]
        for number, client in enumerate(clients):
            client.start()
            wait_for(lambda n=number: gateway.in_books() == n + 1)
        clients.append(threading.Thread(target=ask, args=("waits", False)))
        clients[-1].start()
        for client in clients:
            client.join()
        assert {name: (reply.status, reply.text) for name, reply in replies.items()} == dict.fromkeys(
            ("broken", "other", "waits"), (200, WHOLE)
        )


# deadlines


LONG = """
  chat: {model: llama-3.1-8b, live: {deadlines: {first_token: 200 ms, token: 200 ms, answer: 400 ms}}}
"""


def test_a_long_answer_is_no_fault_of_its_backend() -> None:
    with rig(1, services=LONG) as (gateway, fakes):
        fakes[0].usual = Act(first_s=2.0)
        for _ in range(3):
            assert gateway.chat().status == 504
        assert gateway.backends[0].health.recent.bad == 0
        assert gateway.backends[0].state == "up"


TOOLS = [{"type": "function", "function": {"name": "f"}}]


def test_any_byte_is_life_where_tools_may_hold_the_answer_back(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].usual = Act(after=2, pings=6, token_s=0.1)  # longer than the deadline of a token
    reply = gateway.chat(stream=True, tools=TOOLS)
    assert (reply.text, reply.cut) == (WHOLE, False)
    assert gateway.account().continued == 0
    assert gateway.chat(stream=True).text == WHOLE
    assert gateway.account(1).continued == 1


def test_a_backend_silent_to_tools_is_left(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("freeze-head"))
    assert gateway.chat(stream=True, tools=TOOLS).text == WHOLE
    fakes[0].acts.append(Act("freeze-mid"))
    assert gateway.chat(stream=True, tools=TOOLS).cut


# hedges

HEDGED = """
  chat: {model: llama-3.1-8b, live: {hedging: 1.0, deadlines: {first_token: 2 s, token: 1 s, answer: 5 s}}}
"""


def test_a_hedge_that_finds_no_place_costs_nothing() -> None:
    with rig(2, services=HEDGED) as (gateway, fakes):
        fakes[0].usual = Act(first_s=0.3)
        gateway.on_loop(lambda: gateway.dispatcher.usable(1, False))
        assert gateway.chat(stream=True).text == WHOLE
        assert gateway.account().hedged is False
        gateway.on_loop(lambda: gateway.dispatcher.usable(1, True))
        assert gateway.chat(stream=True).text == WHOLE
        assert gateway.account(1).hedged is True
        hedges = gateway.gateway.hedges[0]
        assert sum(hedges._hedged) == 1


def test_the_budget_of_hedges() -> None:
    hedges = Hedges(0.5)
    assert not hedges.allows(0.0)
    for _ in range(2):
        hedges.asked(0.0)
    assert hedges.allows(0.0)
    hedges.hedged()
    assert not hedges.allows(0.0)


@pytest.mark.parametrize("path", ["messages", "responses"])
def test_other_apis_are_hedged_and_timed_by_their_first_token(path: str) -> None:
    with rig(2, services=HEDGED) as (gateway, fakes):
        fakes[0].usual = Act(token_s=0.4, tokens=3)  # what opens the stream comes at once
        ask = {"model": "chat", "messages": [{"role": "user", "content": "a"}], "input": "a", "stream": True}
        began = time.monotonic()
        reply = gateway.post(f"/v1/{path}", ask)
        assert (reply.status, reply.cut) == (200, False)
        account = gateway.account()
        assert (account.hedged, account.pool) == (True, 1)
        assert time.monotonic() - began < 0.8


def test_time_to_first_token_is_that_of_a_token(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].usual = Act(token_s=0.2, tokens=2)
    gateway.chat(stream=True)
    account = gateway.account()
    assert account.first - account.placed > 0.15


@pytest.mark.parametrize("path", ["messages", "responses"])
@pytest.mark.parametrize("fault", ["die-mid", "freeze-mid", "truncate", "bad-sse"])
def test_a_death_during_prefill_is_retried(two: Pair, path: str, fault: str) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act(fault, after=0))
    ask = {"model": "chat", "messages": [{"role": "user", "content": "a"}], "input": "a", "stream": True}
    ask["max_tokens"] = 4
    reply = gateway.post(f"/v1/{path}", ask)
    assert (reply.status, reply.cut) == (200, False)
    assert b"error" not in reply.body
    start = b"event: message_start" if path == "messages" else b"event: response.created"
    assert reply.body.count(start) == 1
    account = gateway.account()
    assert (account.outcome, account.retries, account.pool, account.output_tokens) == ("ok", 1, 1, 4)


# ends


def test_events_are_not_tokens(two: Pair) -> None:
    gateway, fakes = two
    fakes[0].acts.append(events(*letters("abcdefgh")))
    reply = gateway.chat(stream=True, max_tokens=8)
    assert reply.text == "abcdefgh" + words(0, 1)
    assert fakes[1].requests[0].json["max_tokens"] == 1
    assert reply.events[-1] == b"[DONE]"


def test_an_answer_that_the_backend_counted_to_its_end_is_whole(two: Pair) -> None:
    gateway, fakes = two
    usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
    fakes[0].acts.append(events(*(letter | {"usage": usage} for letter in letters("abcdefgh"))))
    reply = gateway.chat(stream=True, max_tokens=4, stream_options={"include_usage": True})
    assert (reply.text, reply.cut) == ("abcdefgh", False)
    assert reply.chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert reply.events[-1] == b"[DONE]"
    assert fakes[1].requests == []


@pytest.mark.parametrize("asked", [True, False])
def test_usage_that_was_asked_for_is_said(two: Pair, asked: bool) -> None:
    gateway, fakes = two
    last = letters("b")[0] | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    fakes[0].acts.append(events(*letters("ab"), last))
    reply = gateway.chat(stream=True, **({"stream_options": {"include_usage": True}} if asked else {}))
    assert (reply.text, reply.cut, reply.events[-1]) == ("ab", False, b"[DONE]")
    if asked:
        chunk = reply.chunks[-1]
        assert (chunk["choices"], chunk["id"], chunk["usage"]["completion_tokens"]) == ([], "a", 2)
        assert chunk["usage"]["total_tokens"] == chunk["usage"]["prompt_tokens"] + 2
    else:
        assert "usage" not in reply.chunks[-1]


def test_the_newer_limit_goes_before_the_older(two: Pair) -> None:
    gateway, fakes = two
    counted = [letter | {"usage": {"completion_tokens": i}} for i, letter in enumerate(letters("abcde"), 1)]
    fakes[0].acts.append(events(*counted))
    reply = gateway.chat(stream=True, max_tokens=5, max_completion_tokens=50)
    assert reply.text.startswith("abcde")
    assert fakes[1].requests[0].json["max_completion_tokens"] == 45
