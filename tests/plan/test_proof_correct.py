"""Plan against simulator: wrong capacities are found out and corrected; promises that can't be kept are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from proof_case import CHAT, NODE, SMALL, proof_fleet, proof_instance, proof_traffic, solve

from meritorder.plan.instance import Contingency, Instance
from meritorder.plan.proof import correct, edge, prove, proving, trial
from meritorder.plan.proof.correct import compare, correct_until
from meritorder.plan.proof.edge import bare
from meritorder.plan.proof.fleets import fleet_at
from meritorder.plan.proof.observe import kept
from meritorder.simulate.run import simulate

RATES = (100.0, 13.0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short runs of traffic that needs no file."""
    for module in (correct, proving):
        monkeypatch.setattr(module, "traffic_from", lambda *_: proof_traffic())
    monkeypatch.setattr(edge, "MOST", 40_000)
    monkeypatch.setattr(edge, "REQUESTS", 4_000)
    monkeypatch.setattr(edge, "SPAN_S", (60.0, 60.0, 300.0))
    monkeypatch.setattr(trial, "LONGEST", 60_000)


def test_planted_errors_are_corrected() -> None:
    fleet, instance = proof_fleet(), proof_instance(RATES)
    ways = instance.ways
    found = compare(fleet, instance, solve(instance).plan, proof_traffic())
    true = ways.rate.copy()
    for one in found.edges:
        services = [instance.names.services.index(name) for name in one.services]
        true[np.isin(ways.cls, services)] *= one.simulated / one.planned
    planted = replace(instance, ways=replace(ways, rate=1.3 * true))
    result = correct_until(fleet, planted, solve)
    assert result.rounds[0].worst == pytest.approx(0.3, abs=0.1)
    assert all(one.error > 0.1 for one in result.rounds[0].edges)
    assert result.rounds[-1].worst < 0.02
    assert result.factors[-1] == pytest.approx(1 / 1.3, abs=0.08)
    assert result.instance.ways.factor == pytest.approx(result.factors)


def test_no_plan_with_true_capacities() -> None:
    """The plan before stays, and it is said."""
    fleet, instance = proof_fleet(), proof_instance((160.0, 13.0))
    answers = [solve(instance), None]
    result = correct_until(fleet, instance, lambda _: answers.pop(0), error=1e-9)
    assert result.solution.plan.builds[0].systems.sum() > 0
    assert correct.NO_PLAN in result.rounds[-1].notes
    assert (result.factors == 1.0).all()


def test_the_same_again_whatever_runs_beside() -> None:
    fleet, instance = proof_fleet(), proof_instance(RATES)
    plan = solve(instance).plan
    one, two = (compare(fleet, instance, plan, proof_traffic(), jobs=jobs) for jobs in (1, 2))
    assert [(e.planned, e.simulated, e.alone) for e in one.edges] == [
        (e.planned, e.simulated, e.alone) for e in two.edges
    ]


def test_a_site_that_can_not_be_missed() -> None:
    instance = _losing(proof_instance((100.0, 20.0)), share=1.0)
    certificate = prove(proof_fleet(), instance, solve(instance), days=0)
    verdicts = {(p.kind, p.service): p.verdict for p in certificate.promises}
    assert verdicts["worst hour", "chat"] == "holds"
    assert verdicts["site", "chat"] == "does not hold"
    assert not certificate.holds
    assert any("broken" in line for line in certificate.lines)
    assert "does not hold" in certificate.text
    for promise in certificate.promises:
        assert promise.verdict != "holds" or promise.low >= promise.target


def test_a_site_that_can() -> None:
    instance = _losing(proof_instance((100.0, 20.0)), share=0.4)
    certificate = prove(proof_fleet(), instance, solve(instance), days=0)
    assert {(p.kind, p.service): p.verdict for p in certificate.promises}["site", "chat"] == "holds"
    figures = {(h.what, h.planned > 0.0 and h.simulated > 0.0) for h in certificate.hours}
    assert {("IT power", True), ("facility power", True), ("energy and tokens", True)} == figures


def _losing(instance: Instance, share: float) -> Instance:
    lost = Contingency(
        name="site oslo",
        kind="site",
        site=np.array([False, True]),
        systems=np.zeros(2, bool),
        depth=0.0,
        share=np.full(2, share),
        periods=np.array([True, True]),
    )
    return replace(instance, contingencies=(lost,))


def test_parts_agree_with_the_whole() -> None:
    """Of a fleet of 128 replicas, all of them and a quarter."""
    instance = proof_instance((160.0, 13.0))
    file = fleet_at(proof_fleet(), instance, solve(instance).plan.builds[0], 1)
    fleet = bare(file.fleet(), ["chat"])
    pools = {name: pool.model_copy(update={"replicas": 64}) for name, pool in fleet.pools.items()}
    fleet = fleet.model_copy(update={"pools": pools})
    rate = np.array([128 * instance.ways.rate[CHAT] * instance.stock.replica[NODE, SMALL] * 0.9, 0.0])
    shares = []
    for part in (1, 4):
        trace = proof_traffic().steady(rate, 90.0, 1, part=part)
        found = kept(simulate(fleet, trace, seed=1, sample=part, thin=False), 30.0, 90.0)["chat"]
        shares.append((found.low, found.share, found.high))
        assert found.requests == pytest.approx(rate[0] * 60.0 / part, rel=0.05)
    (low, _, high), (part_low, _, part_high) = shares
    assert low < 1.0
    assert max(low, part_low) <= min(high, part_high) + 1e-9, shares
