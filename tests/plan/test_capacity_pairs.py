"""Prompts on one machine and tokens on another; several services on the same machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capacity_fleet import capacity_fleet

from meritorder.plan.capacity import Capacity, Key, capacities, cases_of
from meritorder.plan.capacity import measure as measuring
from meritorder.plan.capacity import runs as running
from meritorder.plan.capacity.mix import mix_error
from meritorder.plan.capacity.observe import BATCHES, interval, wilson
from meritorder.plan.capacity.pairs import _whole

PAIR = Key("node", "rack", "chat")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pool, short runs."""
    monkeypatch.setattr(measuring, "SIZES", (4,))
    monkeypatch.setattr(running, "EFFORTS", (1_500, 3_000, 6_000))


def paired(data: dict[str, Any]) -> None:
    """Nodes that read and racks that write."""
    plan = data["plan"]
    plan["offers"]["rack"] = {**plan["offers"]["node"], "accelerator": "h200"}
    plan["pairs"] = {"split": {"prefill": "node", "decode": "rack", "models": ["llama-3.1-8b"]}}
    data["services"]["chat"]["slo"] = {"ttft": "500 ms", "token_rate": "60 tok/s"}


@pytest.mark.slow
def test_a_pair_carries_with_both_sides_full(tmp_path: Path) -> None:
    """Rates of both sides belong to one load: replicas x rate agree; each side idles and draws for itself."""
    fleet = capacity_fleet(tmp_path, paired)
    found = capacities(fleet, cases_of(fleet), cache=False)
    pair, whole = found[PAIR], found[Key("node", "", "chat")]
    other = pair.decode
    assert isinstance(other, Capacity)
    assert other.decode is None
    assert pair.sizes[0] * pair.rate(pair.sizes[0]) == pytest.approx(other.sizes[0] * other.rate(other.sizes[0]))
    assert pair.rate(4) > 1.5 * whole.rate(4)  # a node that only reads reads for more
    assert pair.joules > 0
    assert other.joules > 0
    assert pair.joules != other.joules


@pytest.mark.parametrize(
    ("ratio", "pair"), [(1.0, (1, 1)), (0.25, (1, 4)), (3.1, (3, 1)), (0.6, (3, 5)), (1e3, (16, 1))]
)
def test_ratios_are_of_small_numbers(ratio: float, pair: tuple[int, int]) -> None:
    """Near enough, and never without end."""
    assert _whole(ratio) == pair


def twins(data: dict[str, Any]) -> None:
    """A second service like the first, and one that asks for nothing."""
    data["services"]["talk"] = dict(data["services"]["chat"])
    data["services"]["batch"] = {"model": "llama-3.1-8b"}
    for name in ("talk", "batch"):
        data["plan"]["demand"][name] = dict(data["plan"]["demand"]["chat"])


def test_services_alike_add_up_and_others_do_not(tmp_path: Path) -> None:
    """Two of the same are one; beside a strict one a loose one can't fill up what it would alone."""
    fleet = capacity_fleet(tmp_path, twins)
    cases = {case.service: case for case in cases_of(fleet)}
    found = capacities(fleet, list(cases.values()), cache=False)
    alike = mix_error(fleet, found, [cases["chat"], cases["talk"]], replicas=4)
    apart = mix_error(fleet, found, [cases["chat"], cases["batch"]], replicas=4)
    assert abs(alike.error) < 0.06
    assert apart.error > 0.05
    assert apart.short == "chat"
    with pytest.raises(ValueError, match="same replicas"):
        mix_error(fleet, {key: Capacity(key, "m") for key in found}, [cases["chat"], cases["talk"]])


def test_intervals_of_shares_hold_and_know_of_bursts() -> None:
    """Wilson's against a table; misses that come together are worth fewer requests than scattered ones."""
    assert wilson(0.95, 100) == pytest.approx((0.8882, 0.9785), abs=1e-3)
    assert wilson(1.0, 50)[0] == pytest.approx(0.9287, abs=1e-3)
    scattered = np.arange(4000) % 20 != 0
    together = np.arange(4000) >= 200
    assert together.mean() == scattered.mean() == 0.95
    assert np.diff(interval(together))[0] > 4 * np.diff(interval(scattered))[0]
    assert interval(np.ones(BATCHES - 1, bool)) == (0.0, 1.0)
