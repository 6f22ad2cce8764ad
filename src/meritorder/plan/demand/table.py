"""`demand_of`: the demand of every class (a service in a region) by period, hour and scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from meritorder.fleet.plan.demand import Future
from meritorder.fleet.schema import Fleet
from meritorder.plan.demand.curves import LEVELS, Curve, curve_of
from meritorder.plan.demand.day import at_utc, day_curve
from meritorder.plan.demand.history import Fit
from meritorder.plan.demand.traffic import Sizes, sizes
from meritorder.plan.horizon import Horizon, of
from meritorder.plan.instance import Floats
from meritorder.problems import InputError, Problem

MOST = 1e9  # requests/s
DESIGN = 24  # index of the design hour behind the hours of a typical day


@dataclass(frozen=True)
class DemandTable:
    """Demand of K classes in T periods, 25 hours (0 to 23 UTC of a typical day, then the design hour), J scenarios."""

    services: tuple[str, ...]
    classes: tuple[tuple[str, str], ...]  # [K] service, region
    scenarios: tuple[str, ...]
    probability: Floats  # [J]
    requests: Floats  # [T,K,25,J] requests/s
    prompt_tokens: Floats  # [K] mean of a request
    output_tokens: Floats  # [K]
    months: tuple[str, ...]  # [months of the horizon]
    monthly: Floats  # [months,K,J] mean requests/s of the month
    sizes: dict[str, Sizes]  # by service: what its tokens were taken from
    fits: dict[str, Fit]  # by service with a `history`

    @property
    def names(self) -> tuple[str, ...]:
        """[K] "SERVICE@REGION"; "SERVICE" where nothing is said of regions."""
        mine = Counter(service for service, _ in self.classes)
        alone = [mine[service] == 1 and region == "default" for service, region in self.classes]
        named = zip(self.classes, alone, strict=True)
        return tuple(service if only else f"{service}@{region}" for (service, region), only in named)


def region_of(name: str) -> str:
    """The region of a class, as `DemandTable.names` writes it."""
    return name.partition("@")[2] or "default"


def demand_of(fleet: Fleet) -> DemandTable:
    """What `plan.demand` asks for. Raises InputError, with all problems, where files or names don't say it."""
    plan = fleet.plan
    assert plan is not None, "a fleet with a plan"
    horizon = of(plan)
    futures = plan.scenarios or {"best": Future(probability=1.0)}
    problems: list[Problem] = []
    curves: dict[str, Curve] = {}
    days: dict[str, Floats] = {}
    lengths: dict[str, Sizes] = {}
    for name, asked in plan.demand.items():
        key = f"plan.demand.{name}"
        with _noting(problems, f"{key}.traffic"):
            lengths[name] = sizes(fleet, name)
        with _noting(problems, f"{key}.day"):
            days[name] = day_curve(asked.day)
        with _noting(problems, f"{key}.{'history' if asked.history else 'forecast'}"):
            curves[name] = curve_of(asked, horizon, _regions(fleet))
    if problems:
        raise InputError(problems)
    classes = tuple((name, region) for name, curve in curves.items() for region in curve.regions)
    by_service = {name: _by_scenario(name, curve, futures, horizon) for name, curve in curves.items()}
    _refuse_boundless(by_service, horizon)
    monthly = np.concatenate(list(by_service.values()), axis=1)
    shape = np.stack([_clocked(fleet, days[name], region) for name, region in classes])
    prompts = np.array([lengths[name].prompt_tokens for name, _ in classes])
    outputs = np.array([lengths[name].output_tokens for name, _ in classes])
    peak = np.array([plan.demand[name].peak for name, _ in classes])
    return DemandTable(
        services=tuple(plan.demand),
        classes=classes,
        scenarios=tuple(futures),
        probability=np.array([future.probability for future in futures.values()]),
        requests=_hours(monthly, shape, prompts + outputs, peak, len(horizon.names)),
        prompt_tokens=prompts,
        output_tokens=outputs,
        months=horizon.all_months,
        monthly=monthly,
        sizes=lengths,
        fits={name: curve.fit for name, curve in curves.items() if curve.fit is not None},
    )


def _regions(fleet: Fleet) -> set[str]:
    """Regions that something is known of."""
    return {"default", *fleet.regions, *(region for site in fleet.sites.values() for region in site.rtt)}


@contextmanager
def _noting(problems: list[Problem], key: str) -> Iterator[None]:
    """Notes the problems of what is done under it, with the key whose file or name they are about."""
    try:
        yield
    except InputError as error:
        problems += [replace(p, key=f"{key}: {p.key}" if p.key not in ("", key) else key) for p in error.problems]


def _by_scenario(name: str, curve: Curve, futures: dict[str, Future], horizon: Horizon) -> Floats:
    """[months,regions,J] mean requests/s of one service."""
    coming = coming_on(horizon)
    parts = []
    for future in futures.values():
        factor = future.demand.get(name, future.demand.get("default", 1.0))
        parts.append(curve.requests[:, LEVELS.index(future.growth)] * (1.0 + (factor - 1.0) * coming)[:, None])
    return np.stack(parts, axis=2)


def _refuse_boundless(monthly: dict[str, Floats], horizon: Horizon) -> None:
    """Raises InputError where growth goes beyond anything that could be served."""
    problems = []
    for name, requests in monthly.items():
        most = requests.sum(axis=1).max(axis=1)
        if (most > MOST).any():
            when = horizon.all_months[int(np.argmax(most > MOST))]
            fix = "give slower growth, a `ceiling`, or a shorter horizon"
            problems.append(Problem(f"is more than {MOST:g} requests/s by {when}", key=f"plan.demand.{name}", fix=fix))
    if problems:
        raise InputError(problems)


def coming_on(horizon: Horizon) -> Floats:
    """[months] how much of a scenario's factor holds: none in the first period, all a year after its end."""
    months = np.arange(len(horizon.all_months))
    share: Floats = np.clip((months + 1 - len(horizon.months[0])) / 12.0, 0.0, 1.0)
    return share


def _clocked(fleet: Fleet, day: Floats, region: str) -> Floats:
    """[24] by the hour UTC, of clients whose clock shows another."""
    known = fleet.regions.get(region, fleet.regions.get("default"))
    return at_utc(day, known.utc_offset if known else 0.0)


def _hours(monthly: Floats, shape: Floats, tokens: Floats, peak: Floats, periods: int) -> Floats:
    """[T,K,25,J]: the mean over the period's months by hour, and the busiest hour (by tokens) of its busiest month."""
    by_period = monthly.reshape(periods, -1, *monthly.shape[1:])  # [T,months,K,J]
    typical = by_period.mean(axis=1)[:, :, None, :] * shape[:, :, None]
    hourly = by_period[:, :, :, None, :] * shape[:, :, None]  # [T,months,K,24,J]
    load = np.einsum("tmkhj,k->tjmh", hourly, tokens * peak)
    busiest = load.reshape(periods, load.shape[1], -1).argmax(axis=2)  # [T,J] over months and hours
    flat = hourly.transpose(0, 4, 1, 3, 2).reshape(periods, load.shape[1], -1, len(shape))  # [T,J,months x 24,K]
    design = np.take_along_axis(flat, busiest[:, :, None, None], axis=2)[:, :, 0] * peak  # [T,J,K]
    result: Floats = np.concatenate([typical, design.transpose(0, 2, 1)[:, :, None, :]], axis=2)
    return result
