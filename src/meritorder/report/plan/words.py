"""Megawatts, money and sites of a plan as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meritorder.report.text import NONE, number

Told = dict[str, Any]

_MONEY = ((1e9, "BUSD"), (1e6, "MUSD"), (1e3, "kUSD"), (0.0, "USD"))


def usd(value: float | None) -> str:
    """`12.3 MUSD`."""
    if value is None:
        return NONE
    size, unit = next(pair for pair in _MONEY if abs(value) >= pair[0])
    return number(value / (size or 1.0), unit)


def money_scale(values: Iterable[float | None]) -> tuple[float, str]:
    """The unit in which a figure's largest amount is readable."""
    most = max((abs(value) for value in values if value is not None), default=0.0)
    size, unit = next(pair for pair in _MONEY if most >= pair[0])
    return size or 1.0, unit


def power_scale(values: Iterable[float | None]) -> tuple[float, str]:
    """The same of watts: kW for a closet, MW else."""
    most = max((abs(value) for value in values if value is not None), default=0.0)
    return (1e6, "MW") if most >= 2e6 else (1e3, "kW")


def rate_scale(values: Iterable[float | None]) -> tuple[float, str]:
    """The same of tokens per second."""
    most = max((abs(value) for value in values if value is not None), default=0.0)
    return next((size, unit) for size, unit in ((1e6, "M tok/s"), (1e3, "k tok/s"), (0.0, "tok/s")) if most >= size)


def listed(names: list[str], most: int = 4) -> str:
    """`a, b and c`, or `a, b, c and 3 more`."""
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
