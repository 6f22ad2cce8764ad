"""A fleet file for each period of a plan, that `merit simulate` and `merit serve` take as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.plan.proof.fleets import fleet_at

if TYPE_CHECKING:
    from meritorder.plan.planned import Planned


def fleets_of(planned: Planned) -> dict[str, str]:
    """Text of the fleet file of each period, by its name; none of a period in which nothing serves."""
    build = planned.plan.build
    found = {}
    for t, period in enumerate(planned.horizon.names):
        if np.any(build.placed[t] > 0) or planned.instance.names.apis:
            found[period] = fleet_at(planned.fleet, planned.instance, build, t).text
    return found
