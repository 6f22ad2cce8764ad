"""Prices of the limits of a plan from the duals of its linear program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from meritorder.plan.horizon import calendar_year
from meritorder.plan.instance import Floats
from meritorder.plan.linear import Index
from meritorder.plan.studies.findings import Price
from meritorder.plan.studies.fixed import Fixed

NAN = float("nan")
LEAST = 1e-7  # of the program's unit: a smaller dual is none


@dataclass(frozen=True)
class Priced:
    """A price, and how to move its limit."""

    price: Price
    rows: Index  # of the limit; empty: it is a bound of columns
    each: Floats  # [rows] by how much a bound moves for one unit
    size: float  # of the limit, units
    per_usd: float  # shown USD per discounted USD of the whole horizon, for one unit

    @property
    def weight(self) -> float:
        """What the limit as a whole is worth."""
        return abs(self.price.usd * self.size)


@dataclass(frozen=True)
class _Kind:
    """A family of rows [T,...,X] or [E,X] that are limits named by their last axis."""

    family: str
    limit: str
    unit: str
    names: Sequence[str]
    each: float  # SI in a unit
    yearly: bool = False
    period: Index = field(default_factory=lambda: np.zeros(0, np.int64))  # [E]; empty: the first axis is T


def limit_prices(fixed: Fixed) -> list[Priced]:
    """Those of all limits that bind."""
    formulated = fixed.formulated
    names, sit = formulated.instance.names, formulated.draft.situations
    kinds = (
        _Kind("grid", "grid", "USD/MW-year", names.sites, 1e6, yearly=True, period=sit.period),
        _Kind("supply", "supply", "USD/system", names.systems, 1.0),
        _Kind("ramp", "ramp", "USD/MW", names.sites, 1e6),
        _Kind("api rate", "api", "USD per request/s-year", names.apis, 1.0, yearly=True, period=sit.period),
    )
    found = [one for kind in kinds for one in _of_kind(fixed, kind)]
    return [
        *found,
        *_yearly(fixed, "budget", "USD/USD", 1.0),
        *_yearly(fixed, "carbon", "USD/t", 1e3),
        *_blocks(fixed),
        *_shares(fixed),
        *_options(fixed),
    ]


def _of_kind(fixed: Fixed, kind: _Kind) -> Iterator[Priced]:
    """A price a name and period."""
    instance = fixed.formulated.instance
    rows = fixed.formulated.program.families.get(kind.family)
    if rows is None:
        return
    flat = (
        rows.reshape(len(rows), -1, len(kind.names))
        if rows.ndim > 1 and len(kind.names) > 1
        else rows.reshape(len(rows), -1, 1)
    )
    si = np.asarray(fixed.formulated.unit(kind.family), float)
    si = np.broadcast_to(si.reshape(-1, 1, si.shape[-1] if si.ndim > 1 else 1) if si.ndim else si, flat.shape)
    period = kind.period if len(kind.period) else np.arange(len(rows))
    for x, name in enumerate(kind.names):
        for t in range(len(instance.years)):
            mine = flat[period == t, :, x]
            there = mine >= 0
            each = kind.each / si[period == t, :, x][there]
            saved = -float(fixed.row_duals[mine[there]] @ each) if there.any() else 0.0
            if saved <= LEAST * (1.0 / fixed.usd):
                continue
            shown = float(1.0 / instance.discount[t] / (instance.years[t] if kind.yearly else 1.0))
            usd = saved * fixed.usd * shown
            price = Price(kind.limit, name, instance.names.periods[t], kind.unit, usd, NAN, NAN)
            size = float(np.abs(fixed.arrays.row_upper[mine[there]] / each).max())
            yield Priced(price, mine[there], each, max(size, 1.0), shown)


def _yearly(fixed: Fixed, family: str, unit: str, si: float) -> Iterator[Priced]:
    """Limits of a year, or of a period where each has its own; a year's money is that of its mean discount."""
    instance = fixed.formulated.instance
    rows, periods, year = fixed.formulated.program.families[family], instance.names.periods, instance.policy.year
    number = np.arange(len(periods)) if year is None else np.unique(year, return_inverse=True)[1].ravel()
    sizes = np.broadcast_to(np.asarray(fixed.formulated.unit(family), float), (len(rows),))
    for y, size in enumerate(sizes):
        mine, here = rows[y][rows[y] >= 0].ravel(), np.flatnonzero(number == y)
        if not len(mine):
            continue
        each = np.full(len(mine), si / size)
        shown = float(1.0 / instance.discount[here].mean())
        usd = -float(fixed.row_duals[mine] @ each) * fixed.usd * shown
        if usd > LEAST:
            name = periods[here[0]] if len(here) == 1 else calendar_year(periods[here[0]])
            limit = float(fixed.arrays.row_upper[mine].max() / each[0])
            yield Priced(Price(family, "", name, unit, usd, NAN, NAN), mine, each, max(limit, 1.0), shown)


def _blocks(fixed: Fixed) -> Iterator[Priced]:
    """What a MW of block relaxes in a period: its column in the rows of nameplate, cooling and facility power.

    Only where some stand: where nothing stands these rows all hold at 0, and their duals say nothing.
    """
    formulated, arrays = fixed.formulated, fixed.arrays
    instance, columns = formulated.instance, formulated.columns.blocks
    rows = np.concatenate([formulated.program.families[name].ravel() for name in ("nameplate", "cooling", "facility")])
    counts = np.zeros(len(arrays.row_lower), bool)
    counts[rows[rows >= 0]] = True
    row = np.repeat(np.arange(len(arrays.row_lower)), np.diff(arrays.starts))
    order = np.argsort(arrays.indices, kind="stable")
    ends = np.searchsorted(arrays.indices[order], np.arange(len(arrays.cost) + 1))
    for t, b in np.ndindex(*instance.ground.block_most.shape):
        mine = np.unique(columns[t, :, b][columns[t, :, b] >= 0])
        if not len(mine):
            continue
        power = instance.ground.block_w[b] / 1e6
        size = float(power * (instance.ground.block_standing[t, b] + arrays.upper[mine].max()))
        entries = np.concatenate([order[ends[column] : ends[column + 1]] for column in mine])
        entries = entries[counts[row[entries]]]
        where, each = row[entries], -arrays.values[entries] / power
        shown = float(1.0 / (instance.discount[t] * instance.years[t]))
        usd = -float(fixed.row_duals[where] @ each) * fixed.usd * shown
        if usd > LEAST and size > 0:
            price = Price("block", instance.names.blocks[b], instance.names.periods[t], "USD/MW-year", usd, NAN, NAN)
            yield Priced(price, where, each, size, shown)


def _shares(fixed: Fixed) -> Iterator[Priced]:
    """A point of a supplier's share: 1 % of all nameplate more for it."""
    formulated = fixed.formulated
    instance, rows = formulated.instance, formulated.program.families.get("share")
    if rows is None or not (rows >= 0).any():
        return
    systems = formulated.columns.systems
    power = np.where(systems >= 0, fixed.values[systems], 0.0) * instance.stock.nameplate_w
    total = power.sum(axis=(2, 3)) / np.asarray(formulated.unit("share"), float)  # [T,J]
    for t, v in np.ndindex(rows.shape[0], rows.shape[2]):
        there = rows[t, :, v] >= 0
        mine, each = rows[t, there, v], 0.01 * total[t, there]
        shown = float(1.0 / instance.discount[t])
        usd = -float(fixed.row_duals[mine] @ each) * fixed.usd * shown
        if usd > LEAST:
            price = Price("share", instance.names.suppliers[v], instance.names.periods[t], "USD/point", usd, NAN, NAN)
            yield Priced(price, mine, each, 100.0 * float(instance.policy.supplier_share[t, v]), shown)


def _options(fixed: Fixed) -> Iterator[Priced]:
    """Reduced costs of options that are used up."""
    formulated = fixed.formulated
    instance, columns = formulated.instance, formulated.columns.option
    if not columns.size:
        return
    none = np.zeros(0, np.int64)
    for t, h in np.ndindex(columns.shape[0], columns.shape[2]):
        mine = np.unique(columns[t, :, h][columns[t, :, h] >= 0])
        shown = float(1.0 / instance.discount[t])
        usd = -float(np.minimum(fixed.column_duals[mine], 0.0).sum()) * fixed.usd * shown
        if usd > LEAST:
            price = Price("option", instance.names.systems[h], instance.names.periods[t], "USD/system", usd, NAN, NAN)
            yield Priced(price, none, np.zeros(0), float(instance.stock.option[t, h]), shown)
