"""The fleet file's rates as `Rate`s of things, with the catalog's figures where it gives none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from meritorder.catalog.failures import failures_of
from meritorder.fleet.faults import Breaks, FaultRate, Faults
from meritorder.simulate.faults.places import Places, vendor_of
from meritorder.simulate.faults.reload import kind_of
from meritorder.simulate.faults.repair import Rate
from meritorder.simulate.faults.things import OF_POOLS, Things, things

if TYPE_CHECKING:
    from meritorder.facility.parts import Part


def rates_of(faults: Faults, places: Places, parts: Sequence[Part]) -> list[Rate]:
    """What is drawn. Several rates of one kind are several ways to fail, each with streams of its own."""
    seen: Counter[Breaks] = Counter()
    found = []
    for given in faults.drawn():
        for these in things(given.what, places, parts):
            if _wanted(given, these, places, parts):
                found.append(_rate(given, these, places, seen[given.what]))
        seen[given.what] += 1
    return found


def _rate(given: FaultRate, these: Things, places: Places, nth: int) -> Rate:
    kind = kind_of(places.fleet, these.owner) if these.what in OF_POOLS else ""
    known = failures_of("machine" if given.what == "pipeline" else given.what, kind)
    values = {
        **known.values,
        **given.model_dump(include={"mtbf", "mttr", "shape", "spread", "factor", "window"}, exclude_none=True),
    }
    mtbf_s = values["mtbf"]
    if given.mtbf is None and known.per_accelerator:
        mtbf_s /= places.machines(these.owner).chips
    if given.what == "pipeline":
        mtbf_s /= these.units
    return Rate(
        these,
        f"{given.what} {nth} {these.owner}",
        mtbf_s,
        values["mttr"],
        values["shape"],
        values["spread"],
        values.get("factor", 1.0),
        values.get("window", 0.0),
    )


def _wanted(given: FaultRate, these: Things, places: Places, parts: Sequence[Part]) -> bool:
    """Whether a rate that names pools means these things: theirs, or what some of their machines stand on."""
    if given.pools is None:
        return True
    pools = {name: places.fleet.pools[name] for name in given.pools}
    if these.what in OF_POOLS:
        return these.owner in pools
    if these.what == "supplier":
        return these.owner in {vendor_of(places.fleet, name) for name in pools}
    if these.what == "link":
        link = places.fleet.links[these.owner]
        return any({link.prefill, link.decode} & {name, pool.site} for name, pool in pools.items())
    if these.what in ("rack", "row"):
        ours = np.concatenate([places.of_pool(name) for name in pools])
        return any(np.isin(these.struck(places, number), ours).any() for number in range(these.count))
    return these.site in {pool.site for pool in pools.values()}
