"""How each service fared before, during and after a loss, and what to call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meritorder.simulate.columns import columns
from meritorder.simulate.contingency.window import Window
from meritorder.simulate.result import Result, Status
from meritorder.simulate.service_level import Target, attainment, judge

# What a loss does to a service, worst first.
BREAKS, MISSED, HOLDS, UNUSED = "breaks", "missed anyway", "holds", "no requests"


def phases_of(result: Result, window: Window) -> dict[str, dict[str, Any]]:
    """By service: the share within targets of the requests that arrived in each phase, and what became of them."""
    fleet = result.fleet
    targets = [Target(service.slo.ttft, service.slo.token_rate) for service in fleet.services.values()]
    verdicts = judge(columns(result), targets)
    ttft = result.first_s - result.arrival_s
    found: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(fleet.services):
        row: dict[str, Any] = {"wanted": fleet.services[name].slo.percentile}
        for phase, (start_s, stop_s) in window.phases().items():
            ours = (result.service == index) & (result.arrival_s >= start_s) & (result.arrival_s < stop_s)
            row[phase] = attainment(verdicts[ours])
        hit = (result.service == index) & ~(result.finish_s < window.loss_s)
        status, again = result.status[hit], result.attempts[hit] > 0
        first = ttft[hit & (result.status == Status.COMPLETED)]
        row |= {
            "requests": int((result.service == index).sum()),
            "lost": int((status == Status.LOST).sum()),
            "refused": int((status == Status.SHED).sum()),
            "gave_up": int((status == Status.CANCELLED).sum()),
            "delayed": int((again & (status == Status.COMPLETED)).sum()),
            "worst_ttft_s": float(np.nanmax(first)) if np.isfinite(first).any() else None,
        }
        found[name] = row
    return found


def verdict(row: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """Whether a loss breaks a service: it misses its level while things are down, and would not have otherwise."""
    if row["during"] is None:
        return UNUSED
    if row["during"] >= row["wanted"]:
        return HOLDS
    return MISSED if base["during"] is not None and base["during"] < base["wanted"] else BREAKS


def in_words(name: str, services: Mapping[str, Mapping[str, Any]]) -> str:
    """One sentence on one loss."""
    broken = [(service, row) for service, row in services.items() if row["verdict"] == BREAKS]
    missed = [service for service, row in services.items() if row["verdict"] == MISSED]
    also = (
        f"; {', '.join(missed)} {'misses its' if len(missed) == 1 else 'miss their'} level also without it"
        if missed
        else ""
    )
    if not broken:
        return f"loss of {name} breaks no service{also}"
    told = [
        f"{service}: {_share(row['during'])} within target, needs {_share(row['wanted'])}" for service, row in broken
    ]
    return f"loss of {name} breaks {'; '.join(told)}{also}"


def _share(value: float) -> str:
    return f"{value * 100:.3g} %"
