"""`capacities`: all cases of a fleet, from the cache or simulated side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import store
from meritorder.plan.capacity.capacity import Capacity
from meritorder.plan.capacity.case import Case, Key
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.measure import measure
from meritorder.plan.capacity.traffic import traffic_of
from meritorder.problems import InputError, Problem
from meritorder.workload.trace import Trace

Progress = Callable[[int, int, str], None]


def capacities(
    fleet: Fleet,
    cases: Sequence[Case],
    *,
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
    cache: bool = True,
) -> dict[Key, Capacity]:
    """The capacity of every case, by its key, in the order of `cases`.

    `jobs` cases are simulated at a time; `progress(done, all, what was done)` is called after each. The same fleet and
    seed give the same numbers, whatever `jobs` is. Raises InputError where the traffic of a service can't be had.
    """
    bases = _bases(fleet, cases, seed)
    found: dict[Key, Capacity] = {}
    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
        runs = {pool.submit(_capacity, fleet, case, bases[case.service], seed, cache): case for case in cases}
        try:
            for done, run in enumerate(as_completed(runs), 1):
                found[runs[run].key] = run.result()
                if progress is not None:
                    progress(done, len(cases), runs[run].words)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {case.key: found[case.key] for case in cases}


def _bases(fleet: Fleet, cases: Sequence[Case], seed: int) -> dict[str, Trace]:
    """The traffic of each service; services that name the same have the same."""
    bases: dict[str, Trace] = {}
    problems: list[Problem] = []
    for service in dict.fromkeys(case.service for case in cases):
        try:
            bases[service] = traffic_of(fleet, service, seed)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    return bases


def _capacity(fleet: Fleet, case: Case, base: Trace, seed: int, cache: bool) -> Capacity:
    name = store.fingerprint(fleet, case, base, seed) if cache else ""
    kept = store.load(name) if cache else None
    if kept is not None:
        return kept
    capacity = measure(fleet, case, Source(base, seed), seed)
    if cache:
        store.save(name, capacity)
    return capacity
