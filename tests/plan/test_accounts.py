"""Stranded power and unit costs: everything adds up, and each cause appears where it must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brute_cases import FAMILIES, drawn
from tiny_plan import tiny_instance

from meritorder.plan.instance import Contingency, Instance
from meritorder.plan.model import solve
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.findings import Stranded
from meritorder.plan.studies.stranded import stranded
from meritorder.plan.studies.unit_costs import unit_costs

NONE = np.zeros(3, bool)


def planned(instance: Instance) -> Plan:
    return solve(instance, gap=0.0, threads=1, whole=NONE)


def part(found: Stranded, name: str) -> np.ndarray:
    """[T,S] MW of a part."""
    account = found.power if name in found.power.parts else found.machines
    return account.watts[account.parts.index(name)] / 1e6


def cause(found: Stranded, name: str) -> np.ndarray:
    """[T,S] MW of machines idle for a cause."""
    return found.machines.watts[found.machines.parts.index(name)] / 1e6


@pytest.mark.parametrize("family", FAMILIES)
def test_the_accounts_add_up(family: str) -> None:
    instance = drawn(family, 0)
    plan = planned(instance)
    for scenario in range(len(plan.builds)):
        found = stranded(instance, plan, scenario)
        for account in (found.power, found.machines):
            assert np.allclose(account.watts.sum(axis=0), account.total, rtol=1e-9, atol=1.0)
            assert account.watts.min() > -1.0
        assert (found.deployable <= found.power.total + 1.0).all()
        # what machines draw fits into what is deployable
        design = int(np.flatnonzero(np.isnan(instance.demand.clock))[-1])
        drawn_w = np.zeros_like(found.deployable)
        np.add.at(drawn_w.T, instance.ground.block_site, plan.operation.it_w[:, design, scenario].T)
        assert (drawn_w <= found.deployable + 1.0).all()


def test_rates_that_differ_by_period_are_used() -> None:
    base = tiny_instance(2)
    factor = np.linspace(0.8, 1.1, 3 * len(base.ways.cls)).reshape(3, -1)
    instance = tiny_instance(2, ways={"factor": factor})
    plan = planned(instance)
    assert stranded(instance, plan).machines.watts.min() > -1.0
    found, plain = unit_costs(instance, plan), unit_costs(base, plan)
    assert not np.allclose(np.nan_to_num(found.unused), np.nan_to_num(plain.unused))
    assert np.nanmin(found.unused) > -1e-5


def test_cooling_and_grid_strand_power() -> None:
    instance = tiny_instance(2)
    found = stranded(instance, planned(instance))
    assert part(found, "grid").sum() == pytest.approx(0)
    assert found.power.watts[1, :, 0] == pytest.approx(0.05 * 2e6)  # one cold block in dallas, cooled to 95 %
    tight = tiny_instance(2, ground={"grid_w": np.array([[3.2e6, np.inf]] * 3)}, demand={"unmet_usd": np.full(2, 1.0)})
    found = stranded(tight, planned(tight))
    assert (found.power.watts[2, :, 0] > 0).all()


def test_why_power_stands_empty() -> None:
    base = tiny_instance(2)
    few = tiny_instance(2, stock={"supply": base.stock.supply * 0.05}, demand={"unmet_usd": np.full(2, 1.0)})
    found = stranded(few, planned(few))
    assert part(found, "supply")[:, 0].min() > 1.0
    assert part(found, "ahead").sum() == pytest.approx(0)
    small = tiny_instance(2, demand={"requests": base.demand.requests * 0.1})
    found = stranded(small, planned(small))
    assert part(found, "ahead")[0, 0] > 1.0
    assert part(found, "supply").sum() == pytest.approx(0)
    shared = tiny_instance(
        2,
        policy={"supplier_share": np.array([[1.0, 0.3]] * 3)},
        stock={"supply": np.array([[10.0, 300, 0], [0, 300, 20], [0, 300, 20]])},
        demand={"unmet_usd": np.full(2, 1.0)},
    )
    found = stranded(shared, planned(shared))
    assert part(found, "share")[:, 0].min() > 0.1


def test_machines_idle_for_power_for_losses_and_for_nothing() -> None:
    losses = tuple(
        Contingency(name, "site", np.arange(2) == s, np.zeros(3, bool), 0.0, np.array([0.9, 0.0]), np.ones(3, bool))
        for s, name in enumerate(("dallas", "oslo"))
    )
    instance = tiny_instance(2, whole={"contingencies": losses}, stock={"supply": np.full((3, 3), 300.0)})
    plan = planned(instance)
    found = stranded(instance, plan)
    assert cause(found, "reserve").max() > 0.1
    without = stranded(replace(instance, contingencies=()), plan)
    assert cause(without, "reserve").sum() == 0
    assert np.allclose(cause(without, "unneeded"), cause(found, "unneeded") + cause(found, "reserve"))
    standing = np.zeros((3, 2, 3))
    standing[:, 0, 1] = 180
    over = tiny_instance(2, stock={"standing": standing}, demand={"requests": 0.05 * instance.demand.requests})
    plan = planned(over)
    found = stranded(over, plan)
    assert cause(found, "unneeded")[0, 0] > 0.1
    assert part(found, "down")[0, 0] == pytest.approx(0.03 * 0.01 * plan.build.systems[0, 0, 1])


@pytest.mark.parametrize("family", FAMILIES)
def test_unit_costs_add_up_to_what_is_paid(family: str) -> None:
    instance = drawn(family, 0)
    plan = planned(instance)
    found = unit_costs(instance, plan)
    rows = {(row.period, row.service, row.system): row for row in found.rows}
    total = 0.0
    for t, period in enumerate(instance.names.periods):
        whole = rows[period, "", ""]
        total += whole.mtok * whole.usd_per_mtok * instance.discount[t]
        assert whole.usd_per_mtok == pytest.approx(sum(whole.parts.values()))
        for axis in (1, 2):
            mine = [row for key, row in rows.items() if key[0] == period and key[axis] and not key[3 - axis]]
            assert sum(row.mtok for row in mine) == pytest.approx(whole.mtok)
            assert sum(row.mtok * row.usd_per_mtok for row in mine) == pytest.approx(whole.mtok * whole.usd_per_mtok)
    assert total == pytest.approx(float(plan.costs.paid @ instance.demand.probability), rel=1e-6)
    assert (np.nan_to_num(found.unused) > -1e-5).all()
    assert (np.nan_to_num(found.unused) < 1 + 1e-6).all()
