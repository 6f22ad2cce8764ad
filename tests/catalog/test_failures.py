"""Rates of failures: every figure has a source, guesses have ranges, values lie in them and agree with the notes."""

from __future__ import annotations

import pytest

from meritorder.catalog.failures import Failures, failures, failures_of, reload_of
from meritorder.catalog.ranges import span
from meritorder.fleet.faults import BREAKS

HOUR = 3600.0


@pytest.mark.parametrize("known", failures(), ids=lambda one: one.name)
def test_figures_are_sourced_and_within_their_ranges(known: Failures) -> None:
    assert {"mtbf", "mttr", "shape", "spread"} <= set(known.figures)
    for key, figure in known.figures.items():
        assert figure.source
        assert figure.date
        assert figure.confidence in ("high", "medium", "low", "guess")
        assert figure.confidence != "guess" or figure.low is not None, key
        if figure.low is not None:
            ends = span(figure.low, figure.high)
            assert ends.low <= known.values[key] <= ends.high, key


def test_every_kind_of_fault_has_rates() -> None:
    assert {known.what for known in failures()} == set(BREAKS) - {"pipeline"}
    for what in set(BREAKS) - {"pipeline"}:
        for kind in ("gpu", "wafer"):
            assert failures_of(what, kind).what == what


def test_published_anchors() -> None:
    """Llama 3: 419 unexpected interruptions of 16,384 GPUs in 54 days. RSC-1 and RSC-2: failures per node and day."""
    machine = failures_of("machine", "gpu")
    assert machine.per_accelerator
    assert machine.values["mtbf"] == pytest.approx(16_384 * 54 * 24 * HOUR / 419, rel=0.01)
    ends = span(machine.figures["mtbf"].low, machine.figures["mtbf"].high)
    assert ends.low == pytest.approx(8 * 24 * HOUR / 0.0065, rel=0.01)
    assert ends.high == pytest.approx(8 * 24 * HOUR / 0.00234, rel=0.01)
    pump, chiller = failures_of("pump", ""), failures_of("chiller", "")
    assert pump.values["mtbf"] == pytest.approx(8760 * HOUR / (0.347 + 0.079), rel=0.01)
    assert pump.values["mttr"] == pytest.approx((0.347 * 18 + 0.079 * 13) / 0.426 * HOUR, rel=0.01)
    assert chiller.values["mtbf"] == pytest.approx(8760 * HOUR / (0.588 + 0.249 + 0.078), rel=0.01)
    assert chiller.values["mttr"] == pytest.approx((0.588 * 12 + 0.249 * 13 + 0.078 * 4.2) / 0.915 * HOUR, rel=0.01)
    assert failures_of("machine", "wafer").figures["mtbf"].confidence == "guess"


def test_weights_load_at_a_rate_within_what_was_measured() -> None:
    """15 GB in 48 s from a slow disk to 620 GB in 40 s on eight chips."""
    gpu = reload_of("gpu")
    assert 15e9 / 48 / 2.5 < gpu.load_bytes_per_s < 620e9 / 40 / 8
    assert reload_of("wafer").engine_start_s > 0
