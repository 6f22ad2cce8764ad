"""Two published cases of power control, small: a quarter less for the grid, and more servers than a row feeds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.power_control import fuller_row, grid_of, outside, p99_ttft, quarter_less
from meritorder.control.state import CAP, HOLD


@pytest.mark.slow
def test_the_grid_gets_a_quarter_within_30_s_and_people_see_nothing_of_it() -> None:
    start, duration = 300.0, 300.0
    kept, free = quarter_less(24.0, start, duration, 60.0)
    grid = grid_of(kept)
    bin_s = float(np.median(np.diff(grid.ends_s)))
    before = grid.within(60.0, start, bin_s).mean()
    assert grid.within(start + 30.0, start + duration, bin_s).max() <= 0.75 * before
    assert p99_ttft(kept, "chat") <= 1.1 * p99_ttft(free, "chat")
    assert outside(kept, "chat") <= outside(free, "chat") + 0.01
    assert kept.control is not None
    assert kept.control.deeds[0].lever == HOLD


@pytest.mark.slow
def test_a_row_with_30_percent_more_servers_stays_within_its_busway() -> None:
    kept, free = fuller_row(50.0, 240.0)
    assert kept.control is not None
    deeds = kept.control.deeds[: kept.control.settings[0].deeds]
    assert outside(kept, "chat") <= outside(free, "chat") + 0.01
    capped = deeds[deeds.lever == CAP]
    assert len(capped)
    assert capped[0].target == 1  # the pool of those who may wait
