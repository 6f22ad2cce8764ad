"""Cutting, scaling, mixing: what must stay the same does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_parquet import traces
from test_read import check_contract

from meritorder.problems import InputError
from meritorder.workload.read import read
from meritorder.workload.rows import by_time, join, recorded_times, take, units
from meritorder.workload.trace import Trace, make_trace
from meritorder.workload.transform import assign_services, mix, scale_rate
from meritorder.workload.transform import slice as cut

SESSIONS = make_trace(
    [0, 1, 5, 6, 20],
    [64, 64, 128, 128, 64],
    [1, 2, 3, 4, 5],
    session=[0, 1, 0, 1, -1],
    turn=[0, 0, 1, 1, 0],
    after=[-1, -1, 0, 1, -1],
    think_s=[0, 0, 3, 4, 0],
    block_start=[0, 1, 2, 4, 6, 7],
    blocks=[0, 1, 0, 2, 1, 3, 4],
    block_tokens=64,
    source="made up",
)


def idc(trace: Trace, window_s: float) -> float:
    counts = np.bincount((trace.arrival_s // window_s).astype(int))[:-1]
    return float(counts.var() / counts.mean())


def bursty(seconds: int = 20_000) -> Trace:
    """On/off traffic: bursts of 50 in a second, quiet for 100 s on average."""
    rng = np.random.default_rng(5)
    starts = np.sort(rng.uniform(0, seconds, seconds // 100))
    arrival = np.sort((starts[:, None] + rng.uniform(0, 1, (len(starts), 50))).ravel())
    return make_trace(arrival, np.full(len(arrival), 10), np.full(len(arrival), 10))


@settings(max_examples=150, deadline=None)
@given(traces(), st.floats(0, 1e6), st.floats(1, 1e6))
def test_a_cut_holds_what_was_recorded_in_it(trace: Trace, start: float, span: float) -> None:
    times = recorded_times(trace)
    inside = (times >= start) & (times < start + span)
    if not inside.any():
        with pytest.raises(InputError, match="no request from"):
            cut(trace, start, start + span)
        return
    part = cut(trace, start, start + span)
    check_contract(by_time(part))
    assert len(part) == inside.sum()
    assert Counter(part.prompt_tokens.tolist()) == Counter(trace.prompt_tokens[inside].tolist())
    assert (part.arrival_s >= 0).all()
    assert (part.arrival_s < span * (1 + 1e-9) + 1e-6).all()


def test_a_cut_session_goes_on_by_the_clock() -> None:
    part = cut(SESSIONS, 3, 10)
    assert part.arrival_s.tolist() == [2, 3]
    assert part.after.tolist() == [-1, -1]
    assert part.think_s.tolist() == [0, 0]
    assert part.session.tolist() == [0, 1]
    assert part.turn.tolist() == [1, 1]
    assert part.blocks.tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="--from/--to"):
        cut(SESSIONS, 5, 5)


@settings(max_examples=100, deadline=None)
@given(traces(), st.floats(0.05, 4), st.integers(0, 5), st.booleans())
def test_scaling_keeps_sessions_whole(trace: Trace, factor: float, seed: int, share: bool) -> None:
    scaled = scale_rate(trace, factor, seed, share_blocks=share)
    if not len(scaled):
        assert factor < 1
        return
    if factor != 1:
        check_contract(scaled)
    sizes = Counter(np.unique(units(trace), return_counts=True)[1].tolist())
    after = Counter(np.unique(units(scaled), return_counts=True)[1].tolist())
    for size, count in after.items():
        assert size in sizes
        assert int(factor) * sizes[size] <= count <= (int(factor) + 1) * sizes[size]
    assert np.array_equal(
        scaled.arrival_s, scale_rate(trace, factor, seed, share_blocks=share).arrival_s, equal_nan=True
    )


def test_copies_are_other_sessions_with_other_texts() -> None:
    doubled = scale_rate(SESSIONS, 2, seed=1)
    assert len(doubled) == 10
    assert len(set(doubled.session.tolist())) == 5
    assert doubled.unique_blocks == 10
    assert scale_rate(SESSIONS, 2, seed=1, share_blocks=True).unique_blocks == 5
    linked = np.flatnonzero(doubled.after >= 0)
    assert (doubled.session[linked] == doubled.session[doubled.after[linked]]).all()
    gaps = doubled.arrival_s[linked] - doubled.arrival_s[doubled.after[linked]]
    assert gaps == pytest.approx([5, 5, 5, 5])


@pytest.mark.parametrize("factor", [2, 3.5, 8])
def test_bursts_stay_bursts_when_the_rate_grows(factor: float) -> None:
    trace = bursty()
    scaled = scale_rate(trace, factor, seed=2)
    assert len(scaled) == pytest.approx(factor * len(trace), rel=0.03)
    assert idc(scaled, 10) == pytest.approx(idc(trace, 10), rel=0.25)
    # Time dilation would keep IDC at other windows and is not the default.
    assert scaled.duration_s == pytest.approx(trace.duration_s, rel=0.02)


def test_thinning_follows_its_law() -> None:
    trace = bursty(200_000)
    half = scale_rate(trace, 0.5, seed=3)
    assert len(half) == pytest.approx(len(trace) / 2, rel=0.02)
    assert idc(half, 10) - 1 == pytest.approx((idc(trace, 10) - 1) / 2, rel=0.05)


def test_dilation_keeps_the_requests() -> None:
    faster = scale_rate(SESSIONS, 2, dilate=True)
    assert faster.arrival_s.tolist() == [0, 0.5, 2.5, 3, 10]
    assert faster.think_s.tolist() == SESSIONS.think_s.tolist()


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), 1e9])
def test_impossible_factors(factor: float) -> None:
    with pytest.raises(InputError, match="--factor"):
        scale_rate(SESSIONS, factor)


@settings(max_examples=60, deadline=None)
@given(traces(), traces())
def test_a_mix_holds_both(one: Trace, other: Trace) -> None:
    sizes = {t.block_tokens for t in (one, other) if t.has_blocks}
    if len(sizes) == 2 and max(sizes) % min(sizes):
        with pytest.raises(InputError):
            mix([one, other], ["a", "b"])
        return
    mixed = mix([one, other], ["a", "b"])
    check_contract(mixed)
    assert mixed.services == ("a", "b")
    assert Counter(mixed.output_tokens.tolist()) == Counter(
        [*one.output_tokens.tolist(), *other.output_tokens.tolist()]
    )
    assert (mixed.service == 0).sum() == len(one)


def test_a_mix_joins_blocks_to_the_coarsest_and_says_so() -> None:
    fine = make_trace(
        [0.0, 1.0], [64, 80], [1, 1], block_start=[0, 4, 9], blocks=[0, 1, 2, 3, 0, 1, 2, 3, 4], block_tokens=16
    )
    coarse = make_trace([0.5], [64], [1], block_start=[0, 2], blocks=[0, 1], block_tokens=32)
    mixed = mix([fine, coarse], ["fine", "coarse"])
    assert mixed.block_tokens == 32
    assert np.diff(mixed.block_start).tolist() == [2, 2, 2]
    assert mixed.blocks.tolist() == [0, 1, 2, 3, 0, 1]
    assert any("joined to blocks of 32" in warning for warning in mixed.warnings)
    with pytest.raises(InputError, match="stands twice"):
        mix([fine, coarse], ["same", "same"])


def test_services_by_share_keep_sessions_whole() -> None:
    rng = np.random.default_rng(0)
    session = rng.integers(0, 2000, 20_000)
    trace = make_trace(np.arange(20_000.0), np.full(20_000, 5), np.full(20_000, 5), session=session)
    assigned = assign_services(trace, {"chat": 3, "code": 1}, seed=4)
    assert assigned.services == ("chat", "code")
    assert (assigned.service == 0).mean() == pytest.approx(0.75, abs=0.04)
    for number in range(50):
        assert len(set(assigned.service[session == number].tolist())) == 1
    assert np.array_equal(assigned.service, assign_services(trace, {"chat": 3, "code": 1}, seed=4).service)
    for bad in ({}, {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan")}):
        with pytest.raises(InputError, match="shares"):
            assign_services(trace, bad)


@settings(max_examples=100, deadline=None)
@given(traces(), st.data())
def test_take_keeps_texts(trace: Trace, data: st.DataObject) -> None:
    kept = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=len(trace), max_size=len(trace))))
    part = take(trace, kept)
    for new, old in enumerate(kept):
        mine = part.blocks[part.block_start[new] : part.block_start[new + 1]]
        was = trace.blocks[trace.block_start[old] : trace.block_start[old + 1]]
        assert len(mine) == len(was)
        # Equal ids stay equal, different ones different: compare with the first request.
        first_new = part.blocks[part.block_start[0] : part.block_start[1]]
        first_old = trace.blocks[trace.block_start[kept[0]] : trace.block_start[kept[0] + 1]]
        assert (mine[:, None] == first_new[None, :]).tolist() == (was[:, None] == first_old[None, :]).tolist()


def test_joining_different_block_sizes_is_an_error() -> None:
    other = make_trace([0.0], [5], [5], block_start=[0, 1], blocks=[0], block_tokens=16)
    with pytest.raises(ValueError, match="can't be joined"):
        join([SESSIONS, other])


def test_real_bursts_survive_scaling(shared: Path) -> None:
    trace = read(shared / "traces" / "AzureLLMInferenceTrace_code.csv.gz")
    scaled = scale_rate(trace, 4, seed=0)
    assert idc(scaled, 1) == pytest.approx(idc(trace, 1), rel=0.2)
    assert Counter(scaled.prompt_tokens.tolist()) == Counter(4 * trace.prompt_tokens.tolist())
