"""Placing by first fit: the biggest first, each into the first rows that have room. Fast; may miss what would fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.facility.halls.room import Ints, Room
from meritorder.facility.halls.rows import HallRows
from meritorder.facility.halls.stand import Stand


def first_fit(halls: Sequence[HallRows], kinds: Sequence[Stand]) -> tuple[list[Room], list[int]]:
    """Rooms with what could be placed, and the number of systems of each kind that could not."""
    rooms = [Room(hall, kinds) for hall in halls]
    left = [0] * len(kinds)
    for kind in sorted(range(len(kinds)), key=lambda i: _hardest_first(kinds[i], i)):
        left[kind] = _place(rooms, kind, kinds[kind])
    return rooms, left


def _hardest_first(stand: Stand, index: int) -> tuple[int, float, int]:
    near = ("row", "hall", "site").index(stand.spread.within)
    return near, -stand.rack_watts, index


def _place(rooms: Sequence[Room], kind: int, stand: Stand) -> int:
    """Place one kind; returns the number of systems left over."""
    left, spread = stand.systems, stand.spread
    on_feed: dict[int, int] = {}
    # halls of its own class come before colder ones, which other machines need more
    for room in sorted(rooms, key=lambda room: room.hall.coolant != stand.coolant):
        by_limit = room.more(kind)
        rows = np.minimum.reduce(list(by_limit.values()))
        rows = np.minimum(rows, share_of(stand, spread.most_per_row))
        most = min(left, room.hall_more(kind), share_of(stand, spread.most_per_hall))
        feed = room.hall.feeds
        alone = feed & (feed - 1) == 0
        if alone:
            most = min(most, share_of(stand, spread.most_per_feed) - on_feed.get(feed, 0))
        if spread.within == "row":
            rows -= rows % stand.together
        put = _in_order(rows, most)
        if spread.within == "row":
            put -= put % stand.together
        elif spread.within == "hall":
            put = _in_order(put, int(put.sum()) // stand.together * stand.together)
        room.put(kind, put)
        left -= int(put.sum())
        on_feed[feed] = on_feed.get(feed, 0) + int(put.sum())
    return left


def share_of(stand: Stand, share: float) -> int:
    """Whole systems of at most this share of a pool's."""
    return int(share * stand.systems + 1e-9)


def _in_order(rows: Ints, most: int) -> Ints:
    """As many as fit in the first rows, `most` in all."""
    before = np.cumsum(rows) - rows
    return np.asarray(np.clip(most - before, 0, rows))
