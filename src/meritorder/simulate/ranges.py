"""Ranges carried into results: the same fleet with its machines at either end of what is known of them.

All ranges of a machine move together, to the end that is worse for its owner and to the one that is better: two more
runs, not one for each combination. A figure's range is the span of the three runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meritorder.catalog.ranges import ends, leans_on_ranges
from meritorder.fleet.schema import Fleet

# Parts of a summary that say what was run and how, not what came of it.
_NO_RESULT = frozenset(
    (
        *("version", "fleet", "policy", "seed", "trace", "wall_s", "requests_per_wall_s", "events", "iterations"),
        *("routing", "limits", "warnings", "notes", "requests", "slo", "slo_met", "pue", "replicas", "accelerators"),
        *("levers", "deeds", "stands_for"),
    )
)


def uncertain(fleet: Fleet) -> dict[str, dict[str, dict[str, float]]]:
    """Machines in use whose speed or room is a range: name -> figure -> {low, high}, SI units."""
    used = {pool.accelerator for pool in fleet.pools.values()}
    return {
        name: {key: {"low": span.low, "high": span.high} for key, span in chip.ranges.items()}
        for name, chip in fleet.accelerators.items()
        if name in used and leans_on_ranges(chip)
    }


def at_ends(fleet: Fleet) -> tuple[Fleet, Fleet]:
    """The fleet with its uncertain machines at their unfavourable, and at their favourable end."""
    named = uncertain(fleet)
    both = {name: ends(chip) for name, chip in fleet.accelerators.items() if name in named}
    bad, good = (
        fleet.model_copy(update={"accelerators": fleet.accelerators | {name: pair[end] for name, pair in both.items()}})
        for end in (0, 1)
    )
    return bad, good


def with_ranges(
    summary: dict[str, Any],
    others: Sequence[Mapping[str, Any]],
    machines: Mapping[str, Any],
    missing: Sequence[str] = (),
) -> dict[str, Any]:
    """`summary` with `ranges`: {machines, missing, figures}; `figures`: {low, high} in place of the summary's numbers.

    `others`: summaries of the same run at the ends. `missing`: why an end could not be run. Numbers that are the same
    in all are left out of `figures`.
    """
    figures = _spans(summary, others)
    return summary | {"ranges": {"machines": dict(machines), "missing": list(missing), "figures": figures}}


def _spans(value: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, mine in value.items():
        theirs = [other.get(key) for other in others]
        if key in _NO_RESULT:
            continue
        if isinstance(mine, Mapping):
            inner = _spans(mine, [other for other in theirs if isinstance(other, Mapping)])
            if inner:
                found[key] = inner
        elif _number(mine):
            known = [mine, *(other for other in theirs if _number(other))]
            if min(known) != max(known):
                found[key] = {"low": min(known), "high": max(known)}
    return found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
