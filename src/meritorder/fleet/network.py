"""The network between clients and sites, in the fleet file."""

from __future__ import annotations

from pydantic import Field

from meritorder.fleet.part import Number, Part
from meritorder.units import BytesPerSecond

TOKEN_BYTES = 4.0  # of plain text; an answer streamed as server-sent events takes EVENT_BYTES a token
EVENT_BYTES = 200.0


class Region(Part):
    """Where requests come from; how far it is from each site is said there (`rtt`)."""

    bandwidth: BytesPerSecond | None = Field(
        default=None, gt=0, description="Of one client towards the sites, for its prompt; absent: no limit."
    )
    utc_offset: Number = Field(
        default=0.0, ge=-12, le=14, description="Hours that its clock is ahead of UTC, for `day` of `plan.demand`."
    )


class Egress(Part):
    """What leaves a site towards its clients."""

    bandwidth: BytesPerSecond | None = Field(default=None, gt=0, description="Of the site; absent: no limit.")
    usd_per_gb: float = Field(default=0.0, ge=0, le=10, description="Price of a gigabyte sent to clients.")
