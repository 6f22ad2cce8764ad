"""`prove`: a plan's worst hours, losses and ordinary days, request by request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.horizon import of
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.proof.cases import DESIGN, Case, cases_of
from meritorder.plan.proof.certificate import (
    Certificate,
    HourFigure,
    Promise,
    capacity_errors,
    summary,
    verdict_of,
)
from meritorder.plan.proof.correct import Round, compare, correct_until
from meritorder.plan.proof.schedule import Solution, Solved
from meritorder.plan.proof.traffic import traffic_from
from meritorder.plan.proof.trial import Tried, run_case
from meritorder.plan.sites import site_hours

Progress = Callable[[float], None]


def prove_until(
    fleet: Fleet,
    full: Instance,
    solve: Callable[[Instance], Solution | None],
    *,
    first: Solution | None = None,
    error: float = 0.02,
    rounds: int = 4,
    days: int = 1,
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
) -> tuple[Instance, Solution, Certificate]:
    """The plan whose capacities agree with the simulator to `error`, its instance, and its certificate.

    `solve` gives the plan of an instance, `first` is that of `full` if it is known. At most `rounds` corrections.
    """
    say = progress or (lambda share: None)
    corrected = correct_until(
        fleet,
        full,
        solve,
        error=error,
        rounds=rounds,
        seed=seed,
        jobs=jobs,
        first=first,
        told=lambda share, _words: say(0.5 * share),
    )
    certificate = prove(
        fleet,
        corrected.instance,
        corrected.solution,
        days=days,
        seed=seed,
        jobs=jobs,
        progress=lambda share: say(0.5 + 0.5 * share),
        history=corrected.rounds,
        factors=corrected.factors,
    )
    return corrected.instance, corrected.solution, certificate


def prove(
    fleet: Fleet,
    full: Instance,
    solution: Solved,
    *,
    days: int = 1,
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
    history: Sequence[Round] = (),
    factors: Floats | None = None,
) -> Certificate:
    """The certificate of a plan of `full`: every promise in every case, and how far plan and simulator are apart.

    `days`: ordinary ones a year; `history`: comparisons that were made before, the plan's own among them; `factors`
    [T,F] that its rates were corrected by. The same arguments give the same certificate, whatever `jobs` is.
    """
    planned = solution.plan
    traffic = traffic_from(fleet, full, seed)
    if not history:
        history = (compare(fleet, full, planned, traffic, seed=seed, jobs=jobs),)
    cases = cases_of(full, planned, days=days, seed=seed)
    weather = _weather(fleet, full)
    done, lock = [0], Lock()

    with TemporaryDirectory(prefix="merit-proof-") as name, ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:

        def one(case: Case) -> Tried:
            with TemporaryDirectory(dir=name) as own:
                tried = run_case(fleet, full, planned, case, traffic, weather[case.period], Path(own), seed)
            with lock:
                done[0] += 1
                if progress is not None:
                    progress(done[0] / len(cases))
            return tried

        tries = list(pool.map(one, cases))
    return _certificate(fleet, full, tries, history, factors)


def _weather(fleet: Fleet, full: Instance) -> Floats:
    """[T,S,2] dry and wet bulb of the design hour, of the site's block that asks most of its plant."""
    assert fleet.plan is not None
    horizon = of(fleet.plan)
    rows = [horizon.names.index(name) for name in full.names.periods]
    hours = site_hours(fleet, horizon)
    found = np.zeros((len(rows), len(full.names.sites), 2))
    for s, name in enumerate(full.names.sites):
        blocks = [b for b, block in enumerate(hours.blocks) if block.partition("/")[0] == name]
        if blocks:
            of_site = hours.weather[rows][:, DESIGN, blocks]  # [T,blocks,2]
            hottest = of_site[..., 1].argmax(axis=1)
            found[:, s] = of_site[np.arange(len(rows)), hottest]
    return found


def _certificate(
    fleet: Fleet, full: Instance, tries: Sequence[Tried], history: Sequence[Round], factors: Floats | None
) -> Certificate:
    promises = tuple(promise for tried in tries for promise in _promises(fleet, full, tried))
    last = min(history, key=lambda one: one.worst)
    rounds = [capacity_errors(full.names.periods, one) for one in history]
    errors = capacity_errors(full.names.periods, last)
    left_out = dict.fromkeys(note for tried in tries for note in tried.notes)
    left_out |= dict.fromkeys(note for one in history for note in one.notes)
    if not np.allclose(full.demand.speed, 1.0):
        left_out["scenarios that make machines faster or slower are simulated with the machines as they are"] = None
    return Certificate(
        holds=all(promise.verdict == "holds" for promise in promises),
        error=last.worst,
        lines=tuple(summary(promises, errors, rounds[0])),
        promises=promises,
        capacities=errors,
        before=tuple(entries for one, entries in zip(history, rounds, strict=True) if one is not last),
        hours=tuple(
            HourFigure(tried.case.name, f.what, f.unit, f.planned, f.simulated, f.error)
            for tried in tries
            for f in tried.figures
        ),
        corrections=np.ones((len(full.names.periods), len(full.ways.rate))) if factors is None else factors,
        sampled=tuple(tried.sampled for tried in tries if tried.sampled),
        left_out=tuple(left_out),
    )


def _promises(fleet: Fleet, full: Instance, tried: Tried) -> list[Promise]:
    """Every service that something is promised to in a case."""
    found = []
    case = tried.case
    asked = case.requests.reshape(len(case.requests), -1).sum(axis=1)
    for s, name in enumerate(full.names.services):
        mine = full.demand.service == s
        if asked[mine].sum() <= 0.0:
            continue
        target = fleet.services[name].slo.percentile
        one = tried.kept.get(name)
        share = float(asked[mine].sum() / np.maximum(asked[mine] / np.maximum(case.share[mine], 1e-12), 0.0).sum())
        found.append(
            Promise(
                service=name,
                case=case.name,
                kind=case.kind,
                year=case.year,
                demand_share=share,
                target=target,
                kept=one.share if one else float("nan"),
                low=one.low if one else 0.0,
                high=one.high if one else 1.0,
                requests=one.requests if one else 0,
                verdict=verdict_of(one, target),
                why=one.why if one else "",
            )
        )
    return found
