"""The tournament tree against looking at every leaf."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meritorder.dispatch.tournament import new_tree, set_key, smallest, tree_size


@given(st.data(), st.integers(1, 40))
def test_the_leftmost_of_the_least_is_found(data: st.DataObject, leaves: int) -> None:
    tree, size = new_tree(leaves), tree_size(leaves)
    assert tree[1] == np.inf
    keys = [np.inf] * leaves
    # few distinct keys, so that draws are common
    changes = st.lists(st.tuples(st.integers(0, leaves - 1), st.sampled_from([0.0, 1.0, 2.0, np.inf])))
    for leaf, key in data.draw(changes):
        set_key(tree, 0, size, leaf, key)
        keys[leaf] = key
        assert tree[1] == min(keys)
        if min(keys) < np.inf:
            assert smallest(tree, 0, size) == keys.index(min(keys))


def test_several_trees_in_one_array_do_not_touch() -> None:
    trees = np.concatenate([new_tree(4), new_tree(4)])
    set_key(trees, 8, 4, 2, 5.0)
    assert trees[1] == np.inf
    assert (trees[9], smallest(trees, 8, 4)) == (5.0, 2)
