"""A tournament tree: who is smallest among many, with O(log n) per change and O(1) per question.

A tree over `size` leaves (a power of two) is 2 * size nodes from `first` on; node 1 is the root, leaf i is node
size + i. Of equal keys the leftmost leaf wins, so that a run is reproducible.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import inlined
from meritorder.dispatch.records import Records, records

NODE = np.dtype([("key", np.float64), ("leaf", np.int64)])


def new_nodes(leaves: int) -> Records:
    """Nodes of a tree over `leaves` leaves, all with key infinity."""
    size = tree_size(leaves)
    nodes = records(2 * size, NODE)
    nodes.key[:] = np.inf
    leaf = np.arange(2 * size)
    while (leaf < size).any():
        leaf = np.where((leaf < size) & (leaf > 0), 2 * leaf, leaf)
        leaf[0] = size
    nodes.leaf[:] = leaf - size
    return nodes


def tree_size(leaves: int) -> int:
    """Leaves of the tree that holds `leaves`: the next power of two."""
    return 1 << max(leaves - 1, 0).bit_length()


@inlined
def set_key(nodes: Records, first: int, size: int, leaf: int, key: float) -> None:
    """Give `leaf` the key `key` and replay its matches up to the root."""
    node = size + leaf
    nodes[first + node].key = key
    winner = leaf
    while node > 1:
        other = nodes[first + (node ^ 1)]
        # the left one of a pair wins a draw
        if other.key < key or (other.key == key and (node & 1) == 1):
            key = other.key
            winner = other.leaf
        node >>= 1
        above = nodes[first + node]
        if above.key == key and above.leaf == winner:
            return
        above.key = key
        above.leaf = winner
