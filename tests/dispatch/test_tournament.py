"""The tournament tree against looking at every leaf."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meritorder.dispatch.tournament import new_nodes, set_key, tree_size


@given(st.data(), st.integers(1, 40))
def test_root_is_the_leftmost_least(data: st.DataObject, leaves: int) -> None:
    nodes = new_nodes(leaves)
    assert nodes[1].key == float("inf")
    keys = [float("inf")] * leaves
    # few distinct keys, so that draws are common
    changes = st.lists(st.tuples(st.integers(0, leaves - 1), st.sampled_from([0.0, 1.0, 2.0, float("inf")])))
    for leaf, key in data.draw(changes):
        set_key(nodes, 0, tree_size(leaves), leaf, key)
        keys[leaf] = key
        assert nodes[1].key == min(keys)
        if min(keys) < float("inf"):
            assert nodes[1].leaf == keys.index(min(keys))


def test_several_trees_in_one_array_do_not_touch() -> None:
    nodes = new_nodes(4)
    both = new_nodes(4)
    joined = type(nodes)(nodes.shape[0] * 2, dtype=nodes.dtype)
    joined[:8], joined[8:] = nodes, both
    set_key(joined, 8, 4, 2, 5.0)
    assert joined[1].key == float("inf")
    assert (joined[9].key, joined[9].leaf) == (5.0, 2)
