"""Hours of sites: the pieces against the simulator's building, prices against their series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_plan import small_fleet

from meritorder.facility.design_day import hours_of_series
from meritorder.facility.steady import building_facts
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.site import surroundings_of
from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.plan.horizon import Horizon, of
from meritorder.plan.sites import SiteHours, site_hours
from meritorder.plan.sites.building import LOADS, Building
from meritorder.plan.sites.hull import evaluate
from meritorder.plan.sites.sizes import building_with
from meritorder.plan.sites.typical import hourly
from meritorder.plan.systems import machines_in
from meritorder.problems import InputError

COLD, WARM = 0, 1  # blocks of the built site


def built(data: dict[str, Any]) -> None:
    """The southern site in Dallas with a building, two kinds of block, prices of Texas; the northern has a PUE only."""
    del data["sites"]["south"]["pue"]
    data["sites"]["south"] |= {"facility": {}, "weather": "dallas", "price": "ercot", "carbon": "ercot"}
    blocks = data["plan"]["sites"]["south"]["blocks"]
    del blocks["air"], data["plan"]["offers"]["node"]
    data["services"] = {"chat": data["services"]["chat"], "batch": data["services"]["batch"]}
    for block in blocks.values():
        block["power"] = "10 MW"


@pytest.fixture(scope="module")
def hours() -> SiteHours:
    fleet = small_fleet(built)
    return site_hours(fleet, of(fleet.plan))


@pytest.fixture(scope="module")
def horizon() -> Horizon:
    return of(small_fleet(built).plan)


def test_shapes_and_names(hours: SiteHours) -> None:
    assert hours.blocks == ("south/cold", "south/warm", "north/cold")
    assert hours.pieces.shape[:3] == (8, 25, 3)
    assert hours.pieces.shape[3] <= 4
    assert hours.cooled.shape == (8, 25, 3)
    assert hours.usd_per_j.shape == hours.kg_per_j.shape == (8, 2, 25)


def test_a_site_without_building_has_its_pue(hours: SiteHours) -> None:
    found = evaluate(hours.pieces[:, :, 2], LOADS)
    assert found == pytest.approx(np.broadcast_to(1.1 * LOADS, found.shape), abs=1e-12)
    assert (hours.cooled[:, :, 2] == 1.0).all()


@pytest.mark.parametrize(("kind", "block"), [("cold", COLD), ("warm", WARM)])
def test_pieces_are_the_mean_of_the_building_over_the_hours(hours: SiteHours, kind: str, block: int) -> None:
    """At random loads, against the building itself in every 16:00 of the third quarter, hour by hour."""
    fleet = small_fleet(built)
    site = fleet.sites["south"]
    alone = site.model_copy(update={"facility": building_with(fleet, "south", {kind: 1}), "price": "", "carbon": ""})
    building = Building(alone, 10e6, machines_in(fleet, "south", kind))
    weather = surroundings_of(site).weather
    assert weather is not None
    calendar, _ = hourly(weather, linear=True)
    every = hours_of_series(weather)
    chosen = np.flatnonzero(calendar.within([7, 8, 9]) & (calendar.hour == 16))
    dry, wet = (np.asarray(every[name], np.float64)[chosen] for name in ("dry_c", "wet_c"))
    watts, _ = building.at(dry, wet)
    loads = np.random.default_rng(1).uniform(0.4, 1.0, 50)
    true = np.interp(loads, LOADS, watts.mean(axis=0))
    found = evaluate(hours.pieces[2, 16, block], loads)
    assert np.abs(found / true - 1.0).max() < 0.005
    low = np.abs(evaluate(hours.pieces[2, 16, block], LOADS[1:4]) / watts.mean(axis=0)[1:4] - 1.0).max()
    assert low < 0.03


def test_errors_of_the_pieces_are_told(hours: SiteHours) -> None:
    assert (hours.error < 0.005).all()
    assert (hours.error[:2] > 0.0).all()
    assert (hours.error_low < 0.1).all()
    assert hours.error[2] == hours.error_low[2] == 0.0


def test_the_design_hour_is_the_worst_and_its_pieces_are_of_its_weather(hours: SiteHours) -> None:
    full = evaluate(hours.pieces, np.ones(1))[..., 0]
    assert (full[:, 24, :2] > full[:, :24, :2].max(axis=1)).all()
    assert (hours.cooled[:, 24] <= hours.cooled[:, :24].min(axis=1) + 1e-12).all()
    dry = hours.weather[:, 24, WARM, 0]
    assert dry[2] > dry[0] + 5.0  # summer against winter; each quarter comes back a year later
    assert dry[:4] == pytest.approx(dry[4:])
    assert full[2, 24, COLD] > full[2, 24, WARM]  # chillers


def test_a_block_is_the_building_that_merit_facility_tells_of(hours: SiteHours) -> None:
    """Means over the year at full load, for a fleet of the same machines in a fleet file of its own."""
    fleet = loads(
        """\
sites: {south: {facility: {}, weather: dallas, usd_per_kwh: 0.06, kg_per_kwh: 0.4}}
pools: {wafer: {site: south, accelerator: cs-3, model: llama-3.1-8b, replicas: 370}}
services: {chat: {model: llama-3.1-8b}}
"""
    )
    facts = building_facts(fleet, [compile_replica(fleet, "wafer")], "south")
    year = evaluate(hours.pieces[:4, :24, COLD], np.array([0.5, 1.0])).mean(axis=(0, 1)) / [0.5, 1.0]
    told = {row["load"]: row["pue"] for row in facts["by_load"]}
    assert year == pytest.approx([told[0.5], told[1.0]], rel=0.005)
    assert facts["design"]["pue"]["1.0"] == pytest.approx(evaluate(hours.pieces[2, 24, COLD], np.ones(1))[0], rel=0.005)


def test_blocks_of_two_kinds_add_up_to_the_site(hours: SiteHours) -> None:
    """Two cold and two warm blocks under one roof draw what the pieces of four single blocks say, to half a percent."""
    planned = small_fleet(built)
    facility = building_with(planned, "south", {"cold": 2, "warm": 2})
    fleet = loads(
        """\
sites: {south: {facility: {}, weather: dallas, usd_per_kwh: 0.06, kg_per_kwh: 0.4}}
pools:
  wafer: {site: south, accelerator: cs-3, model: llama-3.1-8b, replicas: 740}
  rack: {site: south, accelerator: gb300, model: llama-3.1-8b, replicas: 9288}
services: {chat: {model: llama-3.1-8b}}
"""
    )
    site = fleet.sites["south"].model_copy(update={"facility": facility})
    fleet = fleet.model_copy(update={"sites": {"south": site}})
    facts = building_facts(fleet, [compile_replica(fleet, name) for name in fleet.pools], "south")
    assert facts["nameplate_it_w"] == pytest.approx(40e6, rel=0.002)
    for row in facts["by_load"]:
        if row["load"] >= 0.5:
            load = np.array([row["load"]])
            each = [evaluate(hours.pieces[:4, :24, block], load).mean() for block in (COLD, WARM)]
            assert 20e6 * sum(each) == pytest.approx(row["facility_w"], rel=0.005)
    # each kind has its own worst hour, so together they are a little above that of the site
    worst = 20e6 * evaluate(hours.pieces[2, 24], np.ones(1))[:2, 0].sum()
    assert facts["design"]["facility_w"] < worst < 1.02 * facts["design"]["facility_w"]


def test_published_bands_of_pue(hours: SiteHours) -> None:
    """Liquid loops by their class: 1.09 to 1.35 over a year (LBNL-2001637 and our own notes on 21 C loops)."""
    year = evaluate(hours.pieces[:4, :24], np.ones(1)).mean(axis=(0, 1, 3))
    assert 1.12 < year[COLD] < 1.35
    assert 1.05 < year[WARM] < 1.16


def test_prices_are_conserved(hours: SiteHours, horizon: Horizon) -> None:
    fleet = small_fleet(built)
    known = surroundings_of(fleet.sites["south"])
    for series, found, unit in ((known.price, hours.usd_per_j, 3.6e6), (known.carbon, hours.kg_per_j, 3.6e6)):
        assert series is not None
        calendar, values = hourly(series, linear=False)
        for t, period in enumerate(horizon.months):
            mine = values[calendar.within([int(month[5:]) for month in period]), 0]
            assert found[t, 0, :24].mean() * unit == pytest.approx(mine.mean(), rel=1e-9)
            assert found[t, 0, 24] * unit == pytest.approx(mine.max(), rel=1e-9)
    assert hours.usd_per_j[:, 1] * 3.6e6 == pytest.approx(0.03)


def test_prices_below_zero_are_told_and_count_as_zero(tmp_path: Path) -> None:
    """Noon is paid for with 10 USD/MWh in every July, all else costs 50."""
    lines = ["time,price (USD/MWh)"]
    for moment in np.arange("2023-01-01T00", "2024-01-01T00", dtype="datetime64[h]"):
        july_noon = str(moment)[5:7] == "07" and str(moment)[11:13] == "12"
        lines.append(f"{moment}:00Z,{-10 if july_noon else 50}")
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(lines))

    def priced(data: dict[str, Any]) -> None:
        data["sites"]["south"]["price"] = str(path)
        data["plan"]["horizon"] |= {"length": "1 month", "periods": 12}

    fleet = small_fleet(priced)
    found = site_hours(fleet, of(fleet.plan))
    assert found.usd_per_j[6, 0, 12] == 0.0
    assert found.usd_per_j[6, 0, 11] * 3.6e9 == pytest.approx(50.0)
    assert found.negative[:, 0] == pytest.approx(np.where(np.arange(12) == 6, 1 / 24, 0.0))


def test_a_file_of_half_a_year_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    moments = np.arange("2023-01-01T00", "2023-07-01T00", dtype="datetime64[h]")
    path.write_text("time,price (USD/MWh)\n" + "\n".join(f"{moment}:00Z,50" for moment in moments))

    def priced(data: dict[str, Any]) -> None:
        data["sites"]["south"]["price"] = str(path)

    fleet = small_fleet(priced)
    with pytest.raises(InputError, match=r"no whole day in July, .*December"):
        site_hours(fleet, of(fleet.plan))


def test_three_hourly_weather_is_read_by_the_hour() -> None:
    start = 978_307_200
    series = Series("three hours", start, 3 * 3600, np.arange(365 * 8, dtype=np.float64)[:, None])
    calendar, values = hourly(series, linear=True)
    assert len(values) == 365 * 24
    assert values[:7, 0] == pytest.approx(np.arange(7) / 3.0)
    assert calendar.hour[:25].tolist() == [*range(24), 0]


class TestSizes:
    """Buildings as large as their blocks."""

    def test_twice_the_blocks_are_twice_the_building(self) -> None:
        fleet = small_fleet(built)
        one, two = (building_with(fleet, "south", {"cold": n, "warm": n}) for n in (1, 2))
        assert one.power.capacity is not None
        assert two.power.capacity == pytest.approx(2 * one.power.capacity)
        assert one.cooling.liquid_21c.design_load == pytest.approx(0.9 * 10e6)  # a tenth of the wafers' heat is air's
        assert two.cooling.liquid_21c.design_load == pytest.approx(2 * 0.9 * 10e6)
        assert one.cooling.air.design_load == pytest.approx(0.05 * 20e6 + 0.1 * 10e6 + 0.13 * 10e6)

    def test_sizes_in_watts_are_those_of_the_standing_blocks(self) -> None:
        def sized(data: dict[str, Any]) -> None:
            built(data)
            data["sites"]["south"]["facility"] = {
                "power": {"capacity": "24 MW"},
                "cooling": {"liquid_21c": {"design_load": "12 MW"}},
            }

        fleet = small_fleet(sized)
        found = building_with(fleet, "south", {"cold": 3})
        assert found.power.capacity == pytest.approx(24e6 * 30 / 20)
        assert found.cooling.liquid_21c.design_load == pytest.approx(36e6)

    def test_sizes_in_watts_of_nothing_are_refused(self) -> None:
        def sized(data: dict[str, Any]) -> None:
            built(data)
            data["sites"]["south"]["facility"] = {"power": {"capacity": "24 MW"}}
            for block in data["plan"]["sites"]["south"]["blocks"].values():
                block["standing"] = 0
            del data["plan"]["offers"]["rack"]["standing"]

        fleet = small_fleet(sized)
        with pytest.raises(InputError, match="no block stands") as caught:
            site_hours(fleet, of(fleet.plan))
        assert caught.value.problems[0].key == "sites.south.facility.power.capacity"
