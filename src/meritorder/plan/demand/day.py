"""How demand goes over a day: 24 factors with mean 1, from numbers, a file, or a preset's own rate curve."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from meritorder.plan.demand.columns import Rows, number, read_rows
from meritorder.plan.instance import Floats
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.workload.find import specified
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.arrivals import planned
from meritorder.workload.synthesis.spec import TrafficSpec
from meritorder.workload.synthesis.synthesize import span_s

_HOUR = 3600.0
_DAY = 24 * _HOUR


def day_curve(day: tuple[float, ...] | str) -> Floats:
    """[24] demand by the hour of the day over its mean. Raises InputError where a file or preset has no such curve."""
    if isinstance(day, str):
        spec = specified(day)
        curve = _of_file(day) if spec is None else _of_spec(spec)
    else:
        curve = np.asarray(day or (1.0,) * 24, np.float64)
    normed: Floats = curve / curve.mean()
    return normed


def at_utc(curve: Floats, utc_offset: float) -> Floats:
    """[24] a curve by a clock so many hours ahead of UTC as one by UTC; its mean stays the same.

    Parts of an hour take that part of each of the two hours that they lie in.
    """
    whole = int(np.floor(utc_offset))
    part = utc_offset - whole
    shifted: Floats = (1.0 - part) * np.roll(curve, -whole) + part * np.roll(curve, -whole - 1)
    return shifted


def _of_spec(spec: TrafficSpec) -> Floats:
    """Mean rate in each hour of the day, over the whole days of a workload's rate curves."""
    span = span_s(spec)
    varying = [client for client in spec.clients.values() if client.per_s is None]
    if not varying or span % _DAY:
        what = f"has rate curves of {span / _HOUR:g} h" if varying else "has no rate curve, only constant rates"
        raise InputError(
            Problem(f'"{spec.name}" {what}, so it has no typical day', fix="give 24 numbers or a CSV file")
        )
    edges = np.arange(0.0, span + 1.0, _HOUR)
    requests = np.zeros(len(edges) - 1)
    for client in spec.clients.values():
        curve = planned(client, 0.0, span)
        integrated = np.concatenate(([0.0], np.cumsum(curve.per_s * np.diff(curve.edges))))
        turns = client.sessions.turns.mean() if client.sessions else 1.0
        requests += client.count * turns * np.diff(np.interp(edges, curve.edges, integrated))
    by_hour: Floats = requests.reshape(-1, 24).mean(axis=0)
    return by_hour


def _of_file(name: str) -> Floats:
    """Mean of a file's rows in each hour of the day."""
    if not Path(name).is_file():
        fix = f"{did_you_mean(name, presets.names())}; or name a file, or give 24 numbers"
        raise InputError(Problem(f'"{name}" is no file and no preset', fix=fix))
    rows = read_rows(Path(name), ("time", "requests_per_s"))
    hours = np.array([_hour(rows, index) for index in range(len(rows))])
    rates = np.array([number(rows, index, "requests_per_s") for index in range(len(rows))])
    count = np.bincount(hours, minlength=24)
    if (count == 0).any():
        missing = ", ".join(str(hour) for hour in np.flatnonzero(count == 0))
        raise InputError(
            Problem(f"has no row in the hours {missing} (UTC)", rows.name, fix="give every hour of the day")
        )
    curve: Floats = np.bincount(hours, weights=rates, minlength=24) / count
    if curve.sum() <= 0:
        raise InputError(Problem("has no demand in it", rows.name, "requests_per_s", "give rates above 0"))
    return curve


def _hour(rows: Rows, index: int) -> int:
    """Hour of the day (UTC) of a row: of a moment with its offset, or of a time of the day."""
    text = rows.text(index, "time")
    try:
        if "T" not in text and "-" not in text:
            return datetime.strptime(text, "%H:%M").hour
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise rows.fault(index, "time", f'"{text}" is no time', "write 14:00 (UTC), or 2026-07-14T14:00Z")
    return moment.astimezone(UTC).hour
