"""The kernel equals the stepwise oracle where machines fail, come back and slow down."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.fleet.dispatch import POLICIES
from meritorder.simulate.result import Status
from meritorder.simulate.run import simulate
from simulate.cases_around import failing_case
from simulate.equality import assert_equal


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("seed", range(2000, 2005))
def test_any_policy_with_failures(policy: str, seed: int) -> None:
    assert_equal(failing_case(seed, policy=policy, prefix=seed % 2 > 0))


@pytest.mark.parametrize("seed", range(2100, 2125))
def test_failures_where_requests_are_preempted(seed: int) -> None:
    assert_equal(failing_case(seed, tight=True, prefix=seed % 2 > 0))


@pytest.mark.parametrize("seed", range(2200, 2220))
def test_failures_while_prefixes_come_from_a_slow_tier(seed: int) -> None:
    assert_equal(failing_case(seed, tight=seed % 4 > 0, prefix=True, spill=True))


def test_the_failures_are_hard() -> None:
    """The random cases above lose, retry, continue, park and refuse requests, and many still complete."""
    seen = dict.fromkeys(("sent anew and completed", "answer continued", "parked and completed", "lost", "slow"), 0)
    causes = set()
    for seed in range(2100, 2125):
        case = failing_case(seed, tight=True, prefix=seed % 2 > 0)
        result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed, outages=case.outages)
        done = result.status == Status.COMPLETED
        seen["sent anew and completed"] += int((done & (result.attempts > 0)).sum())
        seen["answer continued"] += int((done & (result.first_s < result.start_s)).sum())
        seen["parked and completed"] += int((done & (result.parked_s > 0)).sum())
        seen["lost"] += int((result.status == Status.LOST).sum())
        seen["slow"] += int((case.outages.outages.factor > 1.0).sum()) if case.outages else 0
        causes |= set(np.unique(result.cause[result.status == Status.LOST]))
    assert all(count > 2 for count in seen.values()), seen
    assert len(causes) > 3
    assert 0 not in causes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20_000, 20_060))
def test_many_failures(seed: int) -> None:
    assert_equal(failing_case(seed, tight=seed % 3 > 0, prefix=seed % 2 > 0, spill=seed % 10 in (1, 3)))
