"""The runs behind one `merit simulate`: the fleet as it is, and with its machines at both ends of their ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.simulate.store import Run

    Case: TypeAlias = tuple[Fleet, tuple[Replica, ...]]


def cases_of(fleet: Fleet, replicas: tuple[Replica, ...], ranges: bool) -> tuple[list[Case], list[str]]:
    """The fleet as it is, and at both ends of its machines' ranges if asked; and why an end can't be run."""
    from meritorder.perf.compile import compile_replica
    from meritorder.problems import InputError
    from meritorder.simulate.ranges import at_ends, uncertain

    cases, missing = [(fleet, replicas)], []
    if ranges and uncertain(fleet):
        for end, changed in zip(("unfavourable", "favourable"), at_ends(fleet), strict=True):
            try:
                cases.append((changed, tuple(compile_replica(changed, name) for name in changed.pools)))
            except InputError as error:
                missing.append(f"at the {end} end of the ranges: {error.problems[0].what}")
    return cases, missing


def ranged(results: list[Run | dict[str, Any]], fleet: Fleet, missing: list[str]) -> list[Run]:
    """The runs, each with the ranges that the summaries behind them give."""
    from meritorder.simulate.ranges import uncertain, with_ranges
    from meritorder.simulate.store import Run

    runs = [result for result in results if isinstance(result, Run)]
    summaries = [result for result in results if not isinstance(result, Run)]
    if not summaries and not missing:
        return runs
    machines = uncertain(fleet)
    return [
        replace(run, summary=with_ranges(run.summary, summaries[i :: len(runs)], machines, missing))
        for i, run in enumerate(runs)
    ]
