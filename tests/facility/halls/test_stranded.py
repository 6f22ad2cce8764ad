"""Power that can't be used any more, by cause."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.facility.halls.tiny import HALLS, KINDS, broken, hall, stand

from meritorder.facility.halls.first_fit import first_fit
from meritorder.facility.halls.room import Room
from meritorder.facility.halls.stranded import CAUSES, left_of


def after(one, kind, systems=0, others=()):
    room = Room(one, [kind, *others])
    room.put(0, np.array([systems] + [0] * (one.rows - 1)))
    return left_of(room)


@settings(max_examples=150, deadline=None)
@given(st.lists(HALLS, min_size=1, max_size=2), st.lists(KINDS, min_size=1, max_size=2))
def test_free_power_is_what_can_be_used_and_what_is_stranded(halls, kinds):
    rooms, _ = first_fit(halls, kinds)
    for room in rooms:
        got = left_of(room)
        assert got.free_w == pytest.approx(got.deployable_w + sum(got.stranded_w.values()), abs=1e-3)
        assert all((part > -1e-6).all() for part in got.stranded_w.values())
        power = min(room.hall.power_w, room.hall.rows * room.hall.row_w)
        assert got.free <= power - room.watts + 1e-3
        if got.kind is not None:
            most = _most(room, kinds, next(i for i, kind in enumerate(kinds) if kind is got.kind))
            assert got.deployable == pytest.approx(most * got.kind.watts)


def _most(room, kinds, kind):
    """Systems of one kind that fit beside what stands there, tried one by one."""
    rows, added = room.systems.T.tolist(), 0
    free = [stand(**_plain(k), replicas=10**6) for k in kinds]
    for row in rows:
        row[kind] += 1
        while not broken([room.hall], free, [rows]):
            row[kind] += 1
            added += 1
        row[kind] -= 1
    return added


def _plain(kind):
    keys = ("pool", "machine", "coolant", "watts", "per_rack", "air_share", "units", "places")
    return {key: getattr(kind, key) for key in keys}


# What is in the way: hall, machine, systems that stand there, and the watts stranded.
CASES = {
    "power": (hall(row_w=38e3), stand(watts=10e3), 2, 8e3),
    "space": (hall(row_w=200e3, places=2), stand(watts=10e3), 3, 120e3),
    "density": (hall(row_w=80e3, places=2, rack_w=25e3), stand(watts=10e3), 2, 40e3),
    "cooling": (hall(row_w=60e3, cooling_w=40e3), stand(watts=10e3), 1, 20e3),
    "coolant": (hall("h", "liquid-45c"), stand(watts=10e3), 0, 100e3),
}


@pytest.mark.parametrize("cause", CASES)
def test_power_is_put_down_to_what_is_in_the_way(cause):
    one, kind, systems, watts = CASES[cause]
    got = after(one, kind, systems)
    assert {c: round(got.stranded(c)) for c in CAUSES} == dict.fromkeys(CAUSES, 0) | {cause: watts}
    assert got.deployable == pytest.approx(one.row_w - systems * kind.watts - watts)


def test_a_rack_that_is_too_dense_for_the_hall_strands_all_of_it():
    got = after(hall(rack_w=9e3), stand(watts=10e3))
    assert (got.stranded("density"), got.deployable, got.kind) == (100e3, 0.0, None)


def test_the_halls_own_power_counts_not_what_its_rows_could_carry():
    got = after(hall(rows=2, row_w=100e3, power_w=125e3, places=4), stand(watts=20e3), 1)
    assert got.free == pytest.approx(105e3)
    assert got.deployable == pytest.approx(100e3)
    assert got.stranded("power") == pytest.approx(5e3)


def test_the_machine_of_the_site_that_can_use_most_counts():
    small, large = stand("s", "small", watts=10e3), stand("l", "large", watts=30e3, per_rack=1)
    got = after(hall(row_w=95e3, places=2), large, 0, [small])
    assert got.kind is small
    assert got.systems == {"large": 2, "small": 8}
    assert (got.deployable, got.stranded("space"), got.stranded("power")) == (80e3, 10e3, 5e3)
    assert not math.isnan(got.free)
