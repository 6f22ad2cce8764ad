"""Losses at the busiest hour: when it is, what may be lost, who breaks, and what is said about it."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError
from meritorder.simulate.contingency.cases import contingencies
from meritorder.simulate.contingency.judge import in_words, verdict
from meritorder.simulate.contingency.study import study
from meritorder.simulate.contingency.window import busiest, within
from meritorder.workload.trace import Trace, make_trace

FLEET = """
sites:
  dallas: {usd_per_kwh: 0.05, kg_per_kwh: 0.3, FACILITY}
  toronto: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
pools:
  near: {site: dallas, accelerator: h200, model: llama-3.1-8b, replicas: 3}
  far: {site: toronto, accelerator: mi300x, model: llama-3.1-8b, replicas: 3}
services:
  fast: {model: llama-3.1-8b, share: 0.3, slo: {ttft: 300 ms}, pools: [near], patience: 60 s}
  chat: {model: llama-3.1-8b, share: 0.7, slo: {ttft: 2 s}, overload: shed}
faults: {at: [{what: engine, name: far, start: 1 s}], engine_start: 5 s, load_rate: 10 GB/s}
"""


def fleet(facility: str = "") -> Fleet:
    return loads(FLEET.replace("FACILITY", facility or "pue: 1.2"))


def traffic(hours: float, peak_h: float, seed: int = 0) -> Trace:
    """Twenty requests a minute, twice as many in the hour from `peak_h`."""
    rng = np.random.default_rng(seed)
    span_s = hours * 3600
    times = rng.uniform(0, span_s, int(20 * 60 * hours))
    more = rng.uniform(peak_h * 3600, (peak_h + 1) * 3600, 1200)
    arrival = np.sort(np.concatenate([times, more[more < span_s]]))
    n = len(arrival)
    return make_trace(arrival, rng.integers(100, 900, n), rng.integers(50, 150, n), source="made up")


def test_the_busiest_hour_is_found_and_the_loss_comes_at_its_middle() -> None:
    window = busiest(traffic(8, 3.0))
    assert window.peak_s == pytest.approx(3 * 3600, abs=300)
    assert window.start_s == pytest.approx(window.peak_s - 600)
    assert window.loss_s - window.peak_s == window.stop_s - window.loss_s == 1800
    assert window.outage_s == 900
    cut = within(traffic(8, 3.0), window)
    assert cut.arrival_s[0] >= window.start_s  # its own times, not shifted to 0
    assert 0.9 * 600 * 3.3 < len(cut) < 600 * 4.5


def test_tokens_count_not_requests() -> None:
    """Few but large requests make the peak; many small ones do not."""
    arrival = np.concatenate([np.arange(0, 3600, 1.0), 7200 + np.arange(0, 3600, 60.0)])
    tokens = np.concatenate([np.full(3600, 10), np.full(60, 100_000)])
    assert busiest(make_trace(arrival, tokens, np.full(len(arrival), 10))).peak_s > 3600


def test_traffic_shorter_than_an_hour_is_its_own_peak() -> None:
    trace = traffic(0.2, 0.0)
    window = busiest(trace)
    span = trace.arrival_s[-1] - trace.arrival_s[0]
    assert window.start_s == trace.arrival_s[0]
    assert window.stop_s == pytest.approx(trace.arrival_s[-1])
    assert window.peak_s == pytest.approx(window.start_s + span / 6)
    assert window.loss_s == pytest.approx(window.start_s + span / 2)
    assert len(within(trace, window)) == len(trace)
    assert [phase[1] for phase in window.phases().values()] == [window.loss_s, window.back_s, inf]


def test_what_may_be_lost() -> None:
    every = contingencies(fleet("facility: {}"))
    assert [one.name for one in every] == [*("dallas", "toronto", "NVIDIA", "AMD", "dallas feed 0", "dallas feed 1")]
    assert [one.what for one in contingencies(fleet(), "supplier")] == ["supplier", "supplier"]
    assert [one.name for one in contingencies(fleet("facility: {}"), "AMD, dallas feed 1")] == ["AMD", "dallas feed 1"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("dalas", 'nothing called "dalas" to lose'),
        ("feed", "the fleet has no feed"),
        ("all,dallas,amd", 'nothing called "amd"'),
    ],
)
def test_what_is_not_there_can_not_be_lost(wanted: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        contingencies(fleet(), wanted)
    assert refused.value.problems[0].fix


@pytest.mark.parametrize(
    ("during", "base", "expected"),
    [(0.99, 0.99, "holds"), (0.4, 0.99, "breaks"), (0.4, 0.9, "missed anyway"), (None, 0.99, "no requests")],
)
def test_verdicts(during: float | None, base: float, expected: str) -> None:
    assert verdict({"during": during, "wanted": 0.95}, {"during": base, "wanted": 0.95}) == expected


def test_sentences() -> None:
    rows: dict[str, dict[str, Any]] = {
        "ultrafast": {"during": 0.41, "wanted": 0.95, "verdict": "breaks"},
        "chat": {"during": 0.97, "wanted": 0.95, "verdict": "holds"},
        "batch": {"during": 0.5, "wanted": 0.9, "verdict": "missed anyway"},
    }
    told = in_words("dallas", rows)
    assert told.startswith("loss of dallas breaks ultrafast: 41 % within target, needs 95 %")
    assert told.endswith("batch misses its level also without it")
    assert in_words("x", {"chat": rows["chat"]}) == "loss of x breaks no service"


def test_the_loss_of_its_only_site_breaks_a_service() -> None:
    """`fast` lives in dallas alone: down with the site and with its supplier; `chat` finds the other site."""
    told, whole = study(fleet(), traffic(1.2, 0.1), contingencies(fleet()))
    assert (whole.status == 1).all()  # nothing is lost in the base case: faults of the file do not happen here
    by_name = {case["name"]: case for case in told["contingencies"]}
    for loss in ("dallas", "NVIDIA"):
        services = by_name[loss]["services"]
        assert services["fast"]["verdict"] == "breaks"
        assert services["fast"]["before"] == services["fast"]["base"] == 1.0
        assert services["fast"]["during"] < 0.1
        assert services["fast"]["after"] > 0.9
        assert services["chat"]["verdict"] == "holds"
        assert services["chat"]["lost"] == services["chat"]["refused"] == 0
        assert "breaks fast" in by_name[loss]["words"]
    for loss in ("toronto", "AMD"):
        assert all(row["verdict"] == "holds" for row in by_name[loss]["services"].values())
