"""The headline: are the service levels met, which not and by how much, and which run does best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meritorder.report.text import number, points, share
from meritorder.simulate.store import Run


@dataclass(frozen=True)
class Headline:
    """What stands first in a report."""

    good: bool
    title: str
    lines: tuple[str, ...]


def shortfalls(run: Run) -> dict[str, float]:
    """Services that miss their target, with how much of the requests is lacking, the worst first."""
    lacking = {
        name: row["slo"]["percentile"] - row["slo_attainment"]
        for name, row in run.summary["by_service"].items()
        if row["slo_met"] is False
    }
    return dict(sorted(lacking.items(), key=lambda item: -item[1]))


def headline(runs: list[Run]) -> Headline:
    """The verdict on one run, or on several side by side."""
    return _one(runs[0]) if len(runs) == 1 else _several(runs)


def _one(run: Run) -> Headline:
    lacking = shortfalls(run)
    services = run.summary["by_service"]
    if not lacking:
        return Headline(True, f"{_all(len(services))} met", tuple(_met_line(n, row) for n, row in services.items()))
    title = f"{len(lacking)} of {len(services)} service levels missed" if len(services) > 1 else "Service level missed"
    lines = [
        f"{name}: {share(services[name]['slo_attainment'])} of requests within targets, "
        f"{share(services[name]['slo']['percentile'])} wanted: {points(short)} short. "
        f"Why they missed: {run.summary['limits']['services'][name]['text']}."
        for name, short in lacking.items()
    ]
    lines += [_met_line(name, row) for name, row in services.items() if name not in lacking]
    return Headline(False, title, tuple(lines))


def _all(services: int) -> str:
    return "The service level is" if services == 1 else f"All {services} service levels are"


def _met_line(name: str, row: dict[str, Any]) -> str:
    if row["slo_attainment"] is None:
        return f"{name}: no request to judge."
    return (
        f"{name}: {share(row['slo_attainment'])} of requests within targets, "
        f"{share(row['slo']['percentile'])} wanted: met."
    )


def _several(runs: list[Run]) -> Headline:
    """Runs that meet everything are ranked by cost, the others by their worst shortfall."""
    passing = sorted((run for run in runs if not shortfalls(run)), key=_cost)
    if passing:
        best = passing[0]
        names = ", ".join(run.name for run in passing)
        title = (
            f"All {len(runs)} runs meet every service level"
            if len(passing) == len(runs)
            else f"{len(passing)} of {len(runs)} runs {'meets' if len(passing) == 1 else 'meet'} every service level"
        )
        lines = [] if len(passing) == len(runs) else [f"Every service level met: {names}."]
        lines.append(f"Cheapest of them: {best.name}, {_cost_text(best)}.")
        return Headline(True, title, tuple(lines))
    nearest = min(runs, key=lambda run: (next(iter(shortfalls(run).values())), _cost(run)))
    name, short = next(iter(shortfalls(nearest).items()))
    line = f"Nearest: {nearest.name}, whose worst service, {name}, is {points(short)} short; {_cost_text(nearest)}."
    cheapest = min(runs, key=_cost)
    lines = [line] if cheapest is nearest else [line, f"Cheapest: {cheapest.name}, {_cost_text(cheapest)}."]
    return Headline(False, f"None of {len(runs)} runs meets every service level", tuple(lines))


def _cost(run: Run) -> float:
    value = run.summary["usd_per_good_mtok"]
    return float("inf") if value is None else float(value)


def _cost_text(run: Run) -> str:
    value = run.summary["usd_per_good_mtok"]
    if value is None:
        return "nothing served within targets"
    return f"{number(value, 'USD')} per million output tokens within targets"
