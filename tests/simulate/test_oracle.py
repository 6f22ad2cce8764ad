"""The kernel equals the stepwise oracle, request by request, on random fleets, tables, policies and traces."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.fleet.dispatch import POLICIES
from meritorder.simulate.oracle.run import Oracle
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from simulate.cases import Case, random_case


def both(case: Case) -> tuple[Result, Oracle]:
    oracle = Oracle(case.fleet, case.trace, case.replicas, seed=case.seed)
    oracle.run()
    result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=case.seed)
    return result, oracle


def assert_equal(case: Case) -> Result:
    result, oracle = both(case)
    for name, values in (
        ("replica", result.replica),
        ("status", result.status),
        ("preemptions", result.preemptions),
        ("hit", result.hit_tokens),
        ("returned", result.returned_tokens),
        ("reason", result.reason),
        ("decoder", result.decode_replica),
    ):
        np.testing.assert_array_equal(values, oracle.column(name), err_msg=f"{name}, seed {case.seed}")
    for name, values in (
        ("arrival", result.arrival_s),
        ("start", result.start_s),
        ("finish", result.finish_s),
    ):
        np.testing.assert_allclose(
            values, oracle.column(name), rtol=1e-9, atol=1e-12, err_msg=f"{name}, seed {case.seed}"
        )
    # a difference of two times, each with its own rounding
    np.testing.assert_allclose(
        result.transfer_s, oracle.column("transfer"), rtol=1e-9, atol=1e-9, err_msg=f"transfer, seed {case.seed}"
    )
    return_s = np.where(result.returned_tokens > 0, oracle.column("return_s"), np.nan)
    np.testing.assert_allclose(result.return_s, return_s, rtol=1e-9, atol=1e-9, err_msg=f"return, seed {case.seed}")
    first = oracle.column("first")
    first[(result.status == Status.CANCELLED) & (first > oracle.column("finish"))] = np.nan
    np.testing.assert_allclose(result.first_s, first, rtol=1e-9, err_msg=f"first, seed {case.seed}")
    for name in ("energy_j", "busy_s", "running_s", "prompt_tokens", "output_tokens", "iterations"):
        total = sum(getattr(engine, name) for engine in oracle.engines)
        np.testing.assert_allclose(result.series[name].sum(), total, rtol=1e-9, err_msg=f"{name}, seed {case.seed}")
    assert result.iterations == sum(engine.iterations for engine in oracle.engines)
    return result


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("seed", range(12))
def test_any_policy(policy: str, seed: int) -> None:
    assert_equal(random_case(seed, policy=policy))


@pytest.mark.parametrize("seed", range(100, 140))
def test_preemption_storm(seed: int) -> None:
    assert_equal(random_case(seed, tight=True))


@pytest.mark.parametrize("seed", range(200, 240))
def test_prefix_cache_under_eviction(seed: int) -> None:
    assert_equal(random_case(seed, tight=True, prefix=True))


@pytest.mark.parametrize("seed", range(300, 330))
def test_prefix_cache_with_room(seed: int) -> None:
    assert_equal(random_case(seed, prefix=True, policy=("merit-order", "prefix-affinity")[seed % 2]))


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("seed", range(400, 406))
def test_prompts_computed_elsewhere(policy: str, seed: int) -> None:
    assert_equal(random_case(seed, policy=policy, roles=True, prefix=seed % 2 > 0))


@pytest.mark.parametrize("seed", range(500, 540))
def test_prompts_computed_elsewhere_with_little_room(seed: int) -> None:
    assert_equal(random_case(seed, roles=True, tight=True, prefix=seed % 2 > 0))


@pytest.mark.parametrize("seed", range(700, 780))
def test_prefixes_from_a_slow_tier(seed: int) -> None:
    assert_equal(random_case(seed, tight=seed % 4 > 0, prefix=True, spill=True))


@pytest.mark.parametrize("seed", range(800, 840))
def test_prefixes_from_a_slow_tier_where_prompts_are_computed_elsewhere(seed: int) -> None:
    assert_equal(random_case(seed, tight=seed % 4 > 0, prefix=True, spill=True, roles=True))


def test_the_cases_are_hard() -> None:
    """The random cases above do preempt, hit, evict, reject, shed, cancel and wait."""
    seen: dict[str, int] = {}
    for seed in range(100, 130):
        case = random_case(seed, tight=True, prefix=True, policy="merit-order")
        result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed)
        counts = {status.name: int((result.status == status).sum()) for status in Status}
        counts["preempted"] = int(result.preemptions.sum())
        counts["hits"] = int((result.hit_tokens > 0).sum())
        seen = {name: seen.get(name, 0) + count for name, count in counts.items()}
    assert all(count > 5 for count in seen.values()), seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1600))
def test_many(seed: int) -> None:
    assert_equal(random_case(seed, tight=seed % 3 > 0, prefix=seed % 2 > 0, roles=seed % 5 > 2))
