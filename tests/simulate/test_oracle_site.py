"""The kernel equals the stepwise oracle where sites have too little power: caps, shut pools, requests that wait."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.fleet.dispatch import POLICIES
from meritorder.simulate.run import simulate
from simulate.cases_around import site_case
from simulate.equality import assert_equal


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("seed", range(3000, 3004))
def test_any_policy_with_limits(policy: str, seed: int) -> None:
    assert_equal(site_case(seed, policy=policy, prefix=seed % 2 > 0))


@pytest.mark.parametrize("seed", range(3100, 3120))
def test_limits_where_requests_are_preempted(seed: int) -> None:
    assert_equal(site_case(seed, tight=True, prefix=seed % 2 > 0, spill=seed % 4 == 1))


@pytest.mark.parametrize("seed", range(3200, 3220))
def test_limits_and_failures(seed: int) -> None:
    assert_equal(site_case(seed, failing=True, tight=seed % 2 > 0, prefix=seed % 3 > 0))


@pytest.mark.parametrize("seed", range(3100, 3106))
def test_buildings_are_told_all_energy(seed: int) -> None:
    """What pools took of their buildings is what their engines drew, and idle power all the time."""
    case = site_case(seed, tight=True)
    result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed, sample=case.sample)
    assert result.facility is not None
    pools = zip(case.fleet.pools.values(), case.replicas, strict=True)
    idle_w = np.array([pool.replicas * replica.table.idle_w for pool, replica in pools])
    drawn = case.sample * result.series["energy_j"].sum(axis=1) + idle_w * result.span_s
    np.testing.assert_allclose(result.facility.pools.it_total_j, drawn, rtol=1e-9)
    np.testing.assert_allclose(result.facility.sites.it_j.sum(), drawn.sum(), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30_000, 30_040))
def test_many_sites(seed: int) -> None:
    assert_equal(site_case(seed, failing=seed % 2 > 0, tight=seed % 3 > 0, prefix=seed % 5 > 1, spill=seed % 5 > 3))
