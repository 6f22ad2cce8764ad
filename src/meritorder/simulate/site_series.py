"""What sites did over time, and what was done to keep them within their power: from the states after a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.control.state import CAP, CAUSES, LEVERS, ControlState
from meritorder.facility.state import FACILITY_SERIES

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SiteSeries:
    """Integrals over bins by site: name of `FACILITY_SERIES` -> [sites, bins]; empty where there is no site model."""

    values: dict[str, Floats]
    bin_s: float

    def mean(self, name: str) -> Floats:
        """The mean over each bin of what `name` is the integral of [sites, bins]; NaN in empty bins."""
        seconds = self.values["seconds"]
        out = np.full_like(seconds, np.nan)
        return np.divide(self.values[name], seconds, out=out, where=seconds > 0)

    def ratio(self, above: str, below: str) -> Floats:
        """One integral over another [sites, bins]; NaN where the other is 0."""
        base = self.values[below]
        return np.divide(self.values[above], base, out=np.full_like(base, np.nan), where=base > 0)


def site_series(result: Result) -> SiteSeries:
    """The series of a run, without the empty bins behind its end."""
    facility = result.facility
    if facility is None:
        return SiteSeries({}, 0.0)
    used = max(1, int(np.count_nonzero(facility.series["seconds"].sum(axis=0))))
    values = {name: np.array(facility.series[name][:, :used], np.float64) for name in FACILITY_SERIES}
    return SiteSeries(values, float(facility.clock[0].bin_s))


@dataclass(frozen=True)
class Deed:
    """One use of a lever of the controller."""

    time_s: float
    site: str
    row: int  # of the whole fleet; -1: the site as a whole
    lever: str  # one of LEVERS
    target: str  # a pool (cap), or a service
    level: int  # how far it is used now; 0: let go
    why: str
    watts: float  # what it is expected to take off IT power; < 0: put on

    def as_row(self) -> dict[str, Any]:
        """For tables and JSON."""
        return dict(self.__dict__)


def deeds(result: Result) -> tuple[list[Deed], int]:
    """What the controller did, in order, and how many deeds there were: only the last ones are remembered."""
    control: ControlState | None = result.control
    if control is None:
        return [], 0
    total = int(control.settings[0].deeds)
    ring = len(control.deeds)
    sites, pools, services = list(result.fleet.sites), list(result.fleet.pools), list(result.fleet.services)
    found = []
    for index in range(max(0, total - ring), total):
        deed = control.deeds[index % ring]
        targets = pools if deed.lever == CAP else services
        found.append(
            Deed(
                time_s=float(deed.time),
                site=sites[deed.site],
                row=int(deed.row),
                lever=LEVERS[deed.lever],
                target=targets[deed.target],
                level=int(deed.level),
                why=CAUSES[deed.binding],
                watts=float(deed.watts),
            )
        )
    return found, total


def spans(done: Iterable[Deed], end_s: float) -> list[tuple[Deed, float]]:
    """Deeds that put a lever to use or change how far, and the seconds until the next on their target, or the end."""
    last: dict[tuple[str, str, str], Deed] = {}
    found = []
    for deed in done:
        key = ("" if deed.lever == "hold" else deed.site, deed.lever, deed.target)  # whoever holds a service, holds all
        before = last.pop(key, None)
        if before is not None:
            found.append((before, deed.time_s - before.time_s))
        if deed.level:
            last[key] = deed
    found += [(deed, max(0.0, end_s - deed.time_s)) for deed in last.values()]
    return sorted(found, key=lambda pair: pair[0].time_s)


def seconds_covered(parts: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals (start, length)."""
    total, reach = 0.0, -np.inf
    for start, length in sorted(parts):
        total += max(0.0, start + length - max(start, reach))
        reach = max(reach, start + length)
    return total
