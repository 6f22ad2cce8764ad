"""The prefix cache's hash table and LRU list against an ordered dictionary."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meritorder.dispatch.build import build_state
from meritorder.simulate.around import around
from meritorder.simulate.kernel.cache import evict_oldest, find, insert, leave, use
from meritorder.simulate.kernel.memory import SimState
from meritorder.simulate.kernel.prepare import prepare
from simulate.cases import random_case


def empty_cache(capacity: int) -> SimState:
    case = random_case(301, prefix=True)
    state = build_state(case.fleet, case.replicas, case.fleet.dispatch)
    about = around(case.fleet, case.replicas, case.trace.duration_s, 0)
    sim = prepare(case.fleet, state, case.replicas, case.trace, np.zeros(len(case.trace), np.int32), 8, about)
    caches = sim.caches[:1].copy()
    caches[0].first = caches[0].table = 0
    caches[0].mask = (1 << (4 * capacity).bit_length()) - 1
    slots = np.zeros(capacity, sim.slots.dtype).view(np.recarray)
    return sim._replace(caches=caches, slots=slots, table=np.zeros(caches[0].mask + 1, np.int32))


# ids that collide: neighbours, and multiples of the group size
units = st.one_of(st.integers(0, 40), st.integers(0, 40).map(lambda i: i * 16), st.integers(0, 2**31 - 1))


@given(st.lists(st.tuples(units, st.booleans()), max_size=150))
def test_like_an_ordered_dictionary(steps: list[tuple[int, bool]]) -> None:
    capacity = 12
    sim = empty_cache(capacity)
    users: dict[int, int] = {}
    unused: OrderedDict[int, None] = OrderedDict()
    for unit, comes in steps:
        slot = find(sim, 0, unit)
        assert (slot >= 0) == (unit in users)
        if comes and slot >= 0:
            assert use(sim, 0, slot) == (users[unit] == 0)
            users[unit] += 1
            unused.pop(unit, None)
        elif comes:
            if len(users) == capacity:
                if not unused:
                    continue
                evict_oldest(sim, 0)
                del users[unused.popitem(last=False)[0]]
            insert(sim, 0, unit)
            users[unit] = 1
        elif users.get(unit):
            users[unit] -= 1
            assert leave(sim, 0, slot) == (users[unit] == 0)
            if not users[unit]:
                unused[unit] = None
        assert sim.caches[0].evictable == len(unused)
        for known in users:
            assert sim.slots[find(sim, 0, known)].unit == known
