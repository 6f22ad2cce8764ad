"""If it can't be done: the smallest set of limits that can't hold together, in words.

Looked for where it is cheap first: one scenario in its design (or busiest) hour, then one scenario in all hours, then
all together; with fractions of blocks and systems first, then with whole ones. What conflicts in a part conflicts in
the whole. A limit on what is expected over the scenarios (carbon, money for APIs) is left out of single scenarios.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from meritorder.plan.instance import Bools, Instance
from meritorder.plan.model import Case, first_cases
from meritorder.plan.studies.elastic import Elastic
from meritorder.plan.studies.findings import Conflict, Limit
from meritorder.plan.studies.limits import Bounded, bounded
from meritorder.plan.studies.parts import alone, cases_alone, of_hours

SETS = 4  # told at most


@dataclass(frozen=True)
class _Part:
    """A part of an instance in which limits may conflict."""

    instance: Instance
    cases: tuple[Case, ...]
    scenario: str
    whole: Bools | None


def explain(instance: Instance, cases: Sequence[Case] | None = None, whole: Bools | None = None) -> Conflict:
    """A smallest set of limits that can't hold together; no limits where there is a plan.

    `cases`: contingencies that are asked for, absent: those of the scenario in the middle. `whole` [H]: offers that
    come in whole lots; absent: none.
    """
    begin = perf_counter()
    asked = tuple(first_cases(instance) if cases is None else cases)
    for part, relax in _parts(instance, asked, whole):
        known = bounded(part.instance, part.cases, part.whole)
        elastic = Elastic(known.arrays, known.groups, relax=relax)
        held = range(len(known.groups))
        core = elastic.irreducible(held)
        if core:
            return _sets(part, known, elastic, core, begin)
    return Conflict((), True, "", perf_counter() - begin)


def _sets(part: _Part, known: Bounded, elastic: Elastic, core: tuple[int, ...], begin: float) -> Conflict:
    """A smallest set, and what conflicts even if all of it gives."""
    held = list(range(len(known.groups)))
    conflicts: list[Conflict] = []
    while core and len(conflicts) < SETS:
        # of the further ones it is enough that none of their limits can be left out
        found, proven = (core, len(core) == 1) if conflicts else elastic.smallest(held, core)
        limits = tuple(_limit(part, known, elastic, found, group) for group in reversed(found))
        conflicts.append(Conflict(limits, proven, part.scenario, perf_counter() - begin))
        held = [group for group in held if group not in found]
        core = elastic.irreducible(held)
    return replace(conflicts[0], further=tuple(conflicts[1:]), seconds=perf_counter() - begin)


def _parts(instance: Instance, cases: tuple[Case, ...], whole: Bools | None) -> Iterator[tuple[_Part, bool]]:
    """Parts from the smallest on, and whether fractions are allowed."""
    scenarios = range(len(instance.names.scenarios))
    total = np.einsum("tkrj,k->j", instance.demand.requests, instance.demand.tokens)
    order = sorted(scenarios, key=lambda j: (-total[j], j))
    design = np.flatnonzero(np.isnan(instance.demand.clock))
    tokens = np.einsum("tkrj,k->r", instance.demand.requests, instance.demand.tokens)
    hardest = int(design[-1]) if len(design) else int(tokens.argmax())
    for relax in (True, False):
        lots = None if relax else whole
        single = [_one(instance, cases, j, lots) for j in order]
        if len(instance.demand.clock) > 1:
            for part in single:
                yield replace(part, instance=of_hours(part.instance, [hardest])), relax
        for part in single:
            yield part, relax
        if len(order) > 1:
            yield _Part(instance, cases, "", lots), relax


def _one(instance: Instance, cases: tuple[Case, ...], j: int, whole: Bools | None) -> _Part:
    """One scenario."""
    return _Part(alone(instance, j), cases_alone(cases, j), instance.names.scenarios[j], whole)


def _limit(part: _Part, known: Bounded, elastic: Elastic, found: tuple[int, ...], group: int) -> Limit:
    """A limit of the set, and how much it would have to give if all others (or else the set's others) are kept."""
    words = known.said[group]
    periods = part.instance.names.periods
    others = frozenset(range(len(known.groups))) - {group}
    given, enough = elastic.least({group}, hard=others), True
    if not np.isfinite(given.value):  # something else conflicts as well
        given, enough = elastic.least({group}, hard=frozenset(found) - {group}), False
    if not np.isfinite(given.value):
        return Limit(words.words, words.key, "", float("nan"), words.unit, "", False)
    when = known.period[group]
    if not known.groups[group].shared:
        when = when[elastic.slack[group] > 1e-9]
        by = periods[int(when.max(initial=0))]
    else:
        bound = np.isin(known.groups[group].rows, given.binding) if not len(known.groups[group].columns) else when >= 0
        by = periods[int(when[bound].min(initial=len(periods) - 1))]
    amount = float(given.groups[group])
    gives = words.giving(amount, by) if enough else f"at least {words.giving(amount, by)}"
    return Limit(words.words, words.key, gives, words.amount(amount), words.unit, by, enough)
