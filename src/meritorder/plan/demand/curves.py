"""Mean demand of a service in each month of the horizon: by growth, a forecast, or what its past tells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from meritorder.fleet.plan.demand import ServiceDemand
from meritorder.fleet.plan.span import months_between
from meritorder.plan.demand.columns import Rows, month, number, read_rows
from meritorder.plan.demand.growth import growth
from meritorder.plan.demand.history import Fit, fitted
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Floats
from meritorder.problems import InputError, Problem, did_you_mean

LEVELS = ("low", "best", "high")


@dataclass(frozen=True)
class Curve:
    """Requests/s of one service, [months,3,regions]: low, best and high; as many regions as names."""

    regions: tuple[str, ...]
    requests: Floats
    fit: Fit | None = None  # where it comes from the past


def curve_of(asked: ServiceDemand, horizon: Horizon, regions: Collection[str]) -> Curve:
    """The demand of one service; `regions` may be named. Raises InputError where a file doesn't say it."""
    if asked.forecast:
        return _forecast(asked, horizon, regions)
    if asked.history:
        fit = fitted(Path(asked.history), horizon.all_months[-1])
        return replace(_shared(asked, _told(fit, horizon, asked.history)), fit=fit)
    return _shared(asked, _grown(asked, horizon))


def _grown(asked: ServiceDemand, horizon: Horizon) -> Floats:
    """[months,3] from the first month on."""
    assert asked.requests_per_s is not None
    months = np.arange(len(horizon.all_months), dtype=np.float64)
    per_year, ceiling = asked.growth.per_year, asked.growth.ceiling
    ends = [None if ceiling is None else getattr(ceiling, level) for level in LEVELS]
    grown = [growth(months, getattr(per_year, k), end) for k, end in zip(LEVELS, ends, strict=True)]
    return asked.requests_per_s * np.stack(grown, axis=1)


def _told(fit: Fit, horizon: Horizon, name: str) -> Floats:
    """[months,3] what was, in months of the horizon that have been, then what may be."""
    months = horizon.all_months
    if months[0] < fit.first:
        what = f"begins with {fit.first}, after the horizon's start {months[0]}"
        raise InputError(Problem(what, name, "month", "give earlier months, or a later `horizon.start`"))
    known = np.concatenate([np.repeat(fit.past[:, None], 3, axis=1), fit.interval])
    start = months_between(fit.first, months[0])
    return known[start : start + len(months)]


def _shared(asked: ServiceDemand, requests: Floats) -> Curve:
    """The same of each region, by its share."""
    shares = np.array(list(asked.regions.values()))
    return Curve(tuple(asked.regions), requests[:, :, None] * shares)


def _forecast(asked: ServiceDemand, horizon: Horizon, known: Collection[str]) -> Curve:
    """What a file says of every month, and of every region where it has a column of that name."""
    rows = read_rows(Path(asked.forecast), ("month", "requests_per_s"), ("month", "low", "best", "high"))
    one = "requests_per_s" in rows.header
    regional = "region" in rows.header
    if regional and "regions" in asked.model_fields_set:
        what = "has a column `region` beside `regions` of the fleet file"
        raise InputError(Problem(what, rows.name, fix="drop the one"))
    regions = tuple(dict.fromkeys(rows.text(row, "region") for row in range(len(rows)))) if regional else ("",)
    place = {name: index for index, name in enumerate(horizon.all_months)}
    table = np.full((len(place), 3, len(regions)), np.nan)
    for row in range(len(rows)):
        when = month(rows, row)
        if regional and rows.text(row, "region") not in known:
            region = rows.text(row, "region")
            raise rows.fault(row, "region", f'there is no region "{region}"', did_you_mean(region, known))
        where = regions.index(rows.text(row, "region")) if regional else 0
        values = [number(rows, row, "requests_per_s" if one else level) for level in LEVELS]
        if not values[0] <= values[1] <= values[2]:
            raise rows.fault(row, "best", "isn't between low and high", "give low <= best <= high")
        if when in place:
            if not np.isnan(table[place[when], 0, where]):
                raise rows.fault(row, "month", f"gives {when} again", "give each month once")
            table[place[when], :, where] = values
    _complete(rows, table, horizon, regions)
    return Curve(regions, table) if regional else _shared(asked, table[:, :, 0])


def _complete(rows: Rows, table: Floats, horizon: Horizon, regions: tuple[str, ...]) -> None:
    """Raises InputError where a month of the horizon is missing."""
    gaps = np.argwhere(np.isnan(table[:, 0]))
    if len(gaps):
        when, where = horizon.all_months[gaps[0][0]], regions[gaps[0][1]]
        of = f" of {where}" if where else ""
        more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        raise InputError(Problem(f"lacks {when}{of}{more}", rows.name, "month", "give every month of the horizon"))
