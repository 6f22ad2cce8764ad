"""Limits in words: what a limit is, its key in the fleet file, and how much it would have to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from meritorder.plan.instance import Floats, Instance

MOST = 3  # steps of a limit that are told
TOWARDS = 1e-6  # of a unit: rounded up to whole units from there


@dataclass(frozen=True)
class Said:
    """`gives` has `{amount}` and `{by}` in it."""

    words: str
    key: str
    unit: str  # "systems", "blocks", "MW", "MUSD", "t", "%"
    gives: str
    each: float = 1.0  # units in a unit of the group

    def amount(self, given: float) -> float:
        """What `given` units of the group are in `unit`; whole things are rounded up."""
        value = given * self.each
        return float(ceil(value - TOWARDS)) if self.unit in ("systems", "blocks") else value

    def giving(self, given: float, by: str) -> str:
        """How much it would have to give, in words."""
        amount = self.amount(given)
        shown = f"{amount:.0f}" if self.unit in ("systems", "blocks") else f"{amount:.3g}"
        return self.gives.format(amount=shown, by=by)


def said(instance: Instance, family: str, name: str, x: int) -> Said:
    """The words of one limit of a family; `x`: its index there."""
    periods = instance.names.periods
    if family == "supply":
        most = steps(instance.stock.supply[:, x], periods, "{:.0f}")
        return Said(
            f"supply of {name}: {most} systems a period",
            f"plan.offers.{name}.supply",
            "systems",
            "{amount} systems more by {by}",
        )
    if family == "blocks":
        site, _, block = name.partition("/")
        most = steps(instance.ground.block_most[:, x].astype(float), periods, "{:.0f}")
        size = instance.ground.block_w[x] / 1e6
        return Said(
            f"power blocks {name}: {most} of {size:.3g} MW",
            f"plan.sites.{site}.blocks.{block}",
            "blocks",
            "{amount} blocks more by {by}",
        )
    if family == "step":
        site, _, block = name.partition("/")
        return Said(
            f"power blocks {name}: {instance.ground.block_step[x]} new a period",
            f"plan.sites.{site}.blocks.{block}.most_per_quarter",
            "blocks",
            "{amount} blocks more a period",
        )
    if family == "demand":
        served = (instance.demand.service[instance.ways.cls] == x).any()
        return Said(
            f"demand of {name}: all of it must be served"
            + ("" if served else ", and no offer keeps its service level"),
            f"plan.demand.{name}",
            "%",
            "{amount} % less demand from {by} on",
            100.0,
        )
    if family == "survive":
        kind = {"site": "site", "supplier": "supplier", "late": "late", "curtail": "curtailment"}
        lost = instance.contingencies[x]
        return Said(
            f"loss of {name}: the share that must still be served in the busiest hour",
            f"plan.policy.survive.{kind[lost.kind]}",
            "%",
            "{amount} % less of that share from {by} on",
            100.0,
        )
    return _policy(instance, family, name, x)


def _policy(instance: Instance, family: str, name: str, x: int) -> Said:
    """Limits on sites, suppliers, contracts and money."""
    ground, policy, periods = instance.ground, instance.policy, instance.names.periods
    if family == "ramp":
        words = f"crews at {name}: {ground.ramp_w[x] / 1e6:.3g} MW a period"
        return Said(words, f"plan.sites.{name}.ramp", "MW", "{amount} MW more a period")
    if family == "grid":
        words = f"grid at {name}: {steps(ground.grid_w[:, x] / 1e6, periods, '{:.4g}')} MW"
        return Said(words, f"plan.sites.{name}.grid", "MW", "{amount} MW more by {by}")
    if family == "share":
        share = steps(policy.supplier_share[:, x] * 100, periods, "{:.3g} %")
        words = f"supplier share of {name}: {share} of the installed power"
        return Said(words, f"plan.policy.supplier_share.{name}", "MW", "{amount} MW beyond it")
    if family in ("budget", "carbon"):
        unit, values, shown = (1e6, policy.budget_usd, "MUSD") if family == "budget" else (1e3, policy.carbon_kg, "t")
        year = [t for t, period in enumerate(periods) if period.startswith(name)]
        most = steps(values[year] / unit, [periods[t] for t in year], "{:.4g}") + f" {shown} a period"
        if policy.year is not None:
            most = f"{values[year].sum() / unit:.4g} {shown}"
        return Said(f"{family} in {name}: {most}", f"plan.policy.{family}", shown, "{amount} " + shown + " more")
    if family == "api rate":
        words = f"requests to {name}: {policy.api_rate[0, x]:.4g} a second"
        return Said(words, f"plan.apis.{name}.most_requests_per_s", "%", "{amount} % more", 100.0)
    if family == "api budget":
        words = f"paid for {name}: {policy.api_usd[0, x]:.4g} USD a period"
        return Said(words, f"plan.apis.{name}.most_usd_per_month", "USD", "{amount} USD more a period")
    contract = next(one for one in instance.contracts if one.name == name)
    least = family == "contract lower"
    due = steps(contract.watts / 1e6, periods, "at least {:.4g} MW" if least else "at most {:.4g} MW", "nothing said")
    words = f"contract {name}: {due}"
    gives = "{amount} MW less in {by}" if least else "{amount} MW more in {by}"
    return Said(words, f"plan.contracts.{name}", "MW", gives)


def steps(values: Floats, periods: Sequence[str], shown: str, none: str = "no limit") -> str:
    """ "0 until 2026-Q2, 100 until 2026-Q4, then 400": limits by period; NaN and inf are none."""
    texts = [shown.format(value) if np.isfinite(value) else none for value in values]
    edges = [t for t in range(1, len(texts)) if texts[t] != texts[t - 1]]
    parts = [f"{texts[edge - 1]} until {periods[edge - 1]}" for edge in edges]
    shown_parts = [*parts[:MOST], "..."] if len(parts) > MOST else parts
    return ", ".join([*shown_parts, ("then " if parts else "") + texts[-1]])
