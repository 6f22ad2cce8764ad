"""What each policy promises, on small fleets where the right answer is plain."""

from __future__ import annotations

import numpy as np
import pytest

from dispatch.small import REGION, SEQUENCES, dispatcher, table
from meritorder.dispatch import reasons
from meritorder.dispatch.predict import tpot_s
from meritorder.fleet.dispatch import (
    LatencyPredicted,
    LeastRequest,
    LeastTokens,
    MeritOrder,
    PowerOfTwo,
    PrefixAffinity,
    Random,
    RoundRobin,
)
from meritorder.fleet.schema import Slo


def test_round_robin_takes_turns() -> None:
    d = dispatcher(RoundRobin(), pools={"a": 2, "b": 1})
    assert [d.send() for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_random_is_even() -> None:
    d = dispatcher(Random(), pools={"a": 4})
    counts = np.bincount([d.send() for _ in range(4000)], minlength=4)
    assert counts.min() > 850, counts


def test_least_request_takes_the_emptiest_that_waited_longest() -> None:
    d = dispatcher(LeastRequest(), pools={"a": 3})
    assert [d.send() for _ in range(3)] == [0, 1, 2]
    d.end(1)
    d.end(0)
    assert d.send() == 1
    assert d.send() == 0


def test_least_tokens_counts_tokens_not_requests() -> None:
    d = dispatcher(LeastTokens(), pools={"a": 2})
    assert d.send(prompt=5000) == 0
    assert [d.send(prompt=100) for _ in range(3)] == [1, 1, 1]


def test_power_of_two_balances_better_than_random() -> None:
    loads = {}
    for policy in (Random(), PowerOfTwo(choices=2), PowerOfTwo(choices=8)):
        d = dispatcher(policy, pools={"a": 50})
        counts = np.bincount([d.send() for _ in range(1000)], minlength=50)
        loads[str(policy)] = counts.max()
    first, second, third = loads.values()
    assert first > second >= third


def test_prefix_affinity_follows_the_prefix_until_it_is_crowded() -> None:
    d = dispatcher(PrefixAffinity(min_match=0.5, max_imbalance=4, max_ratio=1.5), pools={"a": 4}, blocks=100)
    first = d.send(prompt=64, blocks=[1, 2, 3, 4])
    assert d.send(prompt=64, blocks=[1, 2, 3, 9]) == first
    assert d.send(prompt=64, blocks=[1, 20, 21, 22]) != first, "a quarter of the prompt is too little"
    sent = [d.send(prompt=64, blocks=[1, 2, 3, 4]) for _ in range(8)]
    assert sent[0] == first
    assert any(replica != first for replica in sent)


def test_latency_predicted_takes_the_fast_machine_until_its_queue_is_long() -> None:
    d = dispatcher(LatencyPredicted(), pools={"slow": 1, "fast": 1}, tables=[table(0.008), table(0.005)])
    sent = [d.send(prompt=4000) for _ in range(40)]
    assert sent[0] == 1
    assert 0 in sent


@pytest.mark.parametrize(("rate", "pool"), [(None, 0), (30.0, 0), (150.0, 1)])
def test_merit_order_takes_the_cheapest_that_is_fast_enough(rate: float | None, pool: int) -> None:
    d = dispatcher(
        MeritOrder(),
        pools={"cheap": 2, "fast": 2},
        tables=[table(0.02, joules=1.0), table(0.005, joules=20.0)],
        slo=Slo(ttft=1.0, token_rate=rate),
    )
    replica = d.send()
    assert d.pool(replica) == pool
    assert d.reason == reasons.CHEAPEST


def test_merit_order_fills_one_replica_before_it_wakes_the_next() -> None:
    packed = dispatcher(MeritOrder(scarcity=0), pools={"a": 8}, slo=Slo(ttft=1.0, token_rate=40.0))
    spread = dispatcher(MeritOrder(scarcity=0, pack=False), pools={"a": 8}, slo=Slo(ttft=1.0, token_rate=40.0))
    for d in (packed, spread):
        for _ in range(6):
            d.answer(d.send(prompt=100))
    assert len(set(packed.log)) < len(set(spread.log)) == 6


def test_merit_order_keeps_the_rate_promised_to_those_already_there() -> None:
    d = dispatcher(
        MeritOrder(margin=1.0),
        pools={"a": 1, "b": 1},
        tables=[table(0.005, per_sequence=0.001, joules=1.0), table(0.005, per_sequence=0.001, joules=30.0)],
        slo=Slo(token_rate=120.0),
        other=Slo(),
    )
    fast = d.send(service=0)
    easy = [d.send(service=1) for _ in range(8)]
    d.answer(fast)
    assert easy.count(fast) < 8, "requests without a target would slow down the one with a target"


def test_merit_order_says_when_nobody_can_keep_the_target() -> None:
    d = dispatcher(MeritOrder(), pools={"a": 2}, slo=Slo(token_rate=100_000.0))
    assert d.send() >= 0
    assert d.reason == reasons.LEAST_HARM


def test_merit_order_sheds_only_where_the_service_allows() -> None:
    slow = {"pools": {"a": 1}, "tables": [table(0.5)], "slo": Slo(ttft=0.1)}
    d = dispatcher(MeritOrder(), sheds=True, **slow)
    assert d.send() == -1
    assert d.reason == reasons.SHED
    assert dispatcher(MeritOrder(), sheds=False, **slow).send() == 0


def test_merit_order_goes_back_to_a_cached_prefix() -> None:
    d = dispatcher(MeritOrder(), pools={"a": 6}, blocks=1000, slo=Slo(ttft=5.0))
    first = d.send(prompt=1600, blocks=list(range(100)))
    d.end(first)
    others = [d.send(prompt=1600, blocks=list(range(100 + 100 * i, 200 + 100 * i))) for i in range(4)]
    again = d.send(prompt=1600, blocks=[*range(99), 999])
    assert again == first
    assert d.reason == reasons.CHEAPEST_PREFIX
    assert d.cached == 99 * 16
    assert others


def test_merit_order_does_not_shed_what_another_replica_could_still_serve_in_time() -> None:
    d = dispatcher(
        MeritOrder(),
        pools={"slow": 1, "fast": 1},
        tables=[table(0.5), table(0.02)],
        slo=Slo(ttft=0.2, token_rate=100_000.0),
        sheds=True,
    )
    assert d.pool(d.send()) == 1
    assert d.reason == reasons.LEAST_HARM


def test_predictions_stay_inside_the_tables() -> None:
    """A batch may be as large as the token budget; plain NumPy would raise IndexError past the end."""
    d = dispatcher(LatencyPredicted(), pools={"a": 1}, tables=[table(0.01, budget=SEQUENCES)])
    for in_flight in (1, SEQUENCES - 1, SEQUENCES, SEQUENCES + 5, 10 * SEQUENCES):
        seconds = tpot_s.py_func(d.state, 0, in_flight, 1000.0 * in_flight, 100.0)  # type: ignore[attr-defined]
        assert 0.01 < seconds < 10


def test_too_long_for_any_pool_is_refused() -> None:
    d = dispatcher(RoundRobin(), pools={"a": 1})
    assert d.send(prompt=10_000_000) == -1
    assert d.reason == reasons.TOO_LONG


def test_network_distance_counts() -> None:
    near = dispatcher(LatencyPredicted(), pools={"far": 1, "near": 1}, rtt=[0.2, 0.01])
    assert near.pool(near.send()) == 1
    assert REGION == 0
