"""What a request costs its caller and its service, and what it teaches dispatch: no more and no less than it took."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from tests.serve.exchange.rig import Rig, rig
from tests.serve.fake_backend import Act, FakeBackend

from meritorder.serve.account import Account
from meritorder.serve.ask import is_token_ids, parse
from meritorder.serve.exchange.learned import Learned
from meritorder.serve.seen.layout import ANSWER_RATIO, MET, MISSED, TTFT_RATIO
from meritorder.serve.seen.meter import Meter
from meritorder.serve.seen.recorder import Recorder
from meritorder.serve.seen.targets import Targets

Pair = tuple[Rig, list[FakeBackend]]


@pytest.fixture
def two():
    with rig(2) as pair:
        yield pair


@dataclasses.dataclass
class Charges:
    """What the doors were told."""

    allowed: list[int] = dataclasses.field(default_factory=list)
    charged: list[tuple[int, int, float]] = dataclasses.field(default_factory=list)


@pytest.fixture
def charges(two: Pair) -> Charges:
    made = Charges()
    doors: Any = two[0].gateway.doors
    doors.allow = lambda caller, service, tokens, model: made.allowed.append(tokens)
    doors.charge = lambda caller, prompt, output, usd: made.charged.append((prompt, output, usd))
    return made


def _counts_for_nothing(gateway: Rig, account: Account, tmp_path: Any) -> None:
    assert (account.usd, account.energy_j, account.output_tokens) == (0.0, 0.0, 0)
    assert Targets(gateway.fleet.services["chat"]).judge(account) is None
    meter = Meter(gateway.fleet)
    meter(account)
    line = meter._starts[account.service][account.pool]
    assert not any(meter._counts[line + TTFT_RATIO.start : line + ANSWER_RATIO.end])
    assert meter._counts[line + MET] == meter._counts[line + MISSED] == 0
    recorder = Recorder(gateway.fleet, 0, b"salt", folder=tmp_path)
    recorder(account)
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_counting_tokens_is_no_generation(two: Pair, charges: Charges, tmp_path: Any) -> None:
    gateway, _ = two
    speeds = gateway.books.live.fleet.replicas.speed.copy()
    learned = dict.fromkeys(("bytes_per_token", "output_tokens"))
    learned = {name: getattr(gateway.gateway.learned[0], name) for name in learned}
    ask = {"model": "chat", "messages": [{"role": "user", "content": "x" * 4000}]}
    for _ in range(3):
        assert gateway.post("/v1/messages/count_tokens", ask).json["input_tokens"] > 1000
    account = gateway.account()
    assert (account.api, account.outcome) == ("count_tokens", "ok")
    assert account.prompt_tokens == 0
    assert len(account.blocks) == 0
    _counts_for_nothing(gateway, account, tmp_path)
    assert charges.charged == [(0, 0, 0.0)] * 3
    assert charges.allowed == [0] * 3
    assert np.array_equal(gateway.books.live.fleet.replicas.speed, speeds)
    assert {name: getattr(gateway.gateway.learned[0], name) for name in learned} == learned
    gateway.post("/v1/messages", ask)
    assert gateway.account(3).cached_tokens == 0


def test_it_is_counted_as_one_that_was_answered(two: Pair) -> None:
    gateway, _ = two
    meter = Meter(gateway.fleet)
    gateway.post("/v1/messages/count_tokens", {"model": "chat", "messages": []})
    meter(gateway.account())
    assert meter._counts[meter._answers["count_tokens", 200]] == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_a_backend_refuses_costs_nothing(two: Pair, charges: Charges, tmp_path: Any, stream: bool) -> None:
    gateway, fakes = two
    fakes[0].acts.append(Act("status", status=400, body=b'{"error": {"message": "too long"}}'))
    reply = gateway.chat(stream=stream, messages=[{"role": "user", "content": "x" * 40_000}])
    assert (reply.status, reply.error["message"]) == (400, "too long")
    account = gateway.account()
    assert (account.outcome, account.status) == ("refused", 400)
    assert account.why == "the backend answered 400"
    _counts_for_nothing(gateway, account, tmp_path)
    assert charges.charged == [(0, 0, 0.0)]


def test_so_does_what_it_refuses_in_a_stream(two: Pair, charges: Charges, tmp_path: Any) -> None:
    gateway, fakes = two
    event = b'data: {"error":{"message":"too long","type":"BadRequestError","code":400}}\n\ndata: [DONE]\n\n'
    stream = (("content-type", "text/event-stream"),)
    fakes[0].acts.append(Act("status", status=200, body=event, headers=stream))
    assert gateway.chat(stream=True).body == event
    assert gateway.account().outcome == "refused"
    _counts_for_nothing(gateway, gateway.account(), tmp_path)
    assert charges.charged == [(0, 0, 0.0)]


@pytest.mark.parametrize("prompt", ["hi", [1, 2, 3]], ids=["text", "ids"])
@pytest.mark.parametrize(
    ("path", "field"), [("chat/completions", "tools"), ("responses", "instructions"), ("completions", "documents")]
)
def test_all_of_a_body_is_charged_where_usage_is_not_said(
    two: Pair, charges: Charges, path: str, field: str, prompt: object
) -> None:
    gateway, fakes = two
    choice = b'{"delta":{"content":"a"},"finish_reason":"stop"}'
    event = b'data: {"type":"response.completed","response":{},"choices":[' + choice + b"]}"
    stream = (("content-type", "text/event-stream"),)
    fakes[0].acts.append(Act("status", status=200, body=event + b"\n\n", headers=stream))
    ask = {"model": "chat", "stream": True, field: "x" * 1_000_000}
    ask["input" if path == "responses" else "prompt" if path == "completions" else "messages"] = prompt
    assert gateway.post(f"/v1/{path}", ask).status == 200
    assert charges.allowed[0] > 200_000
    assert charges.charged[0][0] > 200_000


def test_a_small_body_is_its_prompt(two: Pair, charges: Charges) -> None:
    gateway, _ = two
    gateway.post("/v1/completions", {"model": "chat", "prompt": [1, 2, 3], "max_tokens": 5, "temperature": 0.5})
    gateway.post("/v1/completions", {"model": "chat", "prompt": "x" * 398, "max_tokens": 5, "temperature": 0.5})
    assert charges.allowed == [8, 105]


def test_no_tenant_teaches_nonsense() -> None:
    for text, tokens, least, most in [(1_000_000, 1, 7.9, 8.0), (1, 1_000_000, 2.0, 2.1)]:
        learned = Learned()
        for _ in range(500):
            learned.prompt(text, tokens)
        assert least <= learned.bytes_per_token <= most


@pytest.mark.parametrize(
    ("prompt", "choices"),
    [
        (b"[" + b" " * 40 + b"1, 2, 3]", 1),
        (b"[1,2,3]", 1),
        (b"[" + b"\n" * 15 + b"[1, 2], [3]]", 2),
        (b'["a", "b", "c"]', 3),
        (b"[" + b" " * 20 + b'"a", "b"]', 2),
        (b"[]", 1),
        (b'"a"', 1),
    ],
)
def test_blanks_make_no_prompts(prompt: bytes, choices: int) -> None:
    assert parse(b'{"prompt":' + prompt + b"}").choices == choices
    assert parse(b'{"n":2,"prompt":' + prompt + b"}").choices == 2 * choices


@pytest.mark.parametrize(
    ("text", "are"),
    [(b"[" + b" " * 40 + b"1]", True), (b"[ [ 7 ] ]", True), (b'[ "1" ]', False), (b"1", False), (b"[]", False)],
)
def test_blanks_hide_no_ids(text: bytes, are: bool) -> None:
    assert is_token_ids(text) is are
