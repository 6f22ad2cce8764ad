"""The placing program against counting all there is, and every limit by itself."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.facility.halls.tiny import HALLS, KINDS, broken, every_placing, hall, stand

from meritorder.facility.halls.best import best
from meritorder.facility.halls.first_fit import first_fit
from meritorder.facility.halls.stranded import left_of
from meritorder.facility.halls.why import reasons


def counts_of(rooms):
    return [room.systems.T.tolist() for room in rooms]


@settings(max_examples=60, deadline=None)
@given(st.lists(HALLS, min_size=1, max_size=2), st.lists(KINDS, min_size=1, max_size=2))
def test_it_finds_a_placing_just_where_there_is_one(halls, kinds):
    found = best(halls, kinds)
    ways = any(not broken(halls, kinds, counts) for counts in every_placing(halls, kinds))
    assert (found.rooms is not None) == ways
    assert found.none == (not ways)
    if found.rooms is None:
        problems = reasons("a", halls, kinds)
        assert problems
        assert all(problem.key.startswith("pools.") for problem in problems)
        return
    assert not broken(halls, kinds, counts_of(found.rooms))
    assert sum(room.systems for room in found.rooms if room.hall.rows).sum() >= 1
    placed = sum(room.systems.sum(axis=1) for room in found.rooms)
    assert placed.tolist() == [kind.systems for kind in kinds]


@settings(max_examples=60, deadline=None)
@given(st.lists(HALLS, min_size=1, max_size=3), st.lists(KINDS, min_size=1, max_size=3))
def test_first_fit_breaks_no_limit_either(halls, kinds):
    rooms, left = first_fit(halls, kinds)
    placed = sum(room.systems.sum(axis=1) for room in rooms)
    assert (placed + left).tolist() == [kind.systems for kind in kinds]
    assert not broken(halls, kinds, counts_of(rooms))


@pytest.mark.parametrize("seed", range(6))
def test_it_leaves_as_much_power_usable_as_can_be(seed):
    """Against every placing, each with every further machine that it leaves room for."""
    draw = np.random.default_rng(seed)
    halls = [hall(rows=2, places=2, row_w=draw.choice([30e3, 44e3]), power_w=draw.choice([52e3, 1e6]))]
    halls.append(hall("i", rows=1, places=int(draw.integers(1, 3)), rack_w=22e3, row_w=35e3))
    kinds = [
        stand("p", "m", watts=float(draw.choice([7e3, 11e3])), per_rack=int(draw.integers(1, 3)), replicas=2),
        stand("q", "n", watts=float(draw.choice([13e3, 9e3])), per_rack=1, replicas=2),
    ]
    most = -1.0
    for counts in every_placing(halls, kinds):
        if not broken(halls, kinds, counts):
            most = max(most, _usable(halls, kinds, counts))
    found = best(halls, kinds, gap=0.0)
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert _usable(halls, kinds, counts_of(found.rooms)) == pytest.approx(most)


def _usable(halls, kinds, counts):
    """Most watts that further machines of these kinds can have, in racks of their own, counting all ways."""
    fuller = [*kinds, *(stand("+" + k.pool, k.machine, watts=k.watts, per_rack=k.per_rack, replicas=99) for k in kinds)]
    start = [[[*row, 0, 0] for row in one] for one in counts]
    rows = [(h, r) for h, one in enumerate(start) for r in range(len(one))]
    best_w, stack = 0.0, [(0, start)]
    seen = set()
    while stack:
        at, now = stack.pop()
        key = (at, str(now))
        if key in seen:
            continue
        seen.add(key)
        added = sum(row[2 + i] * kinds[i].watts for one in now for row in one for i in range(2))
        best_w = max(best_w, added)
        for position in range(at, len(rows)):
            h, r = rows[position]
            for i in (2, 3):
                more = [[list(row) for row in one] for one in now]
                more[h][r][i] += 1
                if not broken(halls, fuller, more):
                    stack.append((position, more))
    return best_w


@pytest.mark.parametrize("seed", range(4))
def test_groups_of_equal_rows_lose_no_placing_and_hardly_any_power(seed, monkeypatch):
    draw = np.random.default_rng(seed)
    halls = [
        hall(name, rows=int(draw.integers(7, 12)), places=4, row_w=float(draw.choice([60e3, 75e3])), rack_w=32e3)
        for name in "xy"
    ]
    kinds = [
        stand("p", "m", watts=7e3, replicas=int(draw.integers(2, 6)), together=3, within="row"),
        stand("q", "n", watts=11e3, replicas=int(draw.integers(10, 20)), most_per_row=0.2),
        stand("r", "n", watts=11e3, replicas=3, together=7, within="hall"),
    ]
    alone = best(halls, kinds)
    monkeypatch.setattr("meritorder.facility.halls.best.SMALL", 0)
    grouped = best(halls, kinds)
    assert not broken(halls, kinds, counts_of(grouped.rooms))
    usable = [sum(left_of(room).deployable for room in found.rooms) for found in (alone, grouped)]
    assert usable[1] > 0.9 * usable[0]
    assert grouped.gap < 0.1
    # too much of it is found out too
    full = [*kinds, stand("s", "n", watts=11e3, replicas=200)]
    assert best(halls, full).none


# Each: halls and machines that one limit keeps out, what the message must say, and the least change that lets them in.
BINDING = {
    "power": (
        {"row_w": 35e3},
        {},
        "power of 35 kW .30 kW of 35 kW taken.; more `row_power` would do",
        {"row_w": 40e3},
    ),
    "hall power": (
        {"rows": 2, "row_w": 30e3, "power_w": 35e3},
        {},
        "hall's 35 kW.*`power` of the hall",
        {"power_w": 40e3},
    ),
    "cooling": ({"cooling_w": 35e3}, {}, "cooling of 35 kW.*row_cooling", {"cooling_w": 40e3}),
    "space": ({"places": 1, "row_w": 1e6}, {"per_rack": 2}, "1 of 1 rack places.*`racks`", {"places": 2}),
    "density": ({"places": 1, "rack_w": 30e3}, {}, "3 of them a rack .`rack_power` 30 kW", {"rack_w": 40e3}),
    "density of one": ({"rack_w": 9e3}, {}, "may draw 9 kW, one system draws 10 kW.*rack_power", {"rack_w": 20e3}),
    "height": ({"rack_units": 7}, {}, "racks of 7 units.*rack_units` of 8", {"rack_units": 16}),
    "coolant": ({"coolant": "liquid-45c"}, {}, "cooled by liquid-45c, they need air", {"coolant": "air"}),
    "row share": (
        {},
        {"most_per_row": 0.5},
        "spread. asks: at most 0.5 of them in one row.*looser `spread`",
        {"rows": 2},
    ),
    "feed share": (
        {"feeds": 1},
        {"most_per_feed": 0.5},
        "at most 0.5 of them on one feed alone.*looser `spread`",
        {"feeds": 3},
    ),
    "within a row": (
        {"rows": 2, "row_w": 30e3},
        {"together": 4, "replicas": 1, "within": "row"},
        "4 systems of a replica within one row",
        {"row_w": 40e3},
    ),
}


@pytest.mark.parametrize("limit", BINDING)
def test_each_limit_binds_is_named_and_can_be_mended(limit):
    around, machine, said, mended = BINDING[limit]
    kinds = [stand(**({"replicas": 4} | machine))]
    assert best([hall(**around)], kinds).none
    [problem] = reasons("a", [hall(**around)], kinds)
    assert re.search(said, str(problem)), str(problem)
    assert best([hall(**(around | mended))], kinds).rooms is not None


def test_heat_in_the_air_of_a_liquid_cooled_row_is_a_limit_of_its_own():
    kinds = [stand(coolant="liquid-45c", air_share=0.2, replicas=4)]
    assert best([hall(coolant="liquid-45c", air_w=7e3)], kinds).none
    assert best([hall(coolant="liquid-45c", air_w=8e3)], kinds).rooms is not None


def test_machines_for_warm_liquid_may_stand_in_a_colder_loop_but_rather_not():
    kinds = [stand(coolant="liquid-45c", replicas=5)]
    cold, warm = hall("cold", "liquid-21c", rows=2), hall("warm", "liquid-45c", places=1)
    found = best([cold, warm], kinds)
    assert [room.systems.sum() for room in found.rooms] == [1, 4]
    assert best([cold], kinds).rooms is not None
    assert best([warm], [stand(coolant="liquid-21c")]).none


def test_feeds_are_balanced():
    halls = [hall("x", rows=2, feeds=1), hall("y", rows=2, feeds=2)]
    found = best(halls, [stand(replicas=8, most_per_feed=0.9)])
    assert [room.systems.sum() for room in found.rooms] == [4, 4]


def test_equal_input_gives_equal_halls_and_the_fullest_rows_come_first():
    halls = [hall(rows=6, places=4, row_w=88e3), hall("i", rows=3, places=3)]
    kinds = [stand("p", "m", replicas=9, watts=11e3), stand("q", "n", replicas=10, watts=9e3, per_rack=3)]
    one, two = (best(halls, kinds).rooms for _ in range(2))
    assert counts_of(one) == counts_of(two)
    for room in one:
        assert room.systems[0].tolist() == sorted(room.systems[0].tolist(), reverse=True)
