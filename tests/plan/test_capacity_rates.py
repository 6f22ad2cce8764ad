"""Rates against plain simulations, and what they must do when machines, targets and distances change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capacity_fleet import Change, capacity_fleet

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import Capacity, Key, capacities, cases_of
from meritorder.plan.capacity import measure as measuring
from meritorder.plan.capacity import runs as running
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.rig import rig
from meritorder.plan.capacity.traffic import traffic_of
from meritorder.simulate.columns import columns
from meritorder.simulate.run import simulate
from meritorder.simulate.service_level import Target, Verdict, judge

KEY = Key("node", "", "chat")


def found(fleet: Fleet, **options: Any) -> Capacity:
    """The one capacity."""
    return capacities(fleet, cases_of(fleet), cache=False, **options)[KEY]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """As it is."""
    return capacity_fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def capacity(fleet: Fleet) -> Capacity:
    """Its capacity in three pools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "SIZES", (1, 4, 16))
        return found(fleet)


def kept(fleet: Fleet, replicas: int, rate: float, rtt_s: float = 0.0) -> float:
    """Share that keeps the targets in a plain simulation of another seed, at `rate` requests/s a replica."""
    small = rig(fleet, cases_of(fleet)[0], replicas, rtt_s=rtt_s)
    result = simulate(small, Source(traffic_of(fleet, "chat", 5), 5).draw(rate * replicas, 40_000 / rate / replicas))
    slo = fleet.services["chat"].slo
    verdicts = judge(columns(result), [Target(slo.ttft, slo.token_rate)])[len(result.trace) // 5 :]
    return float((verdicts == Verdict.MET).mean())


@pytest.mark.parametrize(("replicas", "rtt_s"), [(4, 0.0), (16, 0.0), (4, 0.36)])
def test_a_plain_simulation_agrees(fleet: Fleet, capacity: Capacity, replicas: int, rtt_s: float) -> None:
    """Kept 5 % below the rate, broken 5 % above it, on requests that the search has not seen.

    Within 0.3 points, twice the standard error of such a share: 0.36 s away it hardly changes with the rate.
    """
    rate = capacity.rate(replicas, rtt_s)
    assert rate > 1.0
    assert kept(fleet, replicas, 0.95 * rate, rtt_s) >= 0.95 - 0.003
    assert kept(fleet, replicas, 1.05 * rate, rtt_s) < 0.95


def test_rates_rise_with_the_pool_and_fall_with_the_distance(capacity: Capacity) -> None:
    """By construction in `rate`; what was simulated already does so within its error."""
    pools = [capacity.rate(n, 0.02) for n in (0.5, 1, 2, 3, 8, 50, 64, 500)]
    far = [capacity.rate(8, s) for s in (0.0, 0.01, 0.1, 0.3, 0.36, 0.399, 0.4, 1.0)]
    assert pools == sorted(pools)
    assert pools[-1] > 1.02 * pools[0]
    assert far == sorted(far, reverse=True)
    assert far[-1] == 0.0
    row = np.array([rates[capacity.rtts.index(0.0)] for rates in capacity.simulated])
    assert (np.diff(row) > -3 * max(capacity.errors) * row[1:]).all()
    assert capacity.rate_per_ttft(8, 0.35) > 0


def test_joules_and_watts_fit_together(capacity: Capacity) -> None:
    """At the full rate a replica draws more than idle and no more than it can; half the load is no cheaper."""
    full = capacity.idle_w + capacity.joules * capacity.rate(max(capacity.sizes))
    assert 1.3 * capacity.idle_w < full <= 1.02 * capacity.max_w
    assert capacity.curvature > -0.05
    assert capacity.replica_systems == 1 / 8


def change(path: str, value: Any) -> Change:
    """Sets `a.b.c` of the fleet's data."""

    def apply(data: dict[str, Any]) -> None:
        *parts, last = path.split("/")
        for part in parts:
            data = data[part]
        data[last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "factor"),
    [
        ("services/chat/slo/token_rate", "40 tok/s", 1.1),
        ("services/chat/slo/percentile", 0.99, 0.99),
        ("services/chat/slo", {}, 1.2),
        ("plan/offers/node/accelerator", "b200", 1.3),
    ],
)
def test_looser_targets_and_faster_machines_carry_more(
    tmp_path: Path, capacity: Capacity, monkeypatch: pytest.MonkeyPatch, path: str, value: Any, factor: float
) -> None:
    """Each by at least so much (less, where the factor is below 1)."""
    monkeypatch.setattr(measuring, "SIZES", (4,))
    monkeypatch.setattr(running, "EFFORTS", (2_000, 4_000, 8_000))
    other = found(capacity_fleet(tmp_path, change(path, value))).rate(4)
    assert other > factor * capacity.rate(4) if factor > 1 else other < factor * capacity.rate(4)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("services/chat/slo/token_rate", "900 tok/s", "even alone only .* decode speed"),
        ("services/chat/slo/ttft", "4 ms", "even alone only .* prefill"),
        (
            "plan/offers/node/runs/llama-3.1-8b",
            {"engine": {"memory_fraction": 0.1}},
            "the model doesn't run so: .*does not fit",
        ),
    ],
)
def test_what_cannot_be_has_a_reason(tmp_path: Path, path: str, value: Any, words: str) -> None:
    """Not a number: rate 0 at any pool, told at once."""
    none = found(capacity_fleet(tmp_path, change(path, value)))
    assert none.rate(16) == 0.0
    assert not none.sizes
    assert re.search(words, none.reason), none.reason


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are simulated at a time; another seed moves them within their error."""
    monkeypatch.setattr(measuring, "SIZES", (4,))
    monkeypatch.setattr(running, "EFFORTS", (2_000, 4_000, 8_000))

    def two(data: dict[str, Any]) -> None:
        data["plan"]["offers"]["rack"] = {**data["plan"]["offers"]["node"], "chips": 4}

    fleet = capacity_fleet(tmp_path, two)
    one, both = (capacities(fleet, cases_of(fleet), cache=False, jobs=jobs) for jobs in (1, 2))
    assert one == both
    assert list(one) == [case.key for case in cases_of(fleet)]
    other = capacities(fleet, cases_of(fleet)[:1], cache=False, seed=9)[KEY]
    assert other != one[KEY]
    assert other.rate(4) == pytest.approx(one[KEY].rate(4), rel=0.05)
    assert replace(one[Key("rack", "", "chat")], key=KEY, replica_systems=1 / 8) == one[KEY]
