"""Prefixes that come back from a slow tier, against times worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.catalog.load import models
from meritorder.fleet.dispatch import LeastRequest
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site
from meritorder.fleet.spill import Spill
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from meritorder.simulate.summary import summarise
from meritorder.workload.trace import make_trace
from simulate.cases import random_case

MODEL = "llama-3.1-8b"
KV_BYTES = models()[MODEL].kv_bytes_per_token("fp16")
HOST_S, PROMPT_S, UNIT = 0.01, 1e-4, 100
SENT_S = 800 * KV_BYTES / 10e9 + 0.002  # eight units at 10 GB/s


def run(
    prefixes: list[int],
    spill: Spill | None,
    *,
    arrival: list[float] | None = None,
    kv_tokens: int = 1100,
    cancel: list[float] | None = None,
) -> Result:
    """Prompts of 1,000 tokens and one token out, each of ten units that all prompts with the same number share.

    The KV cache holds one of them, so of the one before nothing but its first unit.
    """
    measured = MeasuredCoefficients(
        host_s=HOST_S, per_token_s=PROMPT_S, idle_w=1, busy_w=2, kv_tokens=kv_tokens, usd_per_hour=1
    )
    engine = Engine(kv_block_tokens=UNIT, max_sequences=8, spill=spill)
    fleet = Fleet(
        models={MODEL: models()[MODEL]},
        sites={"here": Site(usd_per_kwh=0.1, kg_per_kwh=0.3)},
        pools={"machine": Pool(site="here", measured=measured, model=MODEL, replicas=1, engine=engine)},
        services={"all": Service(model=MODEL)},
        dispatch=LeastRequest(),
    )
    n = len(prefixes)
    trace = make_trace(
        arrival or [10.0 * i for i in range(n)],
        [1000] * n,
        [1] * n,
        cancel_s=None if cancel is None else np.array(cancel),
        block_start=[10 * i for i in range(n + 1)],
        blocks=np.array([10 * prefix + unit for prefix in prefixes for unit in range(10)], np.int64),
        block_tokens=UNIT,
    )
    return simulate(fleet, trace)


def tier(capacity_tokens: int = 10**6) -> Spill:
    return Spill(capacity=capacity_tokens * KV_BYTES, bandwidth=10e9, latency=0.002)


def test_a_prefix_comes_back_instead_of_being_computed() -> None:
    whole = HOST_S + 1000 * PROMPT_S
    without = run([0, 1, 0], None)
    np.testing.assert_allclose(without.first_s - without.arrival_s, [whole, whole, whole - 100 * PROMPT_S])
    assert without.hit_tokens.tolist() == [0, 0, 100]
    assert without.returned_tokens.sum() == 0
    assert np.isnan(without.return_s).all()


def test_it_takes_its_transfer_and_the_rest_of_the_computing() -> None:
    result = run([0, 1, 0], tier())
    assert result.hit_tokens.tolist() == [0, 0, 900]
    assert result.returned_tokens.tolist() == [0, 0, 800]
    assert result.return_s[2] == pytest.approx(SENT_S)
    assert result.start_s[2] - result.arrival_s[2] == pytest.approx(SENT_S)
    assert result.first_s[2] - result.arrival_s[2] == pytest.approx(SENT_S + HOST_S + 100 * PROMPT_S)


def test_transfers_wait_for_one_another() -> None:
    result = run([0, 1, 2, 3, 0, 1], tier(), arrival=[0, 10, 20, 30, 40, 40], kv_tokens=2100)
    once = 900 * KV_BYTES / 10e9
    assert result.returned_tokens.tolist() == [0, 0, 0, 0, 900, 900]
    np.testing.assert_allclose(result.return_s[4:], [once + 0.002, 2 * once + 0.002])


def test_the_least_recently_used_is_forgotten() -> None:
    # of two prompts' nine units the slow tier has room for ten: the second's, which left last, and one
    result = run([0, 1, 2, 0], tier(1000))
    assert result.returned_tokens.tolist() == [0, 0, 0, 100]
    result = run([0, 1, 2, 1], tier(1000))
    assert result.returned_tokens.tolist() == [0, 0, 0, 800]


def test_who_leaves_meanwhile_frees_its_room_when_the_transfer_has_ended() -> None:
    inf = float("inf")
    arrival = [0.0, 10.0, 20.0, 20.001]
    result = run([0, 1, 0, 2], tier(), arrival=arrival, cancel=[inf, inf, 0.002, inf])
    assert result.status.tolist() == [Status.COMPLETED] * 2 + [Status.CANCELLED, Status.COMPLETED]
    assert result.finish_s[2] == pytest.approx(20.002)
    assert np.isnan(result.start_s[2])
    assert result.start_s[3] == pytest.approx(20.0 + SENT_S)


def test_the_summary_counts_what_came_back() -> None:
    result = run([0, 1, 0], tier())
    (row,) = summarise(result)["returns"]
    assert (row["pool"], row["requests"], row["tokens"]) == ("machine", 1, 800)
    assert row["share"] == pytest.approx(800 / 3000)
    assert row["seconds"] == row["return_s"]["max"] == pytest.approx(SENT_S)
    assert summarise(run([0, 1, 0], None))["returns"] == []


def test_the_random_cases_are_hard() -> None:
    """Those of the oracle's test do bring prefixes back, for preempted requests and for some that give up."""
    seen = dict.fromkeys(("returned", "preempted", "cancelled", "cancelled on the way"), 0)
    for seed in range(700, 780):
        case = random_case(seed, tight=seed % 4 > 0, prefix=True, spill=True)
        result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed)
        came = result.returned_tokens > 0
        gone = came & (result.status == Status.CANCELLED)
        seen["returned"] += int(came.sum())
        seen["preempted"] += int((came & (result.preemptions > 0)).sum())
        seen["cancelled"] += int(gone.sum())
        seen["cancelled on the way"] += int((gone & np.isnan(result.start_s)).sum())
    assert all(seen.values()), seen
