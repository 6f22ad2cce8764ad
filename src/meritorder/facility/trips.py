"""Rows that lose power: breakers and UPS that were overloaded too long, sources that are gone; and their return.

An overload heats like the square of the load: `(x^2 - 1) dt` adds up while the load is x > 1 times the rating, and
trips at `TRIP_S`: 1.1 times after 6 minutes, 1.25 after 2, 1.5 after 1, as the overload ratings of common
double-conversion UPS (docs/facility.md).
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.facility.state import UNFED, FacilityState
from meritorder.facility.train import transformer_rating_w, ups_rating_w

TRIP_S = 75.0
RECLOSE_S = 900.0  # a breaker that tripped is closed again by hand


@compiled
def trip(facility: FacilityState, site: int, dt: float) -> None:
    """Set and clear the bit UNFED of the site's rows."""
    s = facility.sites[site]
    train = facility.trains[site]
    by_breakers(facility, site, dt)
    overload = 0.0
    if train.outage_s == 0.0 and transformer_rating_w(facility, site) > 0.0:
        overload = train.bus_w / transformer_rating_w(facility, site)
    if ups_rating_w(facility, site) > 0.0:
        overload = max(overload, train.critical_w / ups_rating_w(facility, site))
    train.overload_s = heated(train.overload_s, overload, dt)
    if train.dead == 1 or (s.unserved_w > 1e-9 * s.facility_w and train.generating == 0.0):
        keep(facility, site, 0.0, 0.0)
    elif s.unserved_w > 1e-9 * s.facility_w:
        keep(facility, site, s.it_w * (s.facility_w - s.unserved_w) / s.facility_w, 0.0)
    elif train.overload_s >= TRIP_S:
        keep(facility, site, s.it_w / overload, -RECLOSE_S)
        train.overload_s = 0.0
    elif train.outage_s == 0.0 or train.generating == 1.0:
        feed_again(facility, site)


@inlined
def heated(before_s: float, load: float, dt: float) -> float:
    """An overload's heat after `dt` at this part of the rating; it cools as it warms. Below 0: open, for so long."""
    if before_s < 0.0:
        return min(0.0, before_s + dt)
    return max(0.0, before_s + (load * load - 1.0) * dt)


@compiled
def by_breakers(facility: FacilityState, site: int, dt: float) -> None:
    """Rows on feeds that are down, and rows whose busway was overloaded too long."""
    s = facility.sites[site]
    train = facility.trains[site]
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        row.overload_s = heated(row.overload_s, row.it_w / row.limit_w, dt)
        if row.overload_s >= TRIP_S:
            row.overload_s = -RECLOSE_S
            row.tripped |= UNFED
        if row.feeds & train.feeds_up == 0:
            row.tripped |= UNFED


@compiled
def keep(facility: FacilityState, site: int, it_w: float, overload_s: float) -> None:
    """Trip the last rows of the site, so that those left drew no more than `it_w`."""
    s = facility.sites[site]
    left = 0.0
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        if row.tripped & UNFED == 0:
            if it_w > 0.0 and left + row.it_w <= it_w:
                left += row.it_w
            else:
                row.tripped |= UNFED
                row.overload_s = min(row.overload_s, overload_s)


@compiled
def feed_again(facility: FacilityState, site: int) -> None:
    """Rows get power back in their order, as far as sources and path carry them at their most."""
    s = facility.sites[site]
    train = facility.trains[site]
    it_w = ups_rating_w(facility, site) / train.critical_per_it
    if train.outage_s > 0.0:
        it_w = min(it_w, train.generator_w / train.facility_per_it)
    else:
        it_w = min(it_w, transformer_rating_w(facility, site) / train.facility_per_it)
    on = 0.0
    for r in range(s.first_row, s.first_row + s.row_count):
        if facility.rows[r].tripped & UNFED == 0:
            on += facility.rows[r].max_w * train.part_of_nameplate
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        if row.tripped & UNFED and row.overload_s >= 0.0 and row.feeds & train.feeds_up:
            on += row.max_w * train.part_of_nameplate
            if on > it_w * (1.0 + 1e-9):
                break
            row.tripped &= ~UNFED
