"""The plan of a tiny instance by enumeration: every way to build blocks, a linear program inside, written anew.

Shares no code with `plan/model`: one variable and one row at a time, solved by scipy. Here and now builds only.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from brute_program import Dispatch

from meritorder.plan.instance import Instance


def schedules(instance: Instance) -> Iterator[np.ndarray]:
    """[T,B] every way that blocks may stand."""
    ground, sizes = instance.ground, instance.shape
    each = []
    for b in range(sizes["B"]):
        standing = ground.block_standing[:, b]
        ways = []
        for new in product(range(int(ground.block_step[b]) + 1), repeat=sizes["T"]):
            stands = standing + np.cumsum(new)
            fits = all(s <= max(m, st) for s, m, st in zip(stands, ground.block_most[:, b], standing, strict=True))
            if fits:
                ways.append(stands)
        each.append(ways)
    for chosen in product(*each):
        yield np.array(chosen).T


def openings(instance: Instance, blocks: np.ndarray) -> Iterator[np.ndarray]:
    """[S] period in which each site opens (T: never), for those that cost something; 0 for the others."""
    ground, sizes = instance.ground, instance.shape
    each = []
    for s in range(sizes["S"]):
        if not ground.open_usd[:, s].any():
            each.append([0])
            continue
        new = (blocks - ground.block_standing)[:, ground.block_site == s].sum(axis=1)
        needed = np.flatnonzero(new)
        latest = int(needed[0]) if len(needed) else sizes["T"]
        each.append(list(range(latest + 1)))
    for chosen in product(*each):
        yield np.array(chosen)


def least(instance: Instance) -> tuple[float, np.ndarray] | None:
    """Least cost (expected + aversion x CVaR) and the blocks [T,B] that it takes; None: there is no plan."""
    best: tuple[float, np.ndarray] | None = None
    for blocks in schedules(instance):
        for opened in openings(instance, blocks):
            dispatch = Dispatch(instance, blocks, opened)
            found = dispatch.write().solve()
            if found is not None and (best is None or found[0] + dispatch.built < best[0]):
                best = (found[0] + dispatch.built, blocks)
    return best


def least_whole(instance: Instance) -> float:
    """Least cost with whole systems: every way to deliver them, blocks as they stand."""
    best, size, supply = np.inf, instance.shape, instance.stock.supply
    cells = [
        (t, s, h)
        for t, s, h in product(range(size["T"]), range(size["S"]), range(size["H"]))
        if supply[t, h] > 0 and instance.stock.block[s, h] >= 0
    ]
    blocks, opened = instance.ground.block_standing, np.zeros(size["S"], int)
    for counts in product(*(range(int(supply[t, h]) + 1) for t, _, h in cells)):
        dispatch = Dispatch(instance, blocks, opened)
        words = dispatch.write()
        for cell, count in zip(cells, counts, strict=True):
            words.upper["delivered", *cell] = float(count)
            words.row({("delivered", *cell): -1.0}, -float(count))
        found = words.solve()
        best = min(best, found[0] + dispatch.built if found else np.inf)
    return best
