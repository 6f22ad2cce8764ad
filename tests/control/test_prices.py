"""What a joule at the machines costs: for dispatch."""

from __future__ import annotations

import pytest

from control.plant import Plant
from control.small_fleet import fleet


def test_energy_costs_what_it_costs_at_the_meter_now_with_its_carbon() -> None:
    taxed = fleet(limit=1e6).model_copy(update={"carbon_price_usd_per_kg": 0.1})
    plant = Plant(taxed, {"chat": 1.0, "bulk": 1.0, "batch": 1.0})
    at_first = plant.control.sites[0].usd_per_j
    assert at_first == pytest.approx(1.2 * (0.1 + 0.1 * 0.3) / 3.6e6)
    assert plant.state.pools[0].usd_per_j == pytest.approx(at_first)
    plant.facility.hours.usd_per_kwh[:], plant.facility.hours.kg_per_kwh[:] = 0.2, 0.5
    plant.run(1)
    assert plant.control.sites[0].usd_per_j == pytest.approx(1.2 * (0.2 + 0.1 * 0.5) / 3.6e6)
