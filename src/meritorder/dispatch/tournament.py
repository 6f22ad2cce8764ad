"""A tournament tree: who is smallest among many, with O(log n) per change and per question.

A tree over `size` leaves (a power of two) is 2 * size keys from `first` on: key 1 is the root, leaf i is key size + i,
and every key is the smaller of the two below it. Of equal keys the leftmost leaf is named, so that a run is
reproducible. Who wins can't be predicted, so there is no branch on it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.compiled import inlined
from meritorder.records import Records


def new_tree(leaves: int) -> npt.NDArray[np.float64]:
    """A tree over `leaves` leaves, all with key infinity."""
    return np.full(2 * tree_size(leaves), np.inf)


def tree_size(leaves: int) -> int:
    """Leaves of the tree that holds `leaves`: the next power of two."""
    return 1 << max(leaves - 1, 0).bit_length()


@inlined
def set_key(keys: Records, first: int, size: int, leaf: int, key: float) -> None:
    """Give `leaf` the key `key` and replay its matches up to the root."""
    node = size + leaf
    keys[first + node] = key
    while node > 1:
        key = min(key, keys[first + (node ^ 1)])
        node >>= 1
        keys[first + node] = key


@inlined
def smallest(keys: Records, first: int, size: int) -> int:
    """The leaf with the smallest key, the leftmost on a draw."""
    least = keys[first + 1]
    node = 1
    while node < size:
        node = 2 * node + int(keys[first + 2 * node] != least)
    return node - size
