"""The kernel equals the stepwise oracle, request by request, on random fleets, tables, policies and traces."""

from __future__ import annotations

import pytest

from meritorder.fleet.dispatch import POLICIES
from meritorder.simulate.result import Status
from meritorder.simulate.run import simulate
from simulate.cases import random_case
from simulate.equality import assert_equal


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
        counts = {status.name: int((result.status == status).sum()) for status in Status if status != Status.LOST}
        counts["preempted"] = int(result.preemptions.sum())
        counts["hits"] = int((result.hit_tokens > 0).sum())
        seen = {name: seen.get(name, 0) + count for name, count in counts.items()}
    assert all(count > 5 for count in seen.values()), seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1600))
def test_many(seed: int) -> None:
    assert_equal(random_case(seed, tight=seed % 3 > 0, prefix=seed % 2 > 0, roles=seed % 5 > 2))
