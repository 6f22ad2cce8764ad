"""Comparison of runs: intervals that cover what they should, pairing, and honest marks."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from tests.simulate.fake import fake_result

from meritorder.simulate import bootstrap
from meritorder.simulate.compare import compare, same_trace
from meritorder.simulate.store import Run, run_of


def rows(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in found["metrics"]}


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [run_of(fake_result(5000, policy=name, slow=slow)) for name, slow in (("a", 1.0), ("b", 1.0), ("c", 1.3))]


def test_values_and_differences_are_the_summaries(runs: list[Run]) -> None:
    found = rows(compare(runs))
    first, third = runs[0].summary, runs[2].summary
    assert found["ttft_s.p99"]["values"] == [run.summary["ttft_s"]["p99"] for run in runs]
    assert found["slo_attainment.chat"]["values"] == [run.summary["slo_attainment"]["chat"] for run in runs]
    difference = found["usd_per_mtok"]["differences"][1]
    assert difference["delta"] == third["usd_per_mtok"] - first["usd_per_mtok"]
    assert difference["relative"] == pytest.approx(third["usd_per_mtok"] / first["usd_per_mtok"] - 1)


def test_same_run_twice_differs_in_nothing(runs: list[Run]) -> None:
    for row in compare([runs[0], runs[0]])["metrics"]:
        (difference,) = row["differences"]
        assert (difference["delta"], difference["low"], difference["high"]) == (0, 0, 0), row["key"]
        assert difference["distinguishable"] is False


def test_chance_is_told_from_a_slower_policy(runs: list[Run]) -> None:
    found = rows(compare(runs))
    same, slower = found["ttft_s.mean"]["differences"]
    assert same["distinguishable"] is False
    assert same["low"] < 0 < same["high"]
    assert slower["distinguishable"] is True
    assert 0 < slower["low"] < slower["delta"] < slower["high"]
    assert found["slo_attainment.chat"]["differences"][1]["high"] < 0


def test_a_metered_price_is_resampled_with_the_requests_that_paid_it() -> None:
    free = fake_result(5000)
    name, pool = next(iter(free.fleet.pools.items()))
    metered = pool.model_copy(update={"usd_per_mtok_output": 50.0})
    fleet = free.fleet.model_copy(update={"pools": free.fleet.pools | {name: metered}})
    (difference,) = rows(compare([run_of(free), run_of(replace(free, fleet=fleet))]))["usd_per_mtok"]["differences"]
    assert 0 < difference["low"] < difference["delta"] < difference["high"]


def test_same_seed_same_bits(runs: list[Run]) -> None:
    assert orjson.dumps(compare(runs, seed=3)) == orjson.dumps(compare(runs, seed=3))
    assert orjson.dumps(compare(runs, seed=3)) != orjson.dumps(compare(runs, seed=4))


def test_pairing_needs_the_same_requests(runs: list[Run]) -> None:
    other = run_of(fake_result(5000, seed=2))
    assert same_trace(runs[0], runs[1])
    assert not same_trace(runs[0], other)
    assert compare([runs[0], runs[1], other])["paired"] == [True, True, False]


def test_pairing_narrows_the_interval() -> None:
    """Traffic moves the mean far more than the policy: only pairs see the policy."""
    one = run_of(fake_result(5000))
    later = {"first_s": one.requests["first_s"] + 0.001, "finish_s": one.requests["finish_s"] + 0.001}
    two = replace(one, requests=one.requests | later)
    paired = rows(compare([one, two]))["ttft_s.mean"]["differences"][0]
    shuffled = two.requests | {"output_tokens": two.requests["output_tokens"][::-1].copy()}
    alone = rows(compare([one, replace(two, requests=shuffled)]))["ttft_s.mean"]["differences"][0]
    assert paired["high"] - paired["low"] < 1e-9
    assert paired["low"] == pytest.approx(0.001, rel=1e-6)
    assert alone["high"] - alone["low"] > 0.01


def test_blocks_widen_the_interval_of_correlated_requests() -> None:
    """Slow swings over time: the standard error is that of few waves, not of many requests."""
    rng = np.random.default_rng(0)
    arrival = np.sort(rng.random(10_000)) * 100
    values = 1 + np.sin(arrival) + 0.01 * rng.standard_normal(10_000)
    cell = bootstrap.cells_of(arrival, 100.0)
    low, high = bootstrap.interval(bootstrap.mean(bootstrap.draw_weights(rng), cell, values)) or (0, 0)
    independent = 2 * 1.96 * values.std() / 100
    assert high - low > 3 * independent


def test_interval_of_independent_requests_is_the_textbook_one() -> None:
    rng = np.random.default_rng(1)
    values = rng.exponential(1.0, 20_000)
    cell = bootstrap.cells_of(np.arange(20_000.0), 20_000.0)
    weights = bootstrap.draw_weights(rng)
    low, high = bootstrap.interval(bootstrap.mean(weights, cell, values)) or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(20_000), rel=0.35)
    # Asymptotic variance of a sample quantile: p(1-p)/(n f(x)^2), with f = 1 - p here.
    for p, replicates in zip((50.0, 99.0), bootstrap.percentiles(weights, cell, values, (50.0, 99.0)), strict=True):
        bounds = bootstrap.interval(replicates)
        assert bounds is not None
        tail = 1 - p / 100
        assert bounds[1] - bounds[0] == pytest.approx(2 * 1.96 * np.sqrt((1 - tail) / tail / 20_000), rel=0.4)
        assert bounds[0] < np.percentile(values, p) < bounds[1]


def test_replicated_percentiles_equal_sorting_the_replicate() -> None:
    rng = np.random.default_rng(2)
    values = rng.lognormal(0, 1, 5000)
    cell = bootstrap.cells_of(np.sort(rng.random(5000)), 1.0)
    weights = bootstrap.draw_weights(rng)[:20]
    for p, found in zip((50.0, 99.0), bootstrap.percentiles(weights, cell, values, (50.0, 99.0)), strict=True):
        exact = [np.percentile(np.repeat(values, row[cell].astype(int)), p) for row in weights]
        # Far nearer to the exact replicate than replicates are to each other.
        assert np.sqrt(np.mean((found - exact) ** 2)) < 0.2 * np.std(exact)


def test_each_replicate_is_as_long_as_the_run() -> None:
    weights = bootstrap.draw_weights(np.random.default_rng(0))
    assert (weights.sum(axis=1) == bootstrap.CELLS).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(bootstrap.CELLS), abs=0.2)


def test_unknown_arrivals_share_the_cell_before() -> None:
    found = bootstrap.cells_of(np.array([np.nan, 0.0, 0.5, np.nan, 1.0]), 1.0)
    assert found.tolist() == [0, 0, 120, 120, 239]


def test_few_requests_have_no_interval() -> None:
    for row in compare([run_of(fake_result(50)), run_of(fake_result(50, policy="b"))])["metrics"]:
        (difference,) = row["differences"]
        assert difference["low"] is difference["high"] is difference["distinguishable"] is None
        assert difference["delta"] is not None


def test_eight_runs_in_two_seconds() -> None:
    eight = [run_of(fake_result(20_000, policy=str(i))) for i in range(8)]
    began = time.perf_counter()
    compare(eight)
    assert time.perf_counter() - began < 4.0  # 2 s on a machine of its own
