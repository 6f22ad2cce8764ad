"""What plants can remove and what it costs: monotone in weather and load, water only where it is wet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant_cases import MEGAWATT, one_plant, weather

from meritorder.facility.chiller import capacity_of, chiller_power, eir_of
from meritorder.facility.loop import effectiveness
from meritorder.facility.plant import AIR_COOLED, PLANT, WATER_COOLED
from meritorder.facility.removal import aim_c, free_w, most_w, plant_capacity_w, plant_power, removal
from meritorder.facility.sizing import fill_plant, transfer_units
from meritorder.facility.tower import saturated_c, saturated_enthalpy
from meritorder.facility.water import make_up_l_s
from meritorder.fleet.cooling import Coolant, Plant
from meritorder.records import records

PLANTS = {
    "dry": one_plant(Plant(rejection="dry-cooler", chillers="none"), "liquid-45c"),
    "adiabatic": one_plant(Plant(rejection="adiabatic", chillers="none"), "liquid-45c"),
    "tower": one_plant(Plant(rejection="tower", chillers="none"), "liquid-45c"),
    "cs-3": one_plant(Plant(rejection="tower", chillers="water-cooled"), "liquid-21c"),
    "cs-3 dry": one_plant(Plant(rejection="dry-cooler", chillers="air-cooled"), "liquid-21c"),
    "air": one_plant(Plant(rejection="adiabatic", chillers="air-cooled"), "air"),
    "old": one_plant(Plant(chillers="air-cooled", economiser=False, supply=20.0), "air"),
}
NAMES = st.sampled_from(sorted(PLANTS))
DRY = st.floats(-15, 46)
BELOW = st.floats(0, 20)
LOAD = st.floats(0.02, 1.0)


def total(name: str, load: float, dry_c: float, wet_c: float) -> float:
    chillers, fans, pumps, _, _ = plant_power(PLANTS[name], load * 10 * MEGAWATT, dry_c, wet_c)
    return float(chillers + fans + pumps)


@settings(deadline=None, max_examples=300)
@given(NAMES, LOAD, DRY, BELOW, st.floats(0, 5))
def test_a_warmer_hour_costs_no_less(name: str, load: float, dry_c: float, below: float, warmer: float) -> None:
    """At the same wet-bulb depression: dry and wet bulb rise together."""
    cool, warm = total(name, load, dry_c, dry_c - below), total(name, load, dry_c + warmer, dry_c - below + warmer)
    assert warm >= cool * (1 - 1e-3)


@settings(deadline=None, max_examples=300)
@given(NAMES, st.floats(0.5, 1.0), DRY, BELOW, st.floats(0, 0.5))
def test_more_heat_costs_no_less(name: str, load: float, dry_c: float, below: float, more: float) -> None:
    """Below that pumps are at their least: water comes back hardly warmer than hot air, and fans run in vain."""
    low, high = total(name, load, dry_c, dry_c - below), total(name, min(1.0, load + more), dry_c, dry_c - below)
    assert high >= low * (1 - 1e-3)


@settings(deadline=None, max_examples=200)
@given(NAMES, DRY, BELOW, st.floats(10, 45), st.floats(0, 8))
def test_what_can_be_removed_falls_with_heat_outside_and_rises_with_the_supply(
    name: str, dry_c: float, below: float, supply_c: float, more: float
) -> None:
    plant, wet_c = PLANTS[name], dry_c - below
    here = most_w(plant, 1.0, supply_c, dry_c, wet_c)
    assert most_w(plant, 1.0, supply_c, dry_c + more, wet_c + more) <= here * (1 + 1e-9)
    assert most_w(plant, 1.0, supply_c + more, dry_c, wet_c) >= here * (1 - 1e-9)


@settings(deadline=None, max_examples=200)
@given(NAMES, LOAD, DRY, BELOW)
def test_water_only_where_it_is_wet(name: str, load: float, dry_c: float, below: float) -> None:
    water = plant_power(PLANTS[name], load * 10 * MEGAWATT, dry_c, dry_c - below)[3]
    if name in ("dry", "cs-3 dry", "old"):
        assert water == 0.0
    elif name in ("tower", "cs-3"):
        assert water > make_up_l_s(load * 10 * MEGAWATT, 4.0)  # 1.96 L per kWh, pumps' and compressors' heat besides
    elif dry_c < 8.0:
        assert water == 0.0  # pads stay dry where dry air suffices


def test_more_cycles_save_water() -> None:
    assert make_up_l_s(1000.0 * 3600, 4.0) == pytest.approx(1.96, abs=0.01)
    assert make_up_l_s(3.6e6, 8.0) < make_up_l_s(3.6e6, 4.0)


def test_pads_evaporate_what_cools_the_air() -> None:
    """All the air through wet pads, cooled by 0.75 of 15 K: its flow is the heat that it carries by its own rise."""
    plant = one_plant(Plant(rejection="adiabatic", chillers="none"), "liquid-45c")
    supply, dry, wet = 40.0, 45.0, 30.0
    through = free_w(plant, 1.0, supply, dry, wet, 1.0)
    on_pads = dry - 0.75 * (dry - wet)
    heated = 0.7 * (supply + plant.primary_k - on_pads)  # rise of the air
    evaporated = through / heated * 0.75 * (dry - wet)
    assert removal(plant, through, supply, dry, wet)[2] == pytest.approx(
        make_up_l_s(evaporated, plant.cycles), rel=1e-6
    )


@pytest.mark.parametrize("kind", [AIR_COOLED, WATER_COOLED])
def test_chillers_lose_capacity_and_efficiency_with_heat(kind: int) -> None:
    for te in range(5, 26):
        for tc in range(-10, 60):
            assert capacity_of(kind, te, tc + 1) <= capacity_of(kind, te, tc)
            assert eir_of(kind, te, tc + 1) >= eir_of(kind, te, tc)
            assert eir_of(kind, te + 1, tc) <= eir_of(kind, te, tc) * 1.02  # the air-cooled fit is flat in places
            assert 0.15 < eir_of(kind, te, tc) < 4.0


def test_chillers_are_what_they_are_rated() -> None:
    assert capacity_of(WATER_COOLED, 8.89, 26.67) == pytest.approx(1.0, abs=0.01)
    assert eir_of(WATER_COOLED, 8.89, 26.67) == pytest.approx(1.0, abs=0.01)
    assert capacity_of(AIR_COOLED, 6.67, 35.0) == pytest.approx(1.0, abs=0.02)
    assert eir_of(AIR_COOLED, 6.67, 35.0) == pytest.approx(1.0, abs=0.02)


def test_the_colder_half_of_sustaincluster_s_table_is_right_here() -> None:
    """Their port gives 0.62 MW at 5 C and 1.09 MW at 40 C for a machine of 1.2 MW: here it is the other way round."""
    assert capacity_of(AIR_COOLED, 6.67, 5.0) > 1.0 > capacity_of(AIR_COOLED, 6.67, 40.0)


def test_units_run_as_they_need_least() -> None:
    plant = PLANTS["cs-3"]
    whole = chiller_power(plant, 9 * MEGAWATT, 12.0, 25.0)
    assert chiller_power(plant, 4.5 * MEGAWATT, 12.0, 25.0) < 0.55 * whole
    alone = plant.copy()
    alone.chillers_up = 4
    assert chiller_power(alone, 9 * MEGAWATT, 12.0, 25.0) > whole


def test_an_economiser_carries_part_of_the_heat() -> None:
    """Between all free and none there are hours with both."""
    parts = [plant_power(PLANTS["cs-3"], 8e6, wet + 5.0, float(wet))[4] for wet in range(5, 30)]
    assert parts[0] == 0.0
    assert parts[-1] > 0.79
    assert any(0.1 < part < 0.7 for part in parts)


def test_water_gets_warmer_before_compressors_run_but_not_beyond_the_machines_limit() -> None:
    plant = one_plant(Plant(rejection="dry-cooler", chillers="air-cooled"), "liquid-45c")
    aims = [aim_c(plant, 10e6, 0.0, float(dry), 20.0) for dry in range(20, 46)]
    chilled = [removal(plant, 10e6, aim, float(dry), 20.0)[3] for dry, aim in zip(range(20, 46), aims, strict=True)]
    assert aims == sorted(aims)
    assert aims[0] == plant.set_c
    assert max(aims) == plant.limit_c - plant.exchange_k - 1.0
    assert all(heat == 0.0 for heat, aim in zip(chilled, aims, strict=True) if aim < plant.warm_c)
    assert chilled[-1] > 0.0


def test_a_lost_unit_is_missed_on_the_design_day() -> None:
    plant = PLANTS["cs-3"].copy()
    whole = plant_capacity_w(plant, 36.0, 24.0)
    assert whole == pytest.approx(10 * MEGAWATT)
    plant.chillers_up = 3
    assert plant_capacity_w(plant, 36.0, 24.0) < 0.95 * whole
    plant.pumps_up = 0
    assert plant_capacity_w(plant, 36.0, 24.0) == 0.0


def test_nothing_to_remove_costs_nothing() -> None:
    assert removal(PLANTS["cs-3"], 0.0, 17.0, 30.0, 20.0) == (0.0, 0.0, 0.0, 0.0)


@given(st.floats(0.05, 0.95), st.floats(0.0, 1.0))
def test_transfer_units_and_effectiveness_are_inverse(wanted: float, ratio: float) -> None:
    assert effectiveness(transfer_units(wanted, ratio), ratio) == pytest.approx(wanted, rel=1e-4)


@given(st.floats(-20, 50))
def test_enthalpy_and_temperature_of_saturated_air_are_inverse(celsius: float) -> None:
    assert saturated_c(saturated_enthalpy(celsius)) == pytest.approx(celsius, abs=1e-4)


def test_enthalpy_of_saturated_air_is_that_of_the_handbook() -> None:
    """ASHRAE Fundamentals 2017, chapter 1, table 2: 76.504 kJ/kg at 25 C, 29.353 at 10 C."""
    assert saturated_enthalpy(25.0) == pytest.approx(76.504, rel=5e-3)
    assert saturated_enthalpy(10.0) == pytest.approx(29.353, rel=5e-3)


@pytest.mark.parametrize(
    ("coolant", "dry_c", "kind"), [("liquid-45c", 30.0, 0), ("liquid-45c", 36.0, 1), ("air", 15.0, 1)]
)
def test_chillers_come_where_the_weather_wants_them(coolant: Coolant, dry_c: float, kind: int) -> None:
    plant = records(1, PLANT)[0]
    fill_plant(plant, Plant(rejection="dry-cooler"), coolant, MEGAWATT, weather(dry_c, dry_c - 10.0))
    assert plant.chillers == kind
