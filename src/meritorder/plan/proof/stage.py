"""The fleet of a case: the period's own, with what is lost, the weather of the hour, and machines that break."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from meritorder.facility.psychro import humidity_ratio, saturation_pressure, standard_pressure, wet_bulb
from meritorder.fleet.control import DemandResponse
from meritorder.fleet.faults import FaultAt
from meritorder.fleet.schema import Fleet, Site
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Build
from meritorder.plan.proof.cases import DESIGN, Case
from meritorder.plan.proof.edge import bare
from meritorder.plan.proof.fleets import FleetFile, fleet_at
from meritorder.plan.proof.sampling import without
from meritorder.units import JOULES_PER_KWH

HOUR_S = 3600.0


class Pace(NamedTuple):
    """How much time of a busiest hour is simulated."""

    warm_up_s: float
    judged_s: float
    lost_s: float  # when something is lost
    without_s: float  # how long that is judged


WHOLE = Pace(600.0, HOUR_S, 900.0, 1800.0)
SHORT = Pace(180.0, 420.0, 300.0, 300.0)  # where a second has more requests than others have in minutes


@dataclass(frozen=True)
class Stage:
    """What is simulated, and which arrivals are judged."""

    file: FleetFile
    fleet: Fleet
    span_s: float
    judged_s: tuple[float, float]
    notes: tuple[str, ...]


def stage_of(
    fleet: Fleet, instance: Instance, build: Build, case: Case, weather: Floats, folder: Path, pace: Pace = WHOLE
) -> Stage:
    """Make the fleet of a case. `weather` [S,2]: dry and wet bulb of the design hour; its files go into `folder`."""
    t, j = case.period, case.scenario
    if case.kind == "late":
        build = _without_deliveries(instance, build, case)
    file = fleet_at(fleet, instance, build, t, j=j)
    whole = file.fleet()
    notes: list[str] = []
    if case.kind == "day":
        whole = whole.model_copy(update={"start": _some_day(file, case, instance)})
        judged, span = (0.0, 24 * HOUR_S), 24 * HOUR_S
    else:
        whole = _up(whole, instance, file)
        whole = whole.model_copy(update={"sites": _design_hour(whole, instance, case, weather, folder)})
        judged = (pace.warm_up_s, pace.warm_up_s + pace.judged_s)
        span = judged[1]
    if case.kind in ("site", "supplier", "curtail"):
        whole = _losing(whole, instance, case, pace)
        judged = (pace.lost_s, pace.lost_s + pace.without_s)
        span = judged[1]
    if case.kind in ("worst hour", "day") and not whole.faults.rates:
        whole = whole.model_copy(update={"faults": whole.faults.model_copy(update={"rates": "default"})})
    if any(pool.role != "both" for pool in whole.pools.values()):
        whole, words = _without_building(whole, instance, case)
        notes += words
    return Stage(file, whole, span, judged, tuple(notes))


def _without_deliveries(instance: Instance, build: Build, case: Case) -> Build:
    """The build before the deliveries of the period that are late; models take the rest in the same shares."""
    late = instance.contingencies[case.contingency].systems
    systems, placed = build.systems.copy(), build.placed.copy()
    before = np.where(late, np.maximum(systems[case.period] - build.delivered[case.period], 0.0), systems[case.period])
    left = np.divide(before, systems[case.period], out=np.ones_like(before), where=systems[case.period] > 0.0)
    systems[case.period] = before
    placed[case.period] *= left[:, :, None]
    return replace(build, systems=systems, placed=placed)


def _up(fleet: Fleet, instance: Instance, file: FleetFile) -> Fleet:
    """As many replicas as the plan counts as up in an hour."""
    pools = {}
    for name, pool in fleet.pools.items():
        member = file.members[name]
        share = 1.0 if member.site < 0 else float(instance.stock.availability[member.system])
        pools[name] = pool.model_copy(update={"replicas": max(1, round(pool.replicas * share))})
    return fleet.model_copy(update={"pools": pools})


def _design_hour(fleet: Fleet, instance: Instance, case: Case, weather: Floats, folder: Path) -> dict[str, Site]:
    """The sites with the weather, price and carbon that the plan has in that hour, all the time."""
    sites = dict(fleet.sites)
    ground, t = instance.ground, case.period
    assert fleet.start is not None
    for s, name in enumerate(instance.names.sites):
        if name not in sites:
            continue
        price = (
            float(ground.usd_per_j[t, s, DESIGN]) * JOULES_PER_KWH * float(instance.demand.power_price[case.scenario])
        )
        file = folder / f"{s}.csv"
        _write_weather(file, fleet.start, *(float(value) for value in weather[s]))
        sites[name] = sites[name].model_copy(
            update={
                "weather": str(file),
                **{"price": "", "carbon": "", "usd_per_kwh": price},
                "kg_per_kwh": float(ground.kg_per_j[t, s, DESIGN]) * JOULES_PER_KWH,
            }
        )
    return sites


def _write_weather(file: Path, start: datetime, dry_c: float, wet_c: float) -> None:
    """Nine days of one weather, more than a run and what the simulator looks ahead."""
    humidity = _humidity(dry_c, wet_c)
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["time_utc", "temperature", "relative_humidity"])
        for hour in range(9 * 24):
            moment = start.astimezone(UTC) + timedelta(hours=hour)
            rows.writerow([moment.isoformat(), f"{dry_c:.4f}", f"{humidity:.4f}"])


def _humidity(dry_c: float, wet_c: float) -> float:
    """Relative humidity, %, at which the wet bulb is that, at sea level; by bisection."""
    dry, pressure = np.array([dry_c]), np.array([standard_pressure(0.0)])
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        vapour = saturation_pressure(dry) * middle / 100.0
        found = float(wet_bulb(dry, humidity_ratio(vapour, pressure), pressure)[0])
        low, high = (middle, high) if found < wet_c else (low, middle)
    return 0.5 * (low + high)


def _losing(fleet: Fleet, instance: Instance, case: Case, pace: Pace) -> Fleet:
    """The fleet that loses sites or suppliers, or whose grid wants less, in the middle of a run."""
    lost = instance.contingencies[case.contingency]
    start = pace.lost_s
    if case.kind == "curtail":
        sites = dict(fleet.sites)
        for s in np.flatnonzero(lost.site):
            name = instance.names.sites[s]
            if name in sites:
                grid_w = float(instance.ground.grid_w[case.period, s])
                limit = float((1.0 - lost.depth) * grid_w) if np.isfinite(grid_w) else None
                event = DemandResponse(
                    start=start, duration=2 * HOUR_S, limit=limit, reduce=None if limit else float(lost.depth)
                )
                sites[name] = sites[name].model_copy(update={"demand_response": (event,)})
        return fleet.model_copy(update={"sites": sites})
    if case.kind == "site":
        names = [instance.names.sites[s] for s in np.flatnonzero(lost.site)]
        owners = [name for name in names if any(pool.site == name for pool in fleet.pools.values())]
    else:
        of = {int(v) for v in instance.stock.supplier[lost.systems]}
        vendors = {chip.vendor for chip in fleet.accelerators.values()}
        owners = [instance.names.suppliers[v] for v in of if instance.names.suppliers[v] in vendors]
    at = tuple(FaultAt.model_validate({"what": case.kind, "name": name, "start": start}) for name in owners)
    return fleet.model_copy(update={"faults": fleet.faults.model_copy(update={"rates": (), "at": at})})


def _without_building(fleet: Fleet, instance: Instance, case: Case) -> tuple[Fleet, list[str]]:
    """Machines in pairs are simulated without building and faults: what is lost is gone from the start."""
    lost = {fault.name for fault in fleet.faults.at}
    gone = tuple(
        name
        for name, pool in fleet.pools.items()
        if pool.site in lost or (pool.accelerator and fleet.accelerators[pool.accelerator].vendor in lost)
    )
    words = ["prompts are computed apart from decoding: simulated without building, faults and power limits"]
    if gone:
        words.append("what is lost is gone from the start")
    return bare(without(fleet, gone), list(fleet.services)), words


def _some_day(file: FleetFile, case: Case, instance: Instance) -> datetime:
    """Midnight (UTC) of a day of the period."""
    first = datetime.fromisoformat(file.data["start"])
    days = int(instance.years[case.period] * 365.0)
    return first + timedelta(days=case.seed % max(days, 1))
