"""Which scenarios share a decision: what is decided before they part is the same in them (non-anticipativity).

A block of variables that is decided per period has the axes [T,J,...]; scenarios that share it hold the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.plan.instance import Bools, Instance, Ints
from meritorder.plan.linear import Index, Program


@dataclass(frozen=True)
class Tree:
    """For each period and scenario the first scenario that it shares with."""

    choice: Ints  # [T,J] what is ordered for t
    past: Ints  # [T,J] blocks that stand in t: all choices are the same up to and with t
    state: Ints  # [T,J] systems that stand in t: so are the delays of deliveries


def tree_of(instance: Instance) -> Tree:
    """The sharing of an instance, by `decided` and by late deliveries."""
    decided, late = instance.decided, instance.demand.late
    count = decided.shape[1]
    same_now = decided[:, :, None] == decided[:, None, :]  # [T,J,J]
    same_past = np.logical_and.accumulate(same_now, axis=0)
    same_state = same_past & (late[:, None, :] == late[None, :, :]).all(axis=2)
    first = np.arange(count)
    return Tree(*(np.where(same, first, count).min(axis=2) for same in (same_now, same_past, same_state)))


def speaks(first: Ints) -> Bools:
    """[T,J] whether a scenario is the one that speaks for those it shares with."""
    own: Bools = first == np.arange(first.shape[1])
    return own


def shared(
    program: Program, first: Ints, shape: tuple[int, ...], *, where: npt.ArrayLike = True, **kinds: Any
) -> Index:
    """Columns [T,J,*shape] of which scenarios that share hold the same."""
    ones = (1,) * len(shape)
    exists = np.logical_and(speaks(first).reshape(*first.shape, *ones), where)
    index = program.variables((*first.shape, *shape), where=exists, **kinds)
    return np.take_along_axis(index, first.reshape(*first.shape, *ones), axis=1)
