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


def best(runs: list[Run]) -> Run:
    """The run that does best: the least shortfall of its worst service, then the cost, then the energy.

    Costs within 1% of the least count as equal: the machines are paid for alike, and what a policy can save is energy.
    """
    least = min(_worst(run) for run in runs)
    nearest = [run for run in runs if _worst(run) == least]
    return min(_cheapest(nearest), key=lambda run: run.summary["energy_j_per_output_token"] or float("inf"))


def _several(runs: list[Run]) -> Headline:
    passing = [run for run in runs if not shortfalls(run)]
    chosen = best(runs)
    if not passing:
        name, short = next(iter(shortfalls(chosen).items()))
        line = f"Nearest: {chosen.name}, whose worst service, {name}, is {points(short)} short; {_cost_text(chosen)}."
        return Headline(False, f"None of {len(runs)} runs meets every service level", (line,))
    lines = [f"Every service level met: {', '.join(run.name for run in passing)}."]
    title = f"{len(passing)} of {len(runs)} runs {'meets' if len(passing) == 1 else 'meet'} every service level"
    if len(passing) == len(runs):
        title, lines = f"All {len(runs)} runs meet every service level", []
    tied = _cheapest(passing)
    if len(tied) == 1:
        lines.append(f"{'Its cost' if len(passing) == 1 else f'Cheapest: {chosen.name}'}: {_cost_text(chosen)}.")
    else:
        energy = number(chosen.summary["energy_j_per_output_token"], "J")
        names = ", ".join(run.name for run in tied)
        lines.append(f"Cheapest, equal within 1%: {names}; {_cost_text(chosen)}.")
        lines.append(f"Least energy of these: {chosen.name}, {energy} of IT energy per output token.")
    return Headline(True, title, tuple(lines))


def _worst(run: Run) -> float:
    return next(iter(shortfalls(run).values()), 0.0)


def _cheapest(runs: list[Run]) -> list[Run]:
    """The runs whose cost is within 1% of the least."""
    least = min(_cost(run) for run in runs)
    return [run for run in runs if _cost(run) <= 1.01 * least]


def _cost(run: Run) -> float:
    value = run.summary["usd_per_good_mtok"]
    return float("inf") if value is None else float(value)


def _cost_text(run: Run) -> str:
    value = run.summary["usd_per_good_mtok"]
    if value is None:
        return "nothing served within targets"
    return f"{number(value, 'USD')} per million output tokens within targets"
