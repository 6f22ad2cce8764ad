"""Prompts on their way in, answers on their way out."""

from __future__ import annotations

import numpy as np
import pytest

from bench import steady
from meritorder.fleet.load import loads
from meritorder.fleet.network import EVENT_BYTES, TOKEN_BYTES
from meritorder.fleet.schema import Fleet
from meritorder.simulate.run import simulate
from meritorder.workload.trace import make_trace


def fleet(site: str = "", more: str = "") -> Fleet:
    text = steady.fleet_text(1).replace("kg_per_kwh: 300 g/kWh}", f"kg_per_kwh: 300 g/kWh{site}}}")
    return loads(text + more, "network.yaml")


def test_a_prompt_takes_its_bytes_time_to_come_in() -> None:
    trace = make_trace([0.0], [1000], [5])
    bare = simulate(fleet(), trace)
    slow = simulate(fleet(more="regions: {default: {bandwidth: 8 kB/s}}\n"), trace)
    assert slow.first_s[0] - bare.first_s[0] == pytest.approx(1000 * TOKEN_BYTES / 8000)


def test_a_region_that_is_named_has_its_own_bandwidth() -> None:
    regions = "regions: {default: {bandwidth: 8 kB/s}, near: {}}\n"
    trace = make_trace([0.0, 5.0], [1000, 1000], [5, 5], region=[0, 1], regions=("near", "far"))
    result = simulate(fleet(more=regions), trace)
    waits = result.start_s - result.arrival_s
    np.testing.assert_allclose(waits, [0.0, 1000 * TOKEN_BYTES / 8000], atol=1e-9)


def test_answers_leave_one_after_the_other() -> None:
    trace = make_trace([0.0, 0.0, 0.0], [100] * 3, [50] * 3)
    bare = simulate(fleet(), trace)
    result = simulate(fleet(", egress: {bandwidth: 100 kB/s}"), trace)
    free, told = 0.0, []
    for end in np.sort(bare.finish_s):
        told.append(max(end, free))
        free = told[-1] + 50 * EVENT_BYTES / 100e3
    np.testing.assert_allclose(np.sort(result.finish_s), told)
    assert told[-1] > bare.finish_s.max() + 0.1
    np.testing.assert_allclose(result.first_s, bare.first_s)
