"""Traffic of any rate from one base."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.plan.capacity.draw import Source
from meritorder.workload.trace import Trace, make_trace


def base(sessions: bool = False) -> Trace:
    """Bursts of ten requests every ten seconds or so: the variance of counts is many times their mean."""
    rng = np.random.default_rng(3)
    starts = np.cumsum(rng.exponential(10.0, 400))
    time = np.sort((starts[:, None] + rng.uniform(0, 1.0, (400, 10))).ravel())
    n = len(time)
    extra = {"session": np.arange(n) // 4} if sessions else {}
    blocks = {"block_start": np.arange(n + 1), "blocks": np.arange(n) // 2, "block_tokens": 16} if sessions else {}
    return make_trace(time, np.full(n, 100), rng.integers(1, 200, n), **extra, **blocks)


def dispersion(trace: Trace, window: float, span: float) -> float:
    """Variance over mean of counts."""
    counts = np.bincount((trace.arrival_s / window).astype(int), minlength=int(span / window))[: int(span / window)]
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize("factor", [0.01, 0.3, 1.0, 2.5, 40.0])
def test_the_rate_is_what_was_asked_for(factor: float) -> None:
    """Thinned, as it is, and overlaid; times are sorted within the span."""
    source = Source(base(), 1)
    span = 3000.0 / (source.rate * factor)
    trace = source.draw(source.rate * factor, span)
    assert len(trace) == pytest.approx(3000, rel=0.25)
    assert (np.diff(trace.arrival_s) >= 0).all()
    assert trace.arrival_s[0] >= 0
    assert trace.arrival_s[-1] <= span


def test_overlaying_keeps_bursts_and_thinning_takes_them_away() -> None:
    """Copies add their variances; a thirtieth of the sessions is nearly Poisson."""
    source = Source(base(), 1)
    span = 4000.0
    as_is = dispersion(source.draw(source.rate, span), 5.0, span)
    many = dispersion(source.draw(source.rate * 20, span), 5.0, span)
    few = dispersion(source.draw(source.rate / 30, 30 * span), 5.0, 30 * span)
    assert as_is > 3.5
    assert many == pytest.approx(as_is, rel=0.3)
    assert few < 1.5


def test_more_holds_less() -> None:
    """A higher rate has all requests of a lower one, so that the two are compared on the same bursts."""
    source = Source(base(), 1)
    low = set(source.draw(source.rate * 2.2, 500.0).arrival_s.tolist())
    high = set(source.draw(source.rate * 2.6, 500.0).arrival_s.tolist())
    assert low < high


def test_the_same_seed_gives_the_same_bits() -> None:
    """And another one other requests."""
    first, again, other = (Source(base(), seed).draw(9.0, 300.0) for seed in (1, 1, 2))
    assert np.array_equal(first.arrival_s, again.arrival_s)
    assert not np.array_equal(first.arrival_s[:50], other.arrival_s[:50])


def test_sessions_stay_whole_and_copies_have_texts_of_their_own() -> None:
    """Thinning drops all requests of a session or none; overlaid copies share no block."""
    source = Source(base(sessions=True), 1)
    half = source.draw(source.rate * 0.5, 400.0 / source.rate)
    inside = np.bincount(half.session)[1:-1]
    assert (inside == 4).mean() > 0.9
    twice = source.draw(source.rate * 2, 400.0 / source.rate)
    shared = np.bincount(twice.blocks)
    assert shared.max() == 2  # as in the base
    assert twice.unique_blocks > source.draw(source.rate, 400.0 / source.rate).unique_blocks * 1.7
