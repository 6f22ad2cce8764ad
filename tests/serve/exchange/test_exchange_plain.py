"""Requests that nothing happens to: they arrive as they were sent, and are told what they may know."""

from __future__ import annotations

import json
import time

import pytest
from tests.serve.exchange.rig import Rig, rig, words
from tests.serve.fake_backend import Act, FakeBackend

Pair = tuple[Rig, list[FakeBackend]]


@pytest.fixture
def two():
    with rig(2) as pair:
        yield pair


def test_a_chat_is_answered_as_the_backend_wrote_it(two: Pair) -> None:
    gateway, fakes = two
    reply = gateway.chat(max_tokens=5)
    assert reply.status == 200
    assert reply.text == words(0, 5)
    assert reply.json["model"] == "fake-0"
    assert reply.headers["x-request-id"]
    assert "x-merit-decision" not in reply.headers
    assert len(fakes[0].requests) == 1
    account = gateway.account()
    assert (account.outcome, account.status, account.output_tokens) == ("ok", 200, 5)
    assert account.pool == 0
    assert account.energy_j > 0


def test_a_stream_comes_event_by_event_and_whole(two: Pair) -> None:
    gateway, _ = two
    reply = gateway.chat(stream=True, max_tokens=6, stream_options={"include_usage": True})
    assert reply.text == words(0, 6)
    assert reply.events[-1] == b"[DONE]"
    account = gateway.account()
    assert (account.stream, account.output_tokens, account.outcome) == (True, 6, "ok")
    assert account.prompt_tokens == reply.chunks[-1]["usage"]["prompt_tokens"]
    assert 0 < account.received <= account.placed <= account.first <= account.ended


@pytest.mark.parametrize("split", [1, 7, 100])
def test_a_stream_may_come_in_any_pieces(two: Pair, split: int) -> None:
    gateway, fakes = two
    whole = gateway.chat(stream=True).events[:2]
    fakes[0].acts.append(Act(split=split))
    reply = gateway.chat(stream=True)
    assert reply.text == words(0, 8)
    assert len(reply.events) == 11
    assert json.loads(reply.events[0])["choices"] == json.loads(whole[0])["choices"]


@pytest.mark.parametrize("path", ["completions", "responses", "embeddings", "messages", "messages/count_tokens"])
@pytest.mark.parametrize("stream", [False, True])
def test_all_apis_pass(two: Pair, path: str, stream: bool) -> None:
    gateway, fakes = two
    ask = {
        "model": "chat", "max_tokens": 4, "prompt": "a", "input": "a", "messages": [{"role": "user", "content": "a"}],
    }  # fmt: skip
    if stream and path not in ("embeddings", "messages/count_tokens"):
        ask["stream"] = True
    reply = gateway.post(f"/v1/{path}", ask)
    assert reply.status == 200
    assert fakes[0].requests[0].path == f"/v1/{path}"
    assert gateway.account().outcome == "ok"
    if path not in ("embeddings", "messages/count_tokens"):
        assert gateway.account().output_tokens == 4


def test_the_body_changes_in_its_model_only(two: Pair) -> None:
    gateway, fakes = two
    body = (
        b'{ "tools":[{"model": "chat"}] ,"messages" : [{"role":"user","content":"\\u00e4 \\"model\\": \\"chat\\""}], '
        b' "mod\\u0065l" :"chat", "x":1.0e3}'
    )
    gateway.post("/v1/chat/completions", body)
    assert fakes[0].requests[0].body == body.replace(b'l" :"chat"', b'l" :"fake-0"')
    gateway.post("/v1/chat/completions", body.replace(b'l" :"chat"', b'l" :"llama-3.1-8b"'))
    assert fakes[0].requests[1].body == body.replace(b'l" :"chat"', b'l" :"fake-0"')
    exact = body.replace(b'l" :"chat"', b'l" :"fake-0"')
    gateway.post("/v1/chat/completions", exact)
    assert fakes[0].requests[2].body == exact


def test_a_clients_secrets_stay_at_the_gateway(two: Pair) -> None:
    gateway, fakes = two
    ask = {"model": "chat", "messages": []}
    gateway.post(
        "/v1/chat/completions?beta=true", ask, authorization="Bearer s3cret", x_api_key="s3cret", cookie="s=s3cret",
        anthropic_beta="x", openai_project="p", traceparent="00-1-2-01", accept_encoding="gzip",
    )  # fmt: skip
    got = fakes[0].requests[0]
    assert "s3cret" not in str(got.headers)
    assert (got.headers["anthropic-beta"], got.headers["openai-project"], got.headers["traceparent"]) == (
        "x", "p", "00-1-2-01",
    )  # fmt: skip
    assert "accept-encoding" not in got.headers
    assert got.path == "/v1/chat/completions?beta=true"


def test_ids_and_reasons_are_told(two: Pair) -> None:
    gateway, fakes = two
    ask = {"model": "chat", "messages": []}
    reply = gateway.post("/v1/chat/completions", ask, x_request_id="mine-1", x_merit_explain="1")
    assert reply.headers["x-request-id"] == "mine-1"
    assert fakes[0].requests[0].headers["x-request-id"] == "mine-1"
    decision = dict(part.strip().split("=", 1) for part in reply.headers["x-merit-decision"].split(";"))
    assert decision["pool"] == "p0"
    assert decision["replica"] == "0"
    assert decision["reason"].startswith('"')
    assert float(decision["predicted-ttft"]) > 0
    assert decision["attempts"] == "1"
    odd = gateway.post("/v1/chat/completions", ask, x_request_id="a b{}")
    assert odd.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b"\xff", 400, None),
        (b"[" * 100_000, 400, None),
        (b'{"messages":[]}', 400, "model"),
        (b'{"model":7}', 400, "model"),
        (b'{"model":"chat","stream":"yes"}', 400, "stream"),
        (b'{"model":"chatt"}', 404, "model"),
    ],
)
def test_what_cannot_be_sent_anywhere_is_said(two: Pair, body: bytes, status: int, param: str | None) -> None:
    gateway, _ = two
    reply = gateway.post("/v1/chat/completions", body)
    assert reply.status == status
    assert reply.error["param"] == param
    assert reply.error["request_id"] == reply.headers["x-request-id"]
    assert gateway.account().outcome == "refused"


def test_a_trace_is_known_and_prompts_are_noted_where_that_is_wanted(two: Pair) -> None:
    gateway, _ = two
    noted = []
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for _ in range(2):
        assert gateway.post("/v1/completions", {"model": "chat", "prompt": "a b"}, traceparent=trace).status == 200
        gateway.on_loop(lambda: setattr(gateway.gateway, "note_prompt", lambda *told: noted.append(told)))
    assert [gateway.account(i).traceparent for i in (0, 1)] == [trace.encode()] * 2
    assert noted == [(gateway.account(1).request_id, b'{"model": "chat", "prompt": "a b"}')]


def test_other_media_are_refused(two: Pair) -> None:
    reply = two[0].post("/v1/chat/completions", b'{"model":"chat"}', content_type="text/plain")
    assert reply.status == 415


def test_errors_of_messages_are_anthropics(two: Pair) -> None:
    reply = two[0].post("/v1/messages", b'{"model":"none"}')
    assert reply.status == 404
    assert reply.json["type"] == "error"
    assert reply.json["error"]["type"] == "not_found_error"


def test_models_and_other_pages(two: Pair) -> None:
    gateway, _ = two
    gateway.gateway.pages["/"] = ("text/html", b"<p>hello")
    names = [model["id"] for model in gateway.get("/v1/models").json["data"]]
    assert names == ["chat", "fake-0", "fake-1", "llama-3.1-8b"]
    assert gateway.get("/v1/models/llama-3.1-8b").json["id"] == "llama-3.1-8b"
    assert gateway.get("/v1/models/none").status == 404
    assert gateway.get("/v1/models", anthropic_version="2023-06-01").json["first_id"] == "chat"
    assert gateway.get("/health").json == {"status": "ok"}
    assert gateway.get("/openapi.json").json["openapi"].startswith("3.1")
    assert gateway.get("/").body == b"<p>hello"
    assert gateway.get("/nowhere").status == 404
    wrong = gateway.get("/v1/chat/completions")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert gateway.post("/health", b"").status == 405
    gateway.gateway.drain()
    assert gateway.get("/health").status == 503


TIERED = """
  slow: {model: llama-3.1-8b, live: {names: [m], tier: flex}}
  usual: {model: llama-3.1-8b, live: {names: [m]}}
  fast: {model: llama-3.1-8b, live: {names: [m], tier: priority}}
"""


def test_the_tier_asked_for_serves_and_is_told() -> None:
    with rig(1, services=TIERED) as (gateway, _):
        ask = {"model": "m", "messages": []}
        for number, (tier, name) in enumerate(
            [(None, "usual"), ("auto", "usual"), ("flex", "slow"), ("priority", "fast"), ("scale", "usual")]
        ):
            reply = gateway.post("/v1/chat/completions", ask | ({"service_tier": tier} if tier else {}))
            account = gateway.account(number)
            assert list(gateway.fleet.services)[account.service] == name
            served = {"slow": "flex", "usual": "default", "fast": "priority"}[name]
            assert account.tier == served
            assert reply.json.get("service_tier") == (served if tier else None)
            assert reply.headers.get("x-service-tier") == (served if tier else None)
        reply = gateway.post("/v1/chat/completions", ask | {"service_tier": "flex", "stream": True})
        assert {chunk["service_tier"] for chunk in reply.chunks} == {"flex"}
        assert reply.text == words(0, 8)


def test_a_service_by_its_name_is_that_service() -> None:
    with rig(1, services=TIERED) as (gateway, _):
        gateway.post("/v1/chat/completions", {"model": "slow", "service_tier": "priority", "messages": []})
        assert gateway.account().service == 0


def test_a_client_that_leaves_frees_the_backend_at_once(two: Pair) -> None:
    import socket

    gateway, fakes = two
    delays: dict[bool, list[float]] = {False: [], True: []}
    for number, stream in enumerate((False, True) * 3):  # the least counts: other work may hold up any one of them
        fakes[0].acts.append(Act(first_s=0.1 if stream else 5.0, token_s=0.25, tokens=100))
        ask = json.dumps({"model": "chat", "messages": [], "stream": stream}).encode()
        with socket.create_connection(("127.0.0.1", gateway.port)) as client:
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ask), ask)
            )
            while fakes[0].running == 0:
                time.sleep(0.005)
            if stream:
                client.recv(10)
        left = time.monotonic()
        account = gateway.account(number)
        assert account.outcome == "cancelled"
        while len(fakes[0].cut_at) <= number:
            time.sleep(0.002)
        delays[stream].append(fakes[0].cut_at[number] - left)
        assert fakes[1].requests == []
    assert max(map(min, delays.values())) < 0.1


def test_usage_teaches_the_length_of_prompts(two: Pair) -> None:
    gateway, _ = two
    before = gateway.gateway.learned[0].bytes_per_token
    for _ in range(5):
        gateway.post("/v1/completions", {"model": "chat", "prompt": "x" * 4000, "max_tokens": 2})
    assert gateway.gateway.learned[0].bytes_per_token == pytest.approx(before, rel=0.1)
    gateway.post("/v1/completions", {"model": "chat", "prompt": [1, 2, 3], "max_tokens": 2})
    assert gateway.gateway.learned[0].output_tokens < 256


def test_a_long_answer_is_passed_on_as_it_comes(two: Pair) -> None:
    gateway, _ = two
    reply = gateway.chat(max_tokens=300_000)
    assert reply.status == 200
    assert reply.text == words(0, 300_000)
    assert int(reply.headers["content-length"]) == len(reply.body)
