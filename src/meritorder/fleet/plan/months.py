"""Months under `plan`: steps in order, spans that don't end before they begin, nothing that the horizon never sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from meritorder.fleet.document import KeyPath
from meritorder.fleet.fault import Fault
from meritorder.fleet.plan.names import entries
from meritorder.fleet.plan.span import later
from meritorder.problems import InputError
from meritorder.units import parse

_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")


def plan_months(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Faults of months."""
    plan = data.get("plan")
    if not isinstance(plan, Mapping):
        return
    end = _end(plan.get("horizon"))
    policy = entries(data, "plan").get("policy", {})
    for name, offer in entries(plan, "offers").items():
        path: KeyPath = ("plan", "offers", name)
        yield from _steps((*path, "supply"), offer.get("supply"), end)
        yield from _span(path, offer, plan, end)
        option = offer.get("option")
        if isinstance(option, Mapping):
            yield from _span((*path, "option"), option, plan, end)
        take = offer.get("take")
        for index, one in enumerate(take if isinstance(take, list) else ()):
            if isinstance(one, Mapping):
                yield from _seen((*path, "take", index, "by"), one.get("by"), end)
                yield from _past((*path, "take", index, "by"), one.get("by"), plan)
    for name, ground in entries(plan, "sites").items():
        path = ("plan", "sites", name)
        yield from _steps((*path, "grid"), ground.get("grid"), end)
        yield from _seen((*path, "first"), ground.get("first"), end)
        for kind, block in entries(ground, "blocks").items():
            yield from _seen((*path, "blocks", kind, "first"), block.get("first"), end)
    for name, contract in entries(plan, "contracts").items():
        yield from _steps(("plan", "contracts", name, "power"), contract.get("power"), end)
    for key in ("carbon", "budget"):
        yield from _steps(("plan", "policy", key), policy.get(key), end)
    yield from _seen(("plan", "policy", "share_from"), policy.get("share_from"), end)


def _end(horizon: object) -> str:
    """The last month of the horizon; far off where it can't be told, which is said elsewhere."""
    asked = horizon if isinstance(horizon, Mapping) else {}
    start, periods = asked.get("start"), asked.get("periods")
    try:
        length = round(parse(asked.get("length", "3 months"), "month"))
    except InputError:
        length = 0
    if not _is_month(start) or not isinstance(periods, int) or not 1 <= periods <= 60 or not 1 <= length <= 12:
        return "2099-12"
    assert isinstance(start, str)
    return later(start, periods * length - 1)


def _is_month(value: object) -> bool:
    return isinstance(value, str) and _MONTH.fullmatch(value) is not None


def _steps(path: KeyPath, steps: object, end: str) -> Iterator[Fault]:
    """Steps must be in order, and one of them in the horizon or before it."""
    months = [month for month in steps if _is_month(month)] if isinstance(steps, Mapping) else []
    for before, after in pairwise(months):
        if after <= before:
            yield Fault((*path, after), f"stands behind {before}", "write the months in order")
            return
    if months:
        yield from _seen((*path, months[0]), months[0], end)


def _seen(path: KeyPath, month: object, end: str) -> Iterator[Fault]:
    """Something that happens after the horizon never does."""
    if _is_month(month) and str(month) > end:
        yield Fault(path, f"is {month}, after the horizon, which ends with {end}", "leave it out, or plan for longer")


def _span(path: KeyPath, entry: Mapping[str, Any], plan: Mapping[str, Any], end: str) -> Iterator[Fault]:
    """`first` to `last` of an offer or option."""
    first, last = entry.get("first"), entry.get("last")
    yield from _seen((*path, "first"), first, end)
    if _is_month(first) and _is_month(last) and str(last) < str(first):
        yield Fault((*path, "last"), f"is {last}, before `first`", f"give {first} or later")
    yield from _past((*path, "last"), last, plan)


def _past(path: KeyPath, month: object, plan: Mapping[str, Any]) -> Iterator[Fault]:
    """Something that ends before the horizon begins never holds in it."""
    horizon = plan.get("horizon")
    start = horizon.get("start") if isinstance(horizon, Mapping) else None
    if _is_month(month) and _is_month(start) and str(month) < str(start):
        yield Fault(
            path, f"is {month}, before the horizon, which begins with {start}", "leave it out, or plan from then"
        )
