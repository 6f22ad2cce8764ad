"""All ways of ordering on one instance, and the table of what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.plan_baselines.greedy import greedy
from bench.plan_baselines.judge import Judged, judge, only_supplier
from bench.plan_baselines.melange import melange
from bench.plan_baselines.orders import limited
from bench.plan_baselines.sr_sim import sr_sim
from meritorder.fleet.load import load
from meritorder.fleet.schema import Fleet
from meritorder.plan import horizon
from meritorder.plan.assemble import assemble
from meritorder.plan.capacity import capacities, cases_of
from meritorder.plan.demand import demand_of
from meritorder.plan.instance import Instance
from meritorder.plan.sites import site_hours

HEADER = ["plan", "cost, MUSD", "of ours", "paid, MUSD", "unmet tokens", "nameplate at the end", "promises"]
GAP = 0.005


def instance_of(path: Path) -> tuple[Fleet, Instance]:
    """A fleet file's problem, in every hour."""
    fleet = load(path)
    assert fleet.plan is not None
    when = horizon.of(fleet.plan)
    found = capacities(fleet, cases_of(fleet))
    return fleet, assemble(fleet, when, demand_of(fleet), found, site_hours(fleet, when))


def judged(full: Instance, fleet: Fleet | None = None, *, hours: int = 6, gap: float = GAP) -> Iterator[Judged]:
    """Ours first, then the others, as they are ready."""
    yield judge("Meritorder", full, full, hours=hours, gap=gap)
    for v, name in enumerate(full.names.suppliers):
        yield judge(f"only {name}", full, only_supplier(full, v), hours=hours, gap=gap)
    yield judge("cheapest tokens first", full, limited(full, greedy(full)), hours=hours, gap=gap)
    yield judge("Melange's allocation", full, limited(full, melange(full)), hours=hours, gap=gap)
    sized = None if fleet is None else sr_sim(fleet, full)
    if sized is None:
        yield Judged("vllm-sr-sim optimize", reason="none of these machines is among those that it knows")
    else:
        yield judge("vllm-sr-sim optimize", full, limited(full, sized), hours=hours, gap=gap)


def row(one: Judged, ours: Judged) -> list[str]:
    """Cells of a row."""
    if not one.buildable:
        return [one.name, f"no plan: {one.reason}".replace("|", "/"), "", "", "", "", ""]
    return [
        one.name,
        f"{one.objective / 1e6:,.2f}" if one.objective < 1e8 else f"{one.objective / 1e6:,.0f}",
        f"{one.objective / ours.objective:.3f}" if ours.buildable else "",
        f"{one.paid / 1e6:,.2f}" if one.paid < 1e8 else f"{one.paid / 1e6:,.0f}",
        f"{one.unmet:.1%}",
        f"{one.nameplate_w / 1e6:,.1f} MW",
        "kept" if one.holds else "**broken**",
    ]
