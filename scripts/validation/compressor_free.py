"""Hours of a year in which loops of 21 C and 45 C need no compressors, by place, beside limits taken by hand.

By hand: a dry cooler of 10 K and a CDU of 4 K need no more than 7 C dry bulb for 21 C and 31 C for 45 C, a tower of 5 K
no more than 12 C wet bulb. Here the same limits come out of plants at full load without spares ("by the plant"); with
their spare unit and 70 % of the load they do better ("as run").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from meritorder.facility.plant import PLANT
from meritorder.facility.removal import mover_w, plant_power, pumps_w
from meritorder.facility.sizing import fill_plant
from meritorder.fleet.cooling import Coolant, Plant
from meritorder.records import Records, records

DESIGN_W = 10e6


@dataclass(frozen=True)
class Loop:
    """A loop, how it gives heat away, and the limit taken by hand."""

    name: str
    coolant: Coolant
    plant: Plant
    limit_c: float
    wet: bool = False


LOOPS = (
    Loop("21 C, dry cooler", "liquid-21c", Plant(rejection="dry-cooler", chillers="air-cooled", supply=21.0), 7.0),
    Loop("21 C, tower", "liquid-21c", Plant(rejection="tower", chillers="water-cooled", supply=21.0), 12.0, True),
    Loop("45 C, dry cooler", "liquid-45c", Plant(rejection="dry-cooler", chillers="air-cooled", supply=45.0), 31.0),
)


@dataclass(frozen=True)
class Share:
    """Part of a year's hours without compressors, of one loop in one place."""

    loop: Loop
    place: str
    by_hand: float
    by_plant: float
    as_run: float


def shares(hours: dict[str, Records], every: int = 1) -> Iterator[Share]:
    """Every loop in every place."""
    for loop in LOOPS:
        for place, known in hours.items():
            weather = known[::every]
            limiting = weather.wet_c if loop.wet else weather.dry_c
            yield Share(
                loop=loop,
                place=place,
                by_hand=float(np.mean(limiting <= loop.limit_c)),
                by_plant=_share(loop, known, weather, spares=0, load=1.0),
                as_run=_share(loop, known, weather, spares=1, load=0.7),
            )


def _share(loop: Loop, year: Records, weather: Records, spares: int, load: float) -> float:
    plant = records(1, PLANT)[0]
    fill_plant(plant, loop.plant.model_copy(update={"spare_units": spares}), loop.coolant, DESIGN_W, year)
    # `load` is of all heat: that of pumps is in it.
    heat = load * DESIGN_W - mover_w(plant, load) * DESIGN_W - pumps_w(plant, load)
    pairs = zip(weather.dry_c.tolist(), weather.wet_c.tolist(), strict=True)
    return float(np.mean([plant_power(plant, heat, dry, wet)[4] <= 1e-9 for dry, wet in pairs]))
