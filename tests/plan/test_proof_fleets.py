"""Fleet files of a plan's periods: what was built, in keys that `load` takes."""

from __future__ import annotations

import pytest
from proof_case import BIG, DALLAS, LARGE, NODE, SMALL, proof_build, proof_fleet, proof_instance

from meritorder.fleet.load import loads
from meritorder.plan.proof.fleets import fleet_at


@pytest.mark.parametrize("t", [0, 1])
def test_loads(t: int) -> None:
    instance = proof_instance()
    build = proof_build(instance)
    file = fleet_at(proof_fleet(), instance, build, t)
    fleet = loads(file.text)
    assert fleet.plan is None
    node = fleet.pools["dallas node llama-3.1-8b"]
    assert node.replicas == round(build.placed[t, DALLAS, NODE, SMALL] * 8)
    assert fleet.pools["dallas big llama-3.1-70b"].replicas == round(build.placed[t, DALLAS, BIG, LARGE] * 2)
    assert fleet.services["chat"].pools == ("dallas node llama-3.1-8b", "oslo node llama-3.1-8b")
    assert fleet.services["chat"].slo == proof_fleet().services["chat"].slo
    dallas = fleet.sites["dallas"]
    assert dallas.power_limit == pytest.approx(200e3)
    assert dallas.facility is not None
    assert dallas.facility.grid == pytest.approx(1e6)
    assert fleet.sites["oslo"].facility.grid is None
    big = fleet.accelerators["big"]
    assert (big.vendor, big.max) == ("Somebody", 9e3 / 8)
