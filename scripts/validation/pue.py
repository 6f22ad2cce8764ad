"""A year of power and water of six kinds of building in ten climates, beside what LBNL publishes for them.

Every hour stands for itself: steady state of the plants that the simulator uses, sized for the place, behind the power
train's loss curves. Published: modelled medians and 5-95 % bands of LBNL-2001637 (2024) with Lei & Masanet, each over
the climates of the USA and many buildings of one kind. docs/facility.md says which constants were set to meet them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from meritorder.facility.design_day import hours_of_series
from meritorder.facility.plant import PLANT
from meritorder.facility.removal import plant_power
from meritorder.facility.sizing import fill_plant
from meritorder.facility.surroundings.weather import read_weather
from meritorder.facility.train import loss_w
from meritorder.fleet.cooling import Coolant, Plant
from meritorder.fleet.power_train import LossCurve, PowerTrain
from meritorder.records import Records, records

IT_W = 20e6  # built for
KWH = 3.6e6


@dataclass(frozen=True)
class Building:
    """One kind of building, as run, and the published figures of its kind."""

    name: str
    coolant: Coolant
    plant: Plant
    room: Plant  # for heat to the air of liquid-cooled machines, and of UPS rooms
    pue: tuple[float, float, float]  # published median, 5 %, 95 %
    wue: float  # published median, L per kWh of IT
    air_share: float = 0.0
    load: float = 0.7  # of what it is built for, all year
    power: PowerTrain = field(default_factory=PowerTrain)
    installed: float = 1.25  # electrical ratings per critical power: N+1 of 4


# Mid-size: old double-conversion UPS in 2N at low load, strong fans, cold air, no economiser.
OLD_POWER = PowerTrain(
    transformer=LossCurve(no_load=0.005, square=0.012),
    ups=LossCurve(no_load=0.045, proportional=0.02, square=0.02),
    distribution=LossCurve(no_load=0.005, square=0.02),
)
# Room fans of constant speed stand in `house_power`: they draw the same at any load.
OLD_PLANT = Plant(
    chillers="air-cooled", economiser=False, supply=20.0, loop_power=0.14, pump_power=0.03, house_power=0.085
)
BUILDINGS = (
    Building(
        name="liquid 45 C, dry cooler, adiabatic",
        coolant="liquid-45c",
        plant=Plant(rejection="adiabatic"),
        room=Plant(rejection="adiabatic"),
        air_share=0.1,
        pue=(1.10, 1.05, 1.14),
        wue=0.16,
    ),
    Building(
        name="liquid 45 C, dry cooler",
        coolant="liquid-45c",
        plant=Plant(rejection="dry-cooler"),
        room=Plant(rejection="dry-cooler"),
        air_share=0.1,
        pue=(1.09, 1.02, 1.16),
        wue=0.0,
    ),
    Building(
        name="liquid 45 C, tower",
        coolant="liquid-45c",
        plant=Plant(rejection="tower"),
        room=Plant(rejection="tower"),
        air_share=0.1,
        pue=(1.13, 1.07, 1.22),
        wue=1.96,
    ),
    Building(
        name="air, dry cooler, adiabatic, air-cooled chiller",
        coolant="air",
        plant=Plant(rejection="adiabatic", chillers="air-cooled"),
        room=Plant(rejection="adiabatic"),
        pue=(1.20, 1.12, 1.32),
        wue=0.28,
    ),
    Building(
        name="air, tower, water-cooled chiller, economiser",
        coolant="air",
        plant=Plant(rejection="tower", chillers="water-cooled"),
        room=Plant(rejection="tower"),
        pue=(1.12, 1.07, 1.18),
        wue=2.19,
    ),
    Building(
        name="mid-size, air-cooled chiller, no economiser",
        coolant="air",
        plant=OLD_PLANT,
        room=Plant(rejection="dry-cooler"),
        pue=(1.84, 1.60, 2.27),
        wue=0.0,
        load=0.4,
        power=OLD_POWER,
        installed=2.2,
    ),
)


@dataclass(frozen=True)
class Year:
    """What one building needs in one place over its hours."""

    building: Building
    place: str
    pue: float
    peak_pue: float  # of its hardest hour
    wue: float  # L per kWh of IT
    compressor_free: float  # part of the hours, of the machines' own loop


def losses(building: Building, it_w: float) -> tuple[float, float]:
    """Watts lost between transformer and machines: indoors, and in the transformers, with `it_w` to the machines."""
    rating = IT_W * building.installed

    def of(curve: LossCurve, load_w: float) -> float:
        return float(loss_w(rating, curve.no_load, curve.proportional, curve.square, load_w))

    distribution = of(building.power.distribution, it_w)
    ups = of(building.power.ups, it_w + distribution)
    return distribution + ups, of(building.power.transformer, it_w + distribution + ups)


def plants_of(building: Building, hours: Records) -> tuple[Records, Records]:
    """The machines' plant and that of the rooms, sized for full load in the place's year."""
    plants = records(2, PLANT)
    fill_plant(plants[0], building.plant, building.coolant, IT_W * (1 - building.air_share), hours)
    indoors = losses(building, IT_W)[0]
    fill_plant(plants[1], building.room, "air", IT_W * building.air_share + indoors, hours)
    return plants[0], plants[1]


def year_of(building: Building, place: str, hours: Records, every: int = 1) -> Year:
    """Run one building through (every n-th of) the hours of a year at its usual load."""
    own, room = plants_of(building, hours)
    it_w = IT_W * building.load
    indoors, outdoors = losses(building, it_w)
    facility, water, free = [], [], 0
    for dry_c, wet_c in zip(hours.dry_c[::every].tolist(), hours.wet_c[::every].tolist(), strict=True):
        loop = plant_power(own, it_w * (1 - building.air_share), dry_c, wet_c)
        rooms = plant_power(room, it_w * building.air_share + indoors, dry_c, wet_c)
        facility.append(it_w + indoors + outdoors + sum(loop[:3]) + sum(rooms[:3]))
        water.append(loop[3] + rooms[3])
        free += loop[4] == 0.0
    return Year(
        building=building,
        place=place,
        pue=float(np.mean(facility)) / it_w,
        peak_pue=max(facility) / it_w,
        wue=float(np.mean(water)) / it_w * KWH,
        compressor_free=free / len(facility),
    )


def places(folder: Path) -> dict[str, Records]:
    """Dry and wet bulb of every weather file of the folder, by the place's short name."""
    files = sorted([*folder.glob("weather_*.csv*"), *folder.glob("*.epw*")])
    return {short_name(path): hours_of_series(read_weather(path)) for path in files}


def short_name(path: Path) -> str:
    """`weather_US-TEX-ERCO_2023.csv.gz` is US-TEX-ERCO, `USA_CO_Aurora-Buckley.Field.7...` Aurora-Buckley Field."""
    if path.name.startswith("weather_"):
        return path.name.split("_")[1]
    return " ".join(path.name.split("_")[2].split(".")[:2])


def study(weather: Mapping[str, Records], every: int = 1) -> Iterator[Year]:
    """Every building in every place."""
    for building in BUILDINGS:
        for place, known in weather.items():
            yield year_of(building, place, known, every)


def median_of(years: Sequence[Year], building: Building, what: Literal["pue", "wue"]) -> float:
    """Of one building over the places."""
    found = [year.pue if what == "pue" else year.wue for year in years if year.building == building]
    return float(median(found))
