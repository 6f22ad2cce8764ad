"""Replica time by outages: nested ones count once; in the long run it is what renewal theory says."""

from __future__ import annotations

import numpy as np
import pytest
from fault_fleet import FIRST, Drawn, standing
from hypothesis import given
from hypothesis import strategies as st

from meritorder.perf.replica import Replica
from meritorder.records import records
from meritorder.simulate.availability import downtime
from meritorder.simulate.faults.expected import expected
from meritorder.simulate.faults.outage import DOWN, OUTAGE, UP, Outages

HOUR, YEAR = 3600.0, 8760 * 3600.0


def outages(*events: tuple[float, int, list[int]]) -> Outages:
    result = records(len(events), OUTAGE)
    hit: list[int] = []
    for row, (time, kind, replicas) in zip(result, events, strict=True):
        row.time, row.kind, row.first, row.count, row.cause = time, kind, len(hit), len(replicas), 2
        hit += replicas
    return Outages(result, np.array(hit, np.int32))


def test_nested_outages_are_one() -> None:
    """0: 10 to 40 by two nested ones; 1: twice; 2: to the end; 3: none."""
    found = downtime(
        outages(
            (10, DOWN, [0, 1]), (20, DOWN, [0]), (25, UP, [1, 0]), (40, UP, [0]), (50, DOWN, [1, 2]), (60, UP, [1])
        ),
        100.0,
    )
    assert list(zip(found.replica.tolist(), found.start_s.tolist(), found.seconds.tolist(), strict=True)) == [
        *((0, 10.0, 30.0), (1, 10.0, 15.0), (1, 50.0, 10.0), (2, 50.0, 50.0))
    ]


@given(st.integers(0, 2**32 - 1))
def test_it_equals_counting_second_by_second(seed: int) -> None:
    """Random outages at whole seconds, against a plain count of who is down in each second."""
    rng = np.random.default_rng(seed)
    spans = []
    for _ in range(int(rng.integers(1, 12))):
        start = int(rng.integers(0, 50))
        spans.append((start, start + int(rng.integers(1, 40)), rng.permutation(5)[: rng.integers(1, 6)].tolist()))
    events = [(float(s), DOWN, who) for s, _, who in spans] + [(float(e), UP, who) for _, e, who in spans]
    found = downtime(outages(*sorted(events, key=lambda one: (one[0], one[1]))), 60.0)
    down = np.zeros((5, 60), bool)
    for start, stop, who in spans:
        down[who, start : min(stop, 60)] = True
    assert np.bincount(found.replica, found.seconds, minlength=5) == pytest.approx(down.sum(axis=1))


@pytest.mark.parametrize(("shape", "spread"), [(1.0, 0.8), (0.7, 1.2), (2.0, 0.0)])
def test_availability_in_the_long_run(drawn: Drawn, shape: float, spread: float) -> None:
    """MTTF / (MTTF + MTTR), reloading included, whatever the distributions: 36 trays for four years, to 0.5 %."""
    rate = f"{{what: machine, pools: [racks], mtbf: 200 h, mttr: 10 h, shape: {shape}, spread: {spread}}}"
    found = downtime(drawn(f"{{rates: [{rate}], engine_start: 1 h, load_rate: 1 GB/s}}", 4 * YEAR), 4 * YEAR)
    up = 1 - found.seconds.sum() / (36 * 4 * YEAR)
    # the engine starts while the machine is up again: it can fail in that hour, which costs the next start only
    assert up == pytest.approx(200 / (200 + 10) - (HOUR + 4) / (210 * HOUR), abs=0.005)


def test_what_is_expected_is_what_is_drawn(drawn: Drawn, one_replica: Replica) -> None:
    """Five kinds of faults at once, racks and a site that take several pools down together: five years, to 1 %."""
    rates = (
        "{what: engine, mtbf: 300 h}, {what: machine, mtbf: 400 h, mttr: 8 h}, {what: rack, mtbf: 900 h, mttr: 9 h}, "
    )
    rates += "{what: site, mtbf: 500 h, mttr: 5 h}, {what: supplier, mtbf: 400 h, mttr: 4 h, window: 2 h}"
    faults = f"{{rates: [{rates}], engine_start: 10 min}}"
    told = expected(*standing(one_replica, faults), ())
    found = downtime(drawn(faults, 5 * YEAR), 5 * YEAR)
    for pool, first in FIRST.items():
        count = {"nodes": 8, "wafers": 3, "racks": 36, "wide": 2}[pool]
        ours = (found.replica >= first) & (found.replica < first + count)
        up = 1 - found.seconds[ours].sum() / (count * 5 * YEAR)
        assert 0.8 < told["availability"][pool] < 0.97
        assert told["availability"][pool] == pytest.approx(up, abs=0.01)
    # a cycle of 505 h, two sites
    assert told["per_day"]["site"] == pytest.approx(2 * 24 / 505)
