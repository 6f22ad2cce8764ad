"""Small halls and machines, and the limits of a hall once more, as plainly as can be."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

from hypothesis import strategies as st

from meritorder.facility.halls.rows import HallRows
from meritorder.facility.halls.stand import Stand
from meritorder.fleet.halls import Spread


def hall(name="h", coolant="air", rows=1, places=2, rack_w=50e3, row_w=100e3, **more):
    given = {"cooling_w": row_w, "air_w": math.inf, "power_w": rows * row_w, "rack_units": 48, "feeds": 3}
    return HallRows(
        site="a", name=name, coolant=coolant, rows=rows, places=places, rack_w=rack_w, row_w=row_w, given=True,
        **(given | more),
    )  # fmt: skip


def stand(pool="p", machine="m", coolant="air", watts=10e3, per_rack=4, replicas=1, together=1, **more):
    spread = Spread(**{key: more.pop(key) for key in list(more) if key in Spread.model_fields})
    given = {"air_share": 1.0 if coolant == "air" else 0.0, "units": 8, "places": 1, "index": 0, "shared": 1}
    return Stand(
        pool=pool, site="a", machine=machine, coolant=coolant, supply_c=30.0, watts=watts, per_rack=per_rack,
        replicas=replicas, together=together, systems=replicas * together, spread=spread, **(given | more),
    )  # fmt: skip


def broken(halls, kinds, counts):
    """The limits that are broken where counts[h][r][i] systems stand in each row. Written apart from the program."""
    found = set()
    of_feed = defaultdict(int)
    for h, one in enumerate(halls):
        in_hall = 0.0
        for row in counts[h]:
            racks = watts = coolant = air = 0.0
            for kind, n in zip(kinds, row, strict=True):
                if not n:
                    continue
                fits = one.coolant == kind.coolant or (one.coolant, kind.coolant) == ("liquid-21c", "liquid-45c")
                if not fits:
                    found.add("coolant")
                k = min(kind.per_rack, math.floor(one.rack_w / kind.watts + 1e-9))
                k = min(k, one.rack_units // kind.units) if kind.units else k
                if k < 1:
                    found.add("density")
                    continue
                racks += math.ceil(n / k) * kind.places
                watts += n * kind.watts
                left = kind.air_share if one.coolant != "air" else 0.0
                coolant += n * kind.watts * (1 - left)
                air += n * kind.watts * left
                if n > kind.spread.most_per_row * kind.systems + 1e-9:
                    found.add("row share")
                if kind.spread.within == "row" and n % kind.together:
                    found.add("within a row")
            in_hall += watts
            found |= {"space"} if racks > one.places else set()
            found |= {"power"} if watts > one.row_w + 1e-3 else set()
            found |= {"cooling"} if coolant > one.cooling_w + 1e-3 or air > one.air_w + 1e-3 else set()
        found |= {"hall power"} if in_hall > one.power_w + 1e-3 else set()
        for i, kind in enumerate(kinds):
            n = sum(row[i] for row in counts[h])
            if n > kind.spread.most_per_hall * kind.systems + 1e-9:
                found.add("hall share")
            if kind.spread.within == "hall" and n % kind.together:
                found.add("within a hall")
            if bin(one.feeds).count("1") == 1:
                of_feed[one.feeds, i] += n
    for (_, i), n in of_feed.items():
        if n > kinds[i].spread.most_per_feed * kinds[i].systems + 1e-9:
            found.add("feed share")
    return found


def every_placing(halls, kinds):
    """Every way to put all systems into the rows, allowed or not: counts[h][r][i]."""
    rows = [(h, r) for h, one in enumerate(halls) for r in range(one.rows)]
    ways = [list(_split(kind.systems, len(rows))) for kind in kinds]
    for choice in itertools.product(*ways):
        counts = [[[0] * len(kinds) for _ in range(one.rows)] for one in halls]
        for i, parts in enumerate(choice):
            for (h, r), n in zip(rows, parts, strict=True):
                counts[h][r][i] = n
        yield counts


def _split(n, parts):
    if parts == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in _split(n - first, parts - 1):
            yield (first, *rest)


# halls and machines of which all placings can be counted
HALLS = st.builds(
    hall,
    coolant=st.sampled_from(["air", "liquid-21c", "liquid-45c"]),
    rows=st.integers(1, 2),
    places=st.integers(1, 3),
    rack_w=st.sampled_from([12e3, 25e3, 60e3]),
    row_w=st.sampled_from([20e3, 45e3, 90e3]),
    cooling_w=st.sampled_from([15e3, 40e3, 90e3]),
    air_w=st.sampled_from([2e3, math.inf]),
    power_w=st.sampled_from([30e3, 70e3, 1e6]),
    rack_units=st.sampled_from([10, 48]),
    feeds=st.sampled_from([1, 2, 3]),
)
KINDS = st.builds(
    stand,
    coolant=st.sampled_from(["air", "liquid-21c", "liquid-45c"]),
    watts=st.sampled_from([6e3, 10e3, 14e3]),
    per_rack=st.integers(1, 3),
    units=st.sampled_from([8, 16]),
    places=st.sampled_from([1, 1, 2]),
    replicas=st.integers(1, 2),
    together=st.integers(1, 2),
    within=st.sampled_from(["row", "hall", "site"]),
    most_per_row=st.sampled_from([1.0, 0.5]),
    most_per_hall=st.sampled_from([1.0, 0.5]),
    most_per_feed=st.sampled_from([1.0, 0.5]),
)
