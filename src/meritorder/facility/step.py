"""`facility_step`: every site moves on by one step, from its machines' joules to what its meter sees."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.facility.cool import cool
from meritorder.facility.envelope import envelope
from meritorder.facility.state import FacilityState
from meritorder.facility.supply import ready, supply
from meritorder.facility.tally import tally
from meritorder.facility.train import distribution_loss, shelf_losses
from meritorder.facility.trips import trip


@compiled
def facility_step(facility: FacilityState, time: float, dt: float) -> None:
    """Move all sites on from `time - dt` to `time`.

    Takes the joules told since the last step (`rows.it_j`, `pools.it_j`). Sets powers, temperatures, prices and limits
    of now, `rows.stretch` and `rows.tripped`, and adds to totals and series.
    """
    for site in range(len(facility.sites)):
        surroundings(facility, site, time - 0.5 * dt)
        take(facility, site, dt)
        if facility.sites[site].constant_pue > 0.0:
            by_constant_pue(facility, site)
        else:
            ready(facility, site, dt)
            shelf_losses(facility, site)
            distribution_loss(facility, site)
            cool(facility, site, dt)
            supply(facility, site, dt)
            trip(facility, site, dt)
        envelope(facility, site)
        tally(facility, site, time, dt)
    facility.clock[0].now_s = time


@compiled
def surroundings(facility: FacilityState, site: int, time: float) -> None:
    """Weather between two entries of the site's hours; price and carbon hold for the whole of an entry."""
    s = facility.sites[site]
    x = s.first + time / s.step_s
    whole = int(x)
    part = x - whole
    now = facility.hours[s.hours + whole % s.count]
    then = facility.hours[s.hours + (whole + 1) % s.count]
    s.dry_c = now.dry_c + part * (then.dry_c - now.dry_c)
    s.wet_c = now.wet_c + part * (then.wet_c - now.wet_c)
    s.usd_per_kwh = now.usd_per_kwh
    s.kg_per_kwh = now.kg_per_kwh


@compiled
def take(facility: FacilityState, site: int, dt: float) -> None:
    """IT power of rows and site: what machines drew since the last step, idle power included."""
    s = facility.sites[site]
    s.it_w = 0.0
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        row.it_w = row.idle_w + row.it_j / dt
        row.it_j = 0.0
        s.it_w += row.it_w


@compiled
def by_constant_pue(facility: FacilityState, site: int) -> None:
    """A site of whose building nothing is known: what is beyond IT power is called cooling."""
    s = facility.sites[site]
    s.facility_w = s.grid_w = s.constant_pue * s.it_w
    s.cooling_w = s.facility_w - s.it_w
    s.marginal_pue = s.constant_pue
