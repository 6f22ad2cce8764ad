"""Whether energy is conserved: what is left over in a step, in parts of the site's power.

electrical: grid + generators + storage + ups + unserved - IT - losses - cooling
thermal:    heat of rows, rooms, pumps and room fans - rejected - stored since
batteries:  what they gave since - the fall of their charge
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.facility.state import FacilityState

Floats = npt.NDArray[np.float64]


class Stored(NamedTuple):
    """Energy in each site's masses and batteries, and heat on its way from rooms; J and W, [sites]."""

    heat_j: Floats
    charge_j: Floats
    given_j: Floats  # by batteries, of the run
    room_w: Floats


class Balance(NamedTuple):
    """Residuals of a step in parts of the site's facility power (at least: of its nameplate), [sites]."""

    electrical: Floats
    thermal: Floats
    batteries: Floats

    @property
    def worst(self) -> float:
        """The largest of all."""
        return float(max(np.abs(part).max(initial=0.0) for part in self))


def stored(facility: FacilityState) -> Stored:
    """To be taken before a step."""
    trains = facility.trains
    return Stored(
        _by_site(facility, facility.plants.stored_j),
        trains.battery_now_j + trains.battery_out_j + trains.storage_now_j,
        facility.sites.storage_j.copy(),
        trains.room_w.copy(),
    )


def balance(facility: FacilityState, before: Stored, dt: float) -> Balance:
    """The residuals of the step of `dt` seconds that was made since `before`."""
    sites, plants, rows = facility.sites, facility.plants, facility.rows
    size = np.maximum(sites.facility_w, sites.nameplate_w)
    sources = sites.grid_w + sites.generator_w + sites.storage_w + sites.ups_w + sites.unserved_w
    electrical = sources - sites.it_w - sites.loss_w - sites.cooling_w
    inside = _by_site(facility, plants.pump_w + plants.inside_fan_w)
    drawn = np.bincount(rows.site, rows.heat_w, minlength=len(sites))
    heat = np.where(sites.constant_pue > 0.0, 0.0, drawn + before.room_w + inside)
    now = stored(facility)
    rejected = _by_site(facility, plants.rejected_w)
    thermal = heat - rejected - (now.heat_j - before.heat_j) / dt
    given = now.given_j - before.given_j + now.charge_j - before.charge_j
    return Balance(electrical / size, thermal / size, given / dt / size)


def _by_site(facility: FacilityState, of_plants: Floats) -> Floats:
    return np.bincount(facility.plants.site, of_plants, minlength=len(facility.sites)).astype(np.float64)
