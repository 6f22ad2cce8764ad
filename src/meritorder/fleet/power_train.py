"""The electrical path of a site in the fleet file: transformers, UPS, distribution, shelves, batteries, generators."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from meritorder.fleet.part import Number, Part, Positive
from meritorder.units import Joules, KgPerKwh, Seconds, UsdPerKwh, Watts

Share = Annotated[Number, Field(ge=0, le=1)]


class LossCurve(Part):
    """Losses of one stage in parts of its rating: `no_load + proportional x + square x^2` at part load x."""

    no_load: Share = Field(description="Lost whenever it is on, as part of its rating.")
    proportional: Share = Field(default=0.0, description="Grows with the load.")
    square: Share = Field(default=0.0, description="Grows with its square (resistance), at full load.")


class Generators(Part):
    """Engines that take over when the grid fails."""

    power: Watts = Field(gt=0, description="All of them together, as facility power.")
    start: Seconds = Field(default=20.0, gt=0, description="From the failure until they carry the load.")
    # 0.28 L of diesel a kWh, 1.25 USD and 2.7 kg CO2 a litre: carbon known to 5 %, consumption and price guesses
    usd_per_kwh: UsdPerKwh = Field(default=0.35, description="Fuel per kWh of electricity.")
    kg_per_kwh: KgPerKwh = Field(default=0.75, le=5, description="Carbon of that, kg CO2 per kWh of electricity.")


class Storage(Part):
    """A battery at the site's meter, for peaks and for the grid's wishes; the UPS's own is `ups_time`."""

    power: Watts = Field(gt=0, description="Most that it gives or takes, as facility power.")
    energy: Joules = Field(gt=0, description="What it holds, e.g. `4 MWh`.")
    efficiency: Number = Field(default=0.88, gt=0, le=1, description="Given back of what was taken, round trip.")
    shave_above: Watts | None = Field(
        default=None, gt=0, description="Discharge above this facility power; absent: only at the grid limit."
    )


class PowerTrain(Part):
    """From the grid to the machines. Sizes that are not given are those that the installed machines need."""

    redundancy: Literal["N", "N+1", "4N/3", "3N/2", "2N"] = Field(
        default="N+1", description="Of transformers, UPS and distribution: how much more stands there than is needed."
    )
    feeds: Positive = Field(default=2, le=16, description="Independent ways in from the grid.")
    module: Watts | None = Field(
        default=None,
        gt=0,
        description="Rating of one UPS module, as power that it gives; absent: a quarter of the critical power, at "
        "most 1.5 MW.",
    )
    capacity: Watts | None = Field(
        default=None, gt=0, description="Critical power that the UPS carry without spares; absent: what is installed."
    )
    oversubscription: Number = Field(
        default=1.0, ge=1, le=3, description="Nameplate power of the machines per power that the path is built for."
    )
    transformer: LossCurve = Field(default=LossCurve(no_load=0.002, square=0.01), description="Of the transformers.")
    ups: LossCurve = Field(
        default=LossCurve(no_load=0.0048, proportional=0.008, square=0.016), description="Of the UPS modules."
    )
    distribution: LossCurve = Field(default=LossCurve(no_load=0.0, square=0.01), description="Of busways and cables.")
    shelf: LossCurve | None = Field(
        default=None,
        description="Of the racks' power shelves, where machines' figures are watts behind them; absent: the figures "
        "are watts at the plug, as the catalog's are, and hold the shelves' losses.",
    )
    ups_time: Seconds = Field(default=300.0, ge=0, description="How long UPS batteries carry the full load.")
    generators: Generators | None = Field(default=None, description="Absent: none.")
    storage: Storage | None = Field(default=None, description="Absent: none.")
