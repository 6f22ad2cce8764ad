from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.workload.read import read
from meritorder.workload.statistics.prefix import hit_curve, reuse, reuse_gaps
from meritorder.workload.trace import Trace, make_trace

BLOCK = 16


def chained(prompts: list[list[int]], lengths: list[int] | None = None) -> Trace:
    """Prompts as lists of words: equal beginnings get equal ids."""
    ids: dict[tuple[int, ...], int] = {}
    blocks = [ids.setdefault(tuple(p[: k + 1]), len(ids)) for p in prompts for k in range(len(p))]
    start = np.concatenate(([0], np.cumsum([len(p) for p in prompts])))
    tokens = lengths or [len(p) * BLOCK for p in prompts]
    n = len(prompts)
    return make_trace(np.arange(n), tokens, np.ones(n), block_start=start, blocks=blocks, block_tokens=BLOCK)


def slow_hits(trace: Trace, capacity: float) -> list[int]:
    """The definition, word by word, with an ordered dictionary as LRU cache."""
    cache: OrderedDict[int, None] = OrderedDict()
    hits = []
    for r in range(len(trace)):
        own = trace.blocks[trace.block_start[r] : trace.block_start[r + 1]].tolist()
        run = 0
        while run < len(own) and own[run] in cache:
            run += 1
        hits.append(min(run * trace.block_tokens, int(trace.prompt_tokens[r])))
        for block in own:
            cache.pop(block, None)
            cache[block] = None
            if len(cache) > capacity:
                cache.popitem(last=False)
    return hits


words = st.lists(st.integers(0, 2), max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(words, min_size=1, max_size=30), st.integers(1, 40), st.data())
def test_equals_a_simulated_lru_cache(prompts: list[list[int]], capacity: int, data: st.DataObject) -> None:
    # The last block may be partly filled, so lengths are anything up to the blocks.
    lengths = [data.draw(st.integers(max(len(p) * BLOCK - BLOCK + 1, 1), max(len(p) * BLOCK, 1))) for p in prompts]
    trace = chained(prompts, lengths)
    found = reuse(trace)
    assert found.hit_tokens(capacity) == sum(slow_hits(trace, capacity))
    assert found.hit_tokens_by_request(len(trace)).tolist() == slow_hits(trace, np.inf)
    assert hit_curve(found, [capacity, 10**9]).tolist() == [found.hit_tokens(capacity), found.hit_tokens()]


def test_more_runs_than_room_are_found_too() -> None:
    # Every prompt touches one block more than the one before, then a long one meets a run per earlier prompt.
    depth = 300
    prompts = [list(range(k)) for k in range(depth, 0, -1)] * 20
    trace = chained(prompts)
    assert reuse(trace).hit_tokens(70) == sum(slow_hits(trace, 70))


def test_gaps_between_touches() -> None:
    trace = replace(chained([[1, 2], [1], [1, 2]]), arrival_s=np.array([0.0, 10.0, 15.0]))
    gaps, blocks = reuse_gaps(trace, reuse(trace))
    assert dict(zip(gaps.tolist(), blocks.tolist(), strict=True)) == {5.0: 1, 10.0: 1, 15.0: 1}


@pytest.mark.parametrize("blocks", [[0, 1, 2, 1], [0, 1, 1, 0], [0, 0, 1, 2]])
def test_ids_that_are_not_chained_are_refused(blocks: list[int]) -> None:
    trace = make_trace([0, 1], [32, 32], [1, 1], block_start=[0, 2, 4], blocks=blocks, block_tokens=16)
    with pytest.raises(ValueError, match="not prefix-chained"):
        reuse(trace)


def test_mooncake_table_exactly(shared: Path) -> None:
    trace = read(shared / "traces" / "mooncake_conversation_trace.jsonl.gz")
    found = reuse(trace)
    assert trace.prompt_tokens.sum(dtype=np.int64) == 144_793_823
    assert trace.unique_blocks == 182_790
    assert found.hit_tokens() == 54_098_411
    assert hit_curve(found, [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000]).tolist() == [
        6_567_267,
        7_925_494,
        16_290_777,
        31_174_981,
        42_444_254,
        52_347_371,
        53_695_979,
    ]
