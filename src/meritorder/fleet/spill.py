"""`Spill`: the slower memory of a replica that keeps KV caches its fast memory has no room for."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from meritorder.fleet.links import LATENCY_S
from meritorder.fleet.part import Part
from meritorder.units import Bytes, BytesPerSecond, Seconds


class Spill(Part):
    """The memory and the link to it, of a whole replica; what is absent is the catalog machine's, of all its chips."""

    capacity: Bytes | None = Field(default=None, ge=0, description="Its size, for example `2 TB`.")
    bandwidth: BytesPerSecond | None = Field(default=None, gt=0, description="From it to the fast memory.")
    latency: Seconds = Field(default=LATENCY_S, description="Set-up of a transfer.")


def _switch(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, dict | Spill):
        raise ValueError("is no switch; give true, false, or a mapping: {capacity: 1 TB, bandwidth: 50 GB/s}")
    return value


SpillSwitch: TypeAlias = Annotated[
    Spill | None,
    BeforeValidator(_switch, json_schema_input_type=bool | Spill | None),
]
