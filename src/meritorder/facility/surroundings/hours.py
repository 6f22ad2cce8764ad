"""`hours_of`: weather, price and carbon of a site over a run, in equal steps from its start."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.facility.psychro import humidity_ratio, saturation_pressure, standard_pressure, wet_bulb
from meritorder.facility.state import HOUR
from meritorder.facility.surroundings.scenarios import dearer, dirtier, warmed
from meritorder.facility.surroundings.series import YEAR_S
from meritorder.facility.surroundings.site import Surroundings, surroundings_of
from meritorder.fleet.schema import Fleet
from meritorder.fleet.site import Site
from meritorder.fleet.surroundings import Scenario
from meritorder.problems import InputError, Problem
from meritorder.records import Records, records

Floats = npt.NDArray[np.float64]

# Where nothing is said of the weather: the reference day of ISO 2314, 15 C, 60 % relative humidity, at sea level.
MILD_C, MILD_HUMIDITY = 15.0, 0.6
_STEPS_S = (3600, 1800, 900, 300, 60, 10)
_BEYOND_S = 7 * 86_400.0  # a run may last so much longer than its traffic before the table repeats


class Hours(NamedTuple):
    """`table[i]` (HOUR) holds from `(i - first) step_s` on, in seconds of the run; after its end it repeats.

    Between two entries weather is linear; price and carbon are those of the entry, as markets settle by the interval.
    """

    table: Records
    step_s: float
    first: float  # entries into the table at the run's time 0, 0 <= first < 1
    notes: tuple[str, ...]


def hours_of(fleet: Fleet, site: str, span_s: float) -> Hours:
    """The table of one site for a run of about `span_s` seconds.

    Raises InputError where a file can't be used, doesn't cover the run, or `start` is needed and missing.
    """
    spec = fleet.sites[site]
    known = surroundings_of(spec)
    if fleet.start is None and any(known):
        what = "is missing, and weather, price or carbon change by the hour"
        fix = "give the moment of the traffic's time 0: `start: 2023-07-14T12:00Z`, or `--start`"
        raise InputError(Problem(what, key="start", fix=fix))
    start = fleet.start.timestamp() if fleet.start else 0.0
    if not any(known) and not spec.scenarios:
        return Hours(_table(*_constant(spec, 1)), 3600.0, 0.0, ())
    step = _step(known, spec.scenarios, start)
    begin = math.floor(start / step) * step
    count = min(math.ceil((span_s + _BEYOND_S) / step) + 1, (YEAR_S + 86_400) // step)
    moments = begin + step * np.arange(count, dtype=np.int64)
    until = math.ceil(start + max(span_s, 1.0))
    weather, price, carbon = _constant(spec, count)
    if known.weather is not None:
        weather = known.weather.at(moments, until, linear=True)
    if known.price is not None:
        price = known.price.at(moments, until, linear=False)[:, 0]
    if known.carbon is not None:
        carbon = known.carbon.at(moments, until, linear=False)[:, 0]
    time_s: Floats = np.asarray(moments - start, np.float64)
    weather = warmed(spec.scenarios, time_s, weather)
    price, carbon = dearer(spec.scenarios, time_s, price), dirtier(spec.scenarios, time_s, carbon)
    notes = tuple(f"{series.source}: {note}" for series in known if series is not None for note in series.notes)
    return Hours(_table(weather, price, carbon), float(step), (start - begin) / step, notes)


def _constant(site: Site, count: int) -> tuple[Floats, Floats, Floats]:
    """Mild weather, and the site's means."""
    vapour = MILD_HUMIDITY * float(saturation_pressure(np.array([MILD_C]))[0])
    weather = np.tile([MILD_C, vapour, float(standard_pressure(0.0))], (count, 1))
    return weather, np.full(count, site.usd_per_kwh), np.full(count, site.kg_per_kwh)


def _step(known: Surroundings, scenarios: tuple[Scenario, ...], start: float) -> int:
    """The longest step on whose edges prices and carbon change and scenarios begin and end.

    Where there is none, 10 s: then edges are up to that late. A heat wave has at least 16 steps.
    """
    edges: list[float] = [
        moment for series in (known.price, known.carbon) if series for moment in (series.start, series.step_s)
    ]
    most = _STEPS_S[0]
    for scenario in scenarios:
        if scenario.what == "heat-wave":
            most = min(most, max(int(scenario.duration / 16), _STEPS_S[-1]))
        else:
            edges += [start + scenario.start, scenario.duration]
    for step in _STEPS_S:
        if step <= most and all(edge % step == 0 for edge in edges):
            return step
    return _STEPS_S[-1]


def _table(weather: Floats, price: Floats, carbon: Floats) -> Records:
    dry, vapour, pressure = weather.T
    table = records(len(dry), HOUR)
    table["dry_c"] = dry
    table["wet_c"] = wet_bulb(dry, humidity_ratio(vapour, pressure), pressure)
    table["usd_per_kwh"] = price
    table["kg_per_kwh"] = carbon
    return table
