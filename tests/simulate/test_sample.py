"""A part of a large fleet stands for all of it."""

from __future__ import annotations

import numpy as np
import pytest

from bench import site_load, steady
from meritorder.problems import InputError
from meritorder.simulate.run import simulate
from meritorder.simulate.sample import sample_of


def test_buildings_get_the_energy_of_all_that_a_simulated_replica_stands_for() -> None:
    fleet = site_load.fleet(40, modelled=True)
    result = simulate(fleet, steady.trace(100, 4, 0.7), sample=10, thin=False)
    assert result.facility is not None
    assert result.fleet.pools["all"].replicas == 4
    assert len(result.trace) == 100
    drawn = 10 * result.series["energy_j"].sum() + 40 * 120.0 * result.span_s
    np.testing.assert_allclose(result.facility.pools.it_total_j, drawn, rtol=1e-9)


def test_requests_are_thinned_alike() -> None:
    fleet = site_load.fleet(40, modelled=False)
    trace = steady.trace(4000, 40, 0.7)
    part = sample_of(fleet, trace, 10, seed=3)
    assert part.counts == (4,)
    assert len(part.trace) == pytest.approx(400, abs=80)
    assert part.trace.duration_s == pytest.approx(trace.duration_s, rel=0.1)
    again = sample_of(fleet, trace, 10, seed=3)
    np.testing.assert_array_equal(part.trace.arrival_s, again.trace.arrival_s)
    assert sample_of(fleet, trace, 1, seed=3).trace is trace


@pytest.mark.parametrize("part", [0, 41])
def test_a_part_of_nothing_is_refused(part: int) -> None:
    with pytest.raises(InputError, match="sample"):
        sample_of(site_load.fleet(40, modelled=False), steady.trace(10, 40, 0.7), part, seed=0)
