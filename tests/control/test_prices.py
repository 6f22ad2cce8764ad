"""What a joule at the machines costs: for dispatch."""

from __future__ import annotations

from pathlib import Path

import pytest
from plant import building

from meritorder.control.build import build_control
from meritorder.control.step import control_step
from meritorder.dispatch.build import build_state
from meritorder.fleet.load import load
from meritorder.perf.compile import compile_replica

MIXED = Path(__file__).parents[2] / "examples" / "mixed.yaml"


def test_energy_costs_what_it_costs_at_the_meter_now_with_its_carbon() -> None:
    fleet = load(MIXED)
    fleet = fleet.model_copy(update={"carbon_price_usd_per_kg": 0.1})
    replicas = [compile_replica(fleet, name) for name in fleet.pools]
    state, facility = build_state(fleet, replicas, fleet.dispatch), building(fleet)
    control = build_control(fleet, replicas, facility)
    assert control.sites.usd_per_j == pytest.approx(
        [state.pools.usd_per_j[state.pools.site == s][0] for s in range(len(fleet.sites))]
    )
    facility.sites[0].marginal_pue, facility.sites[0].usd_per_kwh, facility.sites[0].kg_per_kwh = 1.4, 0.2, 0.5
    control_step(control, facility, state, 1.0, 1.0)
    assert control.sites[0].usd_per_j == pytest.approx(1.4 * (0.2 + 0.1 * 0.5) / 3.6e6)
