"""Kernel and oracle under orders drawn at random, as no controller would give them and no building would force them.

Both run as plain Python (NUMBA_DISABLE_JIT=1), so that the controller and the building's verdicts can be replaced:
`python -m simulate.scripted_orders FIRST LAST` runs the cases of these seeds and names the first that differ.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from unittest.mock import patch

import numpy as np

from meritorder.facility.step import facility_step
from simulate.cases_around import site_case
from simulate.equality import assert_equal


def orders(seed: int) -> Any:
    """A controller: any power limit, pools shut, services held and let go, all the same for the same moment."""

    def control_step(control: Any, facility: Any, fleet: Any, time: float, dt: float) -> None:
        g = np.random.default_rng((seed, round(time / dt), 1))
        for pool, levels in zip(control.pools, fleet.pools.cap_levels, strict=True):
            if g.random() < 0.3:
                pool.level = g.integers(levels)
        control.shut[:] = g.random(control.shut.shape) < g.choice([0.0, 0.3, 0.9])
        control.services.hold[:] = g.random(len(control.services)) < 0.3
        control.services.release[:] = g.integers(0, 4, len(control.services))
        control.sites.usd_per_j[:] = g.uniform(0, 1e-6, len(control.sites))

    return control_step


def verdicts(seed: int) -> Any:
    """A building: rows are warm, too hot or without power, all the same for the same moment."""

    def step(facility: Any, time: float, dt: float) -> None:
        facility_step(facility, time, dt)
        g = np.random.default_rng((seed, round(time / dt), 2))
        rows = len(facility.rows)
        facility.rows.stretch[:] = g.choice([1.0, 1.0, 1.0, 1.5, 4.0], rows)
        facility.rows.tripped[:] = g.choice([0] * 20 + [1, 2, 3], rows)

    return step


def run(seed: int) -> None:
    """One case; AssertionError where the two differ."""
    case = site_case(seed, failing=seed % 2 > 0, tight=seed % 3 > 0, prefix=seed % 5 > 1, spill=seed % 5 > 2)
    kernel, oracle = "meritorder.simulate.kernel.tick", "meritorder.simulate.oracle.site"
    told, ruled = orders(seed), verdicts(seed)
    with (
        patch(f"{kernel}.control_step", told),
        patch(f"{oracle}.control_step", told),
        patch(f"{kernel}.facility_step", ruled),
        patch(f"{oracle}.facility_step", ruled),
    ):
        assert_equal(case)


if __name__ == "__main__":
    assert os.environ.get("NUMBA_DISABLE_JIT") == "1", "the controller can't be replaced in compiled code"
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        run(number)
