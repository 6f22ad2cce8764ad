"""`ControlState`: what the controller wants of the fleet, and what it remembers; others carry it out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meritorder.facility.state import LIMITS
from meritorder.records import Records

SITE_CONTROL = np.dtype(
    [
        ("usd_per_j", "f8"),  # facility energy and its carbon per joule at the machines, now
        ("allowed_it_w", "f8"),  # what it may draw, demand response included, less the margin; infinity: no limit
        ("it_w", "f8"),  # what it draws, smoothed, deeds not yet seen in it taken off
        ("base_w", "f8"),  # running mean of grid power over five minutes, for demand response
        ("base_s", "f8"),  # seconds that are in it
        ("pressed", "i4"),  # how many levers are in use
        ("binding", "i4"),  # index into facility.state.LIMITS
    ]
)

# A limit and the pools under it: a site, or one row of racks of it.
ZONE = np.dtype(
    [
        ("site", "i4"),
        ("row", "i4"),  # -1: the site itself
        ("first", "i4"),  # its members are members[first : first + count]
        ("count", "i4"),
        ("binding", "i4"),  # index into facility.state.LIMITS
        ("allowed_w", "f8"),  # IT watts; infinity: no limit
        ("limit_w", "f8"),  # the same less the margin: what the levers aim at
        ("last_w", "f8"),  # IT watts of the last step
        ("smooth_w", "f8"),  # the same, smoothed, deeds not yet seen in it taken off
        ("acted", "f8"),  # when a lever was used last
        ("kept_by", "f8"),  # moment by which the limit has to be kept
        ("calm_s", "f8"),  # so long has power sufficed
        ("wait_s", "f8"),  # so long must it suffice before a lever is let go
        ("let_go", "f8"),  # when a lever was let go last
    ]
)

MEMBER = np.dtype([("zone", "i4"), ("pool", "i4"), ("share", "f8")])  # share of the pool's power that is drawn there

POOL_CONTROL = np.dtype(
    [
        ("site", "i4"),
        ("levels", "i4"),  # power limits that may be set, the full one included
        ("level", "i4"),  # the wanted one; 0: full power
        ("option", "i4"),  # its levels are options[option : option + levels]
        ("last_j", "f8"),  # energy told of it up to the last step
        ("busy_w", "f8"),  # above idle, of the last step, smoothed, caps not yet seen in it taken off
        ("requests", "f8"),  # in flight
        ("model_w", "f8"),  # `busy_w` as the curve says it for these requests, smoothed alike
        ("coming", "f8"),  # requests that deeds will bring (or take away) yet, all services'
        ("extra", "f8"),  # further ones, while it is tried whether they fit
        # of control/expect.py, as of step `seen`
        ("seen", "i8"),
        ("weight", "f8"),  # of the most important service with requests there
        ("residence_s", "f8"),  # how long a request stays
        ("curve_n", "f8"),  # requests in flight at CURVE_ONE of its curve
        ("scale", "f8"),  # `busy_w` over `model_w`, learned slowly
    ]
)

# Watts above idle of a pool by its requests in flight: at k / CURVE_ONE of `curve_n`.
CURVE_ONE, CURVE_POINTS = 16, 25

# What a pool would draw and do to its requests at one of its power limits, as it is loaded now.
OPTION = np.dtype(
    [
        ("watts", "f8"),  # above idle, sum over the replicas looked at
        ("harm", "f8"),  # to their requests, against full power (docs/control.md)
    ]
)

# A service on a pool: how many of PARTS of its new requests may not go there, and by which lever.
PARTS = 16
CLOSURE = np.dtype(
    [
        ("moved", "i4"),
        ("shed", "i4"),
        ("requests", "f8"),  # in flight, as of the pool's `seen`
        ("demand", "f8"),  # what would be in flight if none were kept away
        ("coming", "f8"),  # what deeds will bring (or, < 0, take away) yet
    ]
)

SERVICE_CONTROL = np.dtype(
    [
        ("flexible_s", "f8"),  # a request may wait so long; 0: it may not
        ("price_below", "f8"),  # USD per kWh; infinity: any
        ("carbon_below", "f8"),  # kg per kWh; infinity: any
        ("priority", "i4"),
        ("hold", "i4"),  # arrivals are kept waiting: HOLD_... bits
        ("release", "i8"),  # so many of them may go in this step
        ("parked", "i8"),  # so many are waiting; whoever carries the orders out tells it
        ("idle_s", "f8"),  # so long have all that waited been let go at the next step
    ]
)

HOLD_POWER, HOLD_PRICE = 1, 2
ALL = 1 << 40  # of `release`: everybody may go

# What was done when: a ring that keeps the last ones.
LEVERS = ("move", "cap", "hold", "shed")
MOVE, CAP, HOLD, SHED = range(len(LEVERS))
DEED = np.dtype(
    [
        ("time", "f8"),
        ("site", "i4"),
        ("row", "i4"),  # -1: the site as a whole
        ("lever", "i4"),
        ("target", "i4"),  # pool for `cap`, service for the others
        ("level", "i4"),  # its new level; of `move` and `shed` the most parts of 16 at the site; of `hold` 1 / 0
        ("binding", "i4"),  # index into CAUSES
        ("watts", "f8"),  # what it is expected to take off, < 0: put on
    ]
)

# Why: the limits of a site, and what flexible services wait for.
CAUSES = (*LIMITS, "price", "carbon")
PRICE, CARBON = len(LIMITS), len(LIMITS) + 1

# A demand response event of a site.
TO_COME, UNDER_WAY, OVER = range(3)
EVENT = np.dtype(
    [
        ("site", "i4"),
        ("state", "i4"),  # TO_COME, UNDER_WAY, OVER
        ("start", "f8"),
        ("stop", "f8"),
        ("kept_by", "f8"),  # when it has to be kept
        ("reduce", "f8"),  # part of the power before; 0: `limit_w` says it
        ("limit_w", "f8"),  # grid watts
    ]
)

SETTINGS = np.dtype(
    [
        ("margin", "f8"),
        ("release_s", "f8"),
        ("carbon_usd_per_kg", "f8"),
        ("tick", "i8"),
        ("deeds", "i8"),  # done so far; the ring holds the last ones
    ]
)


class ControlState(NamedTuple):
    """Of all sites. Built by control/build.py; `control_step` changes it."""

    sites: Records  # SITE_CONTROL
    zones: Records  # ZONE: the sites, then the rows that have a limit
    members: Records  # MEMBER, by zone
    pools: Records  # POOL_CONTROL
    options: Records  # OPTION, by pool
    curves: Records  # f8 [pools, CURVE_POINTS]
    services: Records  # SERVICE_CONTROL, in the fleet file's order
    order: Records  # i4: levers, the first first
    least_first: Records  # i4 [services]: the least important first
    closures: Records  # CLOSURE [services, pools]
    shut: Records  # i4 [services, pools]: != 0: this pool takes no new requests of this service until the next step
    events: Records  # EVENT, by start
    deeds: Records  # DEED
    settings: Records  # SETTINGS, one record
