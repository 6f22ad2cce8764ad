"""What is known of a machine as a range only, and the machine at either end of all its ranges together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meritorder.units import UNITS, parse

if TYPE_CHECKING:
    from meritorder.catalog.accelerator import Accelerator

# Figures of which more is better for whoever owns the machine, and those of which less is.
MORE = frozenset(
    ("flops_16", "flops_8", "flops_4", "memory", "bandwidth", "link", "scale_out", "wafer.compute", "wafer.sram")
)
LESS = frozenset(("hop", "idle", "typical", "max", "tdp", "board_idle", "usd_per_hour", "wafer.decode_slot"))
# Those that change energy and cost, but neither speed nor what fits.
_MONEY = frozenset(("idle", "typical", "max", "tdp", "board_idle", "usd_per_hour"))


class Span(BaseModel):
    """Lowest and highest value that a figure may have, in SI units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float = Field(description="lowest value, SI units")
    high: float = Field(description="highest value, SI units")

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is more than high {self.high:g}")
        return self


def span(low: str | float, high: str | float) -> Span:
    """The span of two values as the catalog writes them (`"8 kW"`)."""
    return Span(low=_si(low), high=_si(high))


def leans_on_ranges(chip: Accelerator) -> bool:
    """Whether how fast the machine is, or what fits on it, is known as a range only."""
    return bool(chip.ranges.keys() - _MONEY)


def ends(chip: Accelerator) -> tuple[Accelerator, Accelerator]:
    """The machine with all its ranges at their unfavourable, and at their favourable end."""
    bad = {key: s.low if key in MORE else s.high for key, s in chip.ranges.items()}
    good = {key: s.high if key in MORE else s.low for key, s in chip.ranges.items()}
    return _with(chip, bad), _with(chip, good)


def unknown_keys(keys: Mapping[str, Any]) -> list[str]:
    """Keys of ranges whose effect is not known."""
    return [key for key in keys if key not in MORE | LESS]


def _with(chip: Accelerator, values: Mapping[str, float]) -> Accelerator:
    own = {key: value for key, value in values.items() if "." not in key}
    of_wafer = {key.removeprefix("wafer."): value for key, value in values.items() if key.startswith("wafer.")}
    changed = chip.model_copy(update={**own, "wafer": chip.wafer.model_copy(update=of_wafer), "ranges": {}})
    # idle, typical and maximum power keep their order where only one of them is a range
    typical = max(changed.idle, changed.typical)
    return changed.model_copy(update={"typical": typical, "max": max(typical, changed.max)})


def _si(value: str | float) -> float:
    if not isinstance(value, str):
        return float(value)
    unit = value.strip().partition(" ")[2]
    base = next(base for base, units in UNITS.items() if unit in units)
    return parse(value, base)
