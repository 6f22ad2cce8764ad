"""`site_hours`: what the building, the weather and the grid of every site make of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from meritorder.facility.design_day import UNKNOWN_DRY_C, UNKNOWN_WET_C, hours_of_series
from meritorder.facility.steady import MILD_WET_C
from meritorder.facility.surroundings.hours import MILD_C
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.site import surroundings_of
from meritorder.fleet.schema import Fleet, Site
from meritorder.fleet.site import Facility
from meritorder.fleet.surroundings import is_file
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Floats
from meritorder.plan.sites.building import LOADS, Building
from meritorder.plan.sites.hull import convex_pieces, evaluate, relative_error
from meritorder.plan.sites.sizes import building_with
from meritorder.plan.sites.typical import Calendar, hourly, numbers
from meritorder.plan.systems import Machines, machines_in
from meritorder.problems import InputError, Problem
from meritorder.units import JOULES_PER_KWH

PIECES = 4
USUAL_LOAD = 0.4  # pumps and fans follow the load from here on
LOW_WEIGHT = 0.2  # of errors below: blocks are seldom so empty
HOURS = 25  # of a typical day, and the design hour
DESIGN = 24


@dataclass(frozen=True)
class SiteHours:
    """Hours 0 to 23 (UTC) of a typical day of each period, and the design hour. R = 25.

    Typical hours are means over all hours of the period's calendar months, of facility power too: the mean power of
    cold and warm days, not the power on a mean day.
    """

    sites: tuple[str, ...]
    blocks: tuple[str, ...]  # "SITE/BLOCK"
    pieces: Floats  # [T,R,B,Q,2] facility power >= [0] x IT capacity + [1] x IT power
    cooled: Floats  # [T,R,B] IT power per capacity that path and cooling carry
    usd_per_j: Floats  # [T,S,R]
    kg_per_j: Floats  # [T,S,R]
    weather: Floats  # [T,R,B,2] dry and wet bulb, C; of the design hour that in which the block draws most
    error: Floats  # [B] largest relative error of the pieces against the building, from USUAL_LOAD on
    error_low: Floats  # [B] the same below, where pumps and fans at their least make power less than convex
    negative: Floats  # [T,S] share of the hours with prices below 0
    notes: tuple[str, ...]


def site_hours(fleet: Fleet, horizon: Horizon) -> SiteHours:
    """All sites of the fleet's plan. Raises InputError where a series can't be used."""
    assert fleet.plan is not None
    months = [numbers(period) for period in horizon.months]
    problems: list[Problem] = []
    places: list[_Place] = []
    for name in fleet.plan.sites:
        try:
            places.append(_place(fleet, name, months))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    blocks = [block for place in places for block in place.blocks]
    watts = np.concatenate([place.watts for place in places], axis=1)
    usual = LOADS >= USUAL_LOAD
    pieces = convex_pieces(LOADS, watts, np.where(usual, 1.0, LOW_WEIGHT), PIECES)
    pieces *= _centring(evaluate(pieces, LOADS)[..., usual], watts[..., usual])[..., None, None]
    off = relative_error(evaluate(pieces, LOADS), watts).max(axis=(0, 2))
    return SiteHours(
        sites=tuple(fleet.plan.sites),
        blocks=tuple(blocks),
        pieces=np.moveaxis(pieces, 1, 2),
        cooled=np.concatenate([place.cooled for place in places], axis=1).swapaxes(1, 2),
        usd_per_j=np.stack([place.usd_per_kwh for place in places], axis=1) / JOULES_PER_KWH,
        kg_per_j=np.stack([place.kg_per_kwh for place in places], axis=1) / JOULES_PER_KWH,
        weather=np.concatenate([place.weather for place in places], axis=1).swapaxes(1, 2),
        error=off[:, usual].max(axis=1),
        error_low=off[:, ~usual].max(axis=1),
        negative=np.stack([place.negative for place in places], axis=1),
        notes=tuple(note for place in places for note in place.notes),
    )


def _centring(found: Floats, watts: Floats) -> Floats:
    """Factor [...] that makes the largest errors above and below alike: chords between samples lie above them."""
    ratio = found / watts
    return np.asarray(2.0 / (ratio.max(axis=-1) + ratio.min(axis=-1)))


@dataclass(frozen=True)
class _Place:
    """One site: arrays [T,b,R,...] over its b kinds of block, [T,R] where it is the site's own."""

    blocks: list[str]
    watts: Floats  # [T,b,R,L] facility power per capacity at LOADS
    cooled: Floats  # [T,b,R]
    weather: Floats  # [T,b,R,2] dry and wet bulb
    usd_per_kwh: Floats  # [T,R]
    kg_per_kwh: Floats
    negative: Floats  # [T]
    notes: tuple[str, ...]


def _place(fleet: Fleet, name: str, months: Sequence[list[int]]) -> _Place:
    assert fleet.plan is not None
    site, kinds = fleet.sites[name], fleet.plan.sites[name].blocks
    known = surroundings_of(site)
    price, negative = _by_period(known.price, site.usd_per_kwh, months)
    carbon, _ = _by_period(known.carbon, site.kg_per_kwh, months)
    shape = (len(months), len(kinds), HOURS)
    watts, cooled = np.zeros((*shape, len(LOADS))), np.ones(shape)
    weather = np.zeros((*shape, 2))
    weather[..., :DESIGN, :] = MILD_C, MILD_WET_C
    weather[..., DESIGN, :] = UNKNOWN_DRY_C, UNKNOWN_WET_C
    if site.facility is None:
        watts[:] = site.pue * LOADS
    for b, kind in enumerate(kinds if site.facility is not None else ()):
        alone = _alone(site, building_with(fleet, name, {kind: 1}))
        asked = (kinds[kind].power, machines_in(fleet, name, kind))
        if known.weather is None:
            dry, wet = weather[0, b].T
            watts[:, b], cooled[:, b] = Building(alone, *asked).at(dry, wet)
        else:
            key = (alone.model_dump_json(), _stamp(site.weather))
            tried = _Asked(*key, *asked, tuple(tuple(period) for period in months), alone)
            watts[:, b], cooled[:, b], weather[:, b] = _of_year(tried)
    notes = tuple(f"{series.source}: {note}" for series in known if series is not None for note in series.notes)
    return _Place(
        blocks=[f"{name}/{kind}" for kind in kinds],
        watts=watts,
        cooled=cooled,
        weather=weather,
        usd_per_kwh=price,
        kg_per_kwh=carbon,
        negative=negative,
        notes=_not_looked_at(name, site) + notes,
    )


@dataclass(frozen=True)
class _Asked:
    """What decides a block's year; equal ones are computed once."""

    text: str  # all of the site
    stamp: int  # when its weather file was changed
    power_w: float
    machines: Machines
    months: tuple[tuple[int, ...], ...]
    site: Site = field(compare=False)


@lru_cache(maxsize=256)
def _of_year(asked: _Asked) -> tuple[Floats, Floats, Floats]:
    """Facility power [T,R,L] per capacity, what is carried [T,R] and weather [T,R,2] of a block."""
    building = Building(asked.site, asked.power_w, asked.machines)
    calendar, dry, wet = _weather(asked.site.weather, asked.stamp)
    facility, carried = building.over(dry, wet)
    every = np.concatenate([facility, carried[:, None], dry[:, None], wet[:, None]], axis=1)
    found = np.empty((len(asked.months), HOURS, every.shape[1]))
    for t, period in enumerate(asked.months):
        found[t, :DESIGN] = calendar.day(every, period)
        here = np.flatnonzero(calendar.within(period))
        worst = here[int(np.argmax(facility[here, -1]))]
        power, most = building.at(dry[worst : worst + 1], wet[worst : worst + 1])
        found[t, DESIGN] = [*power[0], min(float(most[0]), float(carried[here].min())), dry[worst], wet[worst]]
    return found[..., : len(LOADS)], found[..., len(LOADS)], found[..., -2:]


@lru_cache(maxsize=64)
def _weather(named: str, stamp: int) -> tuple[Calendar, Floats, Floats]:
    """Dry and wet bulb of every hour of a site's weather."""
    site = Site(weather=named, usd_per_kwh=0.0, kg_per_kwh=0.0)
    series = surroundings_of(site).weather
    assert series is not None
    calendar, values = hourly(series, linear=True)
    hours = hours_of_series(replace(series, values=values))
    return calendar, np.asarray(hours.dry_c, np.float64), np.asarray(hours.wet_c, np.float64)


def _stamp(named: str) -> int:
    """When a weather file was last changed; 0: a climate of the catalog, or none."""
    return Path(named).stat().st_mtime_ns if named and is_file(named) else 0


def _by_period(series: Series | None, constant: float, months: Sequence[list[int]]) -> tuple[Floats, Floats]:
    """Means [T,R] of price or carbon, the largest value in the design hour; share of the hours below 0 [T].

    A mean below 0 counts as 0: power that pays would be burnt, since what a building draws is only bounded below.
    """
    if series is None:
        return np.full((len(months), HOURS), constant), np.zeros(len(months))
    calendar, values = hourly(series, linear=False)
    values = values[:, 0]
    found, negative = np.empty((len(months), HOURS)), np.empty(len(months))
    for t, period in enumerate(months):
        here = values[calendar.within(period)]
        found[t, :DESIGN], found[t, DESIGN] = calendar.day(values, period), here.max()
        negative[t] = (here < 0.0).mean()
    return np.maximum(0.0, found), negative


def _alone(site: Site, building: Facility) -> Site:
    """The site with the building of a block, without what limits it from outside or helps it at times."""
    power = building.power.model_copy(update={"generators": None, "storage": None})
    own = building.model_copy(update={"grid": None, "power": power})
    return site.model_copy(
        update={
            **{"facility": own, "price": "", "carbon": "", "scenarios": (), "demand_response": ()},
            "power_limit": None,
        }
    )


def _not_looked_at(name: str, site: Site) -> tuple[str, ...]:
    """Keys of a site that its blocks don't look at."""
    said = []
    if site.facility is not None and site.facility.halls:
        said.append(f"sites.{name}.facility.halls: not looked at; blocks say what can stand there")
    if site.power_limit is not None:
        said.append(f"sites.{name}.power_limit: not looked at; blocks say what IT power there is")
    if site.scenarios or site.demand_response:
        said.append(f"sites.{name}: heat waves, price spikes and the grid's wishes are for `merit simulate`")
    return tuple(said)
