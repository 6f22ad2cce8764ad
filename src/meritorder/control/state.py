"""`ControlState`: what the controller wants of the fleet, and what it remembers; others carry it out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meritorder.records import Records

SITE_CONTROL = np.dtype(
    [
        ("usd_per_j", "f8"),  # facility energy and its carbon per joule at the machines, now
        ("allowed_it_w", "f8"),  # what it may draw, demand response included, less the margin
        ("base_w", "f8"),  # running mean of facility power over five minutes, for demand response
        ("calm_s", "f8"),  # so long has power sufficed
        ("pressed", "i4"),  # how many levers are in use
        ("binding", "i4"),  # index into facility.state.LIMITS
    ]
)

POOL_CONTROL = np.dtype(
    [
        ("levels", "i4"),  # power limits that may be set, the full one included
        ("level", "i4"),  # the wanted one; 0: full power
    ]
)

SERVICE_CONTROL = np.dtype(
    [
        ("flexible_s", "f8"),  # a request may wait so long; 0: it may not
        ("price_below", "f8"),
        ("carbon_below", "f8"),
        ("priority", "i4"),
        ("hold", "i4"),  # arrivals are kept waiting
        ("release", "i8"),  # so many of them may go in this step
    ]
)

# What was done when: a ring that keeps the last ones.
LEVERS = ("move", "cap", "hold", "shed")
MOVE, CAP, HOLD, SHED = range(len(LEVERS))
DEED = np.dtype(
    [
        ("time", "f8"),
        ("site", "i4"),
        ("lever", "i4"),
        ("target", "i4"),  # pool for `cap`, service for the others
        ("level", "i4"),  # its new level, or 1 / 0
        ("binding", "i4"),
    ]
)


class ControlState(NamedTuple):
    """Of all sites. `settings` holds numbers of the fleet file (control/build.py)."""

    sites: Records  # SITE_CONTROL
    pools: Records  # POOL_CONTROL
    services: Records  # SERVICE_CONTROL
    shut: Records  # i4 [services, pools]: this pool takes no new requests of this service
    events: Records  # demand response, by start (control/build.py)
    deeds: Records  # DEED
    settings: Records  # SETTINGS (control/build.py)
