"""What the plan says a fleet carries, by hand; whole replicas; which part of a fleet is simulated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_case import BIG, DALLAS, LARGE, NODE, OSLO, SMALL, proof_build, proof_fleet, proof_instance

from meritorder.plan.proof.apis import in_parts
from meritorder.plan.proof.certificate import verdict_of
from meritorder.plan.proof.fleets import fleet_at
from meritorder.plan.proof.observe import Kept
from meritorder.plan.proof.replicas import whole_replicas
from meritorder.plan.proof.sampling import LOST, part_of
from meritorder.plan.proof.scale import largest


def test_services_on_machines_of_their_own() -> None:
    instance = proof_instance((100.0, 10.0))
    systems = np.zeros((2, 2, 2))
    systems[DALLAS, NODE, SMALL], systems[OSLO, BIG, LARGE] = 3.0, 2.0
    found = largest(instance, systems, np.array([200.0, 16.0]), 0, 0)
    assert found.group.tolist() == [0, 1]
    assert found.factor == pytest.approx([300.0 / 200.0, 2 * 12.0 / 16.0])
    assert found.full[DALLAS, NODE, SMALL] > 0.0


def test_a_model_that_two_services_share() -> None:
    instance = proof_instance((100.0, 10.0))
    instance = replace(instance, demand=replace(instance.demand, model=np.array([SMALL, SMALL])))
    systems = np.zeros((2, 2, 2))
    systems[DALLAS, NODE, SMALL] = 4.0
    found = largest(instance, systems, np.array([100.0, 10.0]), 0, 0)
    assert found.group.tolist() == [0, 0]
    assert found.factor == pytest.approx([4.0 / (100.0 / 100.0 + 10.0 / 10.0)])


def test_rates_of_a_period() -> None:
    instance = proof_instance((100.0, 10.0))
    factor = np.ones((2, len(instance.ways.rate)))
    factor[1] = 0.5
    instance = replace(instance, ways=replace(instance.ways, factor=factor))
    systems = np.full((2, 2, 2), 1.0)
    before, after = (largest(instance, systems, np.array([100.0, 10.0]), t, 0).factor for t in (0, 1))
    assert after == pytest.approx(0.5 * before)


def test_nothing_stands() -> None:
    instance = proof_instance()
    found = largest(instance, np.zeros((2, 2, 2)), np.array([100.0, 10.0]), 0, 0)
    assert found.group.tolist() == [-1, -1]
    assert not len(found.factor)


@given(st.lists(st.floats(0.0, 3.0), min_size=2, max_size=2), st.integers(1, 6))
def test_whole_replicas_fit(placed: list[float], systems: int) -> None:
    instance = proof_instance()
    build = proof_build(instance)
    share = np.array(placed) / max(sum(placed), 1e-9) * systems
    build.placed[0] = 0.0
    build.placed[0, DALLAS, NODE] = share
    build.systems[0, DALLAS, NODE] = systems
    found = whole_replicas(instance, build, 0)[DALLAS, NODE]
    size = instance.stock.replica[NODE]
    assert found @ size <= systems + 1e-5
    assert (np.abs(found - share / size) < 1.0 + 1e-5).all()
    # what is left is less than the smallest replica that lost a part
    cut = found < share / size - 1e-5
    assert not cut.any() or systems - found @ size < size[cut].min() + 1e-5


@pytest.mark.parametrize("most", [1e9, 1e5, 1e3, 1.0])
def test_parts_keep_capacity(most: float) -> None:
    fleet = fleet_at(proof_fleet(), proof_instance(), proof_build(proof_instance()), 1).fleet()
    counts = dict(zip(fleet.pools, (640, 333, 77, 9), strict=True))
    pools = {name: pool.model_copy(update={"replicas": counts[name]}) for name, pool in fleet.pools.items()}
    fleet = fleet.model_copy(update={"pools": pools})
    part = part_of(fleet, 1e6, most, dict.fromkeys(pools, 1.0), least=16)
    assert part.k == 1 if most >= 1e6 else part.k > 1
    assert part.error <= LOST
    for service in part.fleet.services.values():
        names = [name for name in service.pools or () if name in part.fleet.pools]
        assert sum(part.fleet.pools[name].replicas for name in names) // part.k >= 15


def test_an_interval_decides() -> None:
    def found(low: float, high: float) -> Kept:
        return Kept(1000, 0.5 * (low + high), low, high, 0.0, "")

    assert verdict_of(found(0.96, 0.98), 0.95) == "holds"
    assert verdict_of(found(0.94, 0.98), 0.95) == "can't say"
    assert verdict_of(found(0.90, 0.94), 0.95) == "does not hold"
    assert verdict_of(None, 0.95) == "can't say"


def test_seats_of_an_api_in_parts() -> None:
    fleet = proof_fleet()
    pool = next(iter(fleet.pools.values())).model_copy(
        update={"replicas": 3, "measured": measured(), "accelerator": None}
    )
    split = in_parts(pool, 10)
    assert split.replicas == 10
    assert split.replicas * split.engine.max_sequences == pytest.approx(3 * pool.engine.max_sequences, rel=0.01)


def measured() -> object:
    from meritorder.fleet.measured import MeasuredCoefficients

    return MeasuredCoefficients(host_s=0.01, kv_tokens=1000)
