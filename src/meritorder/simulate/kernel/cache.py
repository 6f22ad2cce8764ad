"""The prefix cache of a replica: which prompt blocks are in KV memory, who uses them, which go first.

A slow tier behind it is a further cache, in which nobody uses anything.

A unit is one prefix block of the trace. Units that no running request uses stay until their space is needed; the least
recently used goes first, and of one prompt the deepest first (as vLLM frees a request's blocks in reverse order).
The hash table is open addressing with linear probing; consecutive ids share a cache line.
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.simulate.kernel.memory import NOBODY, SimState

_MIX = 0x9E3779B1  # Knuth's multiplicative hash, 32 bits


@inlined
def home(unit: int, mask: int) -> int:
    """Where the search for a unit starts: groups of 16 are scattered, the members of one lie side by side."""
    key = int(unit)
    return (((key >> 4) * _MIX >> 7) << 4 | (key & 15)) & mask


@inlined
def find(sim: SimState, replica: int, unit: int) -> int:
    """Slot of a unit, or NOBODY."""
    cache = sim.caches[replica]
    at = home(unit, cache.mask)
    while True:
        slot = sim.table[cache.table + at] - 1
        if slot < 0:
            return NOBODY
        if sim.slots[cache.first + slot].unit == unit:
            return int(slot)
        at = (at + 1) & cache.mask


@inlined
def insert(sim: SimState, replica: int, unit: int) -> None:
    """Add a unit that is not there yet, with one user."""
    cache = sim.caches[replica]
    slot = cache.vacant
    if slot >= 0:
        cache.vacant = sim.slots[cache.first + slot].next
    else:
        slot = cache.fresh
        cache.fresh += 1
    s = sim.slots[cache.first + slot]
    s.unit = unit
    s.users = 1
    at = home(unit, cache.mask)
    while sim.table[cache.table + at] != 0:
        at = (at + 1) & cache.mask
    sim.table[cache.table + at] = slot + 1


@inlined
def use(sim: SimState, replica: int, slot: int) -> bool:
    """One more user of a cached unit. Returns whether it had none."""
    cache = sim.caches[replica]
    s = sim.slots[cache.first + slot]
    s.users += 1
    if s.users > 1:
        return False
    if s.previous >= 0:
        sim.slots[cache.first + s.previous].next = s.next
    else:
        cache.oldest = s.next
    if s.next >= 0:
        sim.slots[cache.first + s.next].previous = s.previous
    else:
        cache.newest = s.previous
    cache.evictable -= 1
    return True


@inlined
def leave(sim: SimState, replica: int, slot: int) -> bool:
    """One user fewer. Returns whether the unit has none left and may be evicted."""
    cache = sim.caches[replica]
    s = sim.slots[cache.first + slot]
    s.users -= 1
    if s.users > 0:
        return False
    s.next = NOBODY
    s.previous = cache.newest
    if cache.newest >= 0:
        sim.slots[cache.first + cache.newest].next = slot
    else:
        cache.oldest = slot
    cache.newest = slot
    cache.evictable += 1
    return True


@inlined
def evict_oldest(sim: SimState, replica: int) -> None:
    """Forget the unit that has been unused for longest."""
    cache = sim.caches[replica]
    slot = cache.oldest
    s = sim.slots[cache.first + slot]
    cache.oldest = s.next
    if s.next >= 0:
        sim.slots[cache.first + s.next].previous = NOBODY
    else:
        cache.newest = NOBODY
    cache.evictable -= 1
    # take it out of the table and close the gap, so that later searches don't end at it
    at = home(s.unit, cache.mask)
    while sim.table[cache.table + at] != slot + 1:
        at = (at + 1) & cache.mask
    gap = at
    while True:
        at = (at + 1) & cache.mask
        other = sim.table[cache.table + at] - 1
        if other < 0:
            break
        wanted = home(sim.slots[cache.first + other].unit, cache.mask)
        if ((at - wanted) & cache.mask) >= ((at - gap) & cache.mask):
            sim.table[cache.table + gap] = other + 1
            gap = at
    sim.table[cache.table + gap] = 0
    s.next = cache.vacant
    cache.vacant = slot


@compiled
def spill_oldest(sim: SimState, replica: int) -> None:
    """Copy the unit that will be evicted next into the slow tier, as its newest; its oldest one makes room."""
    cache = sim.caches[replica]
    below, unit = cache.below, sim.slots[cache.first + cache.oldest].unit
    if find(sim, below, unit) < 0:
        slow = sim.caches[below]
        if slow.evictable == slow.room:
            evict_oldest(sim, below)
        insert(sim, below, unit)
        leave(sim, below, find(sim, below, unit))
    else:
        touch(sim, below, unit)


@compiled
def touch(sim: SimState, tier: int, unit: int) -> None:
    """A unit in a slow tier is the newest one again."""
    slot = find(sim, tier, unit)
    use(sim, tier, slot)
    leave(sim, tier, slot)
