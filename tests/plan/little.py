"""Planning problems so small that their answers can be worked out by hand.

Of everything one, two periods of 1e6 s, no discount. A system carries 10 requests/s, takes 100 kW, costs 1 M$; a block
of 1 MW holds ten and costs 5 M$; 100 requests/s must be served. Energy, idle power, everything else costs nothing.
So ten systems and one block are bought in the first period: 15 M$.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from meritorder.plan.instance import Contingency, Demand, Ground, Instance, Money, Names, Policy, Stock, Ways

M = 1e6
SECONDS = 1e6
ALONE = 15 * M  # what it costs as it is


def little(
    *,
    periods: int = 2,
    sites: int = 1,
    systems: int = 1,
    classes: int = 1,
    hours: int = 1,
    scenarios: int = 1,
    apis: int = 0,
    models: int = 1,
    **changes: dict[str, Any],
) -> Instance:
    """The problem; every class on every system at every site, every system of its own supplier. Changes by part."""
    ways = [(k, s, h, -1) for k in range(classes) for s in range(sites) for h in range(systems)]
    ways += [(k, -1, -1, a) for k in range(classes) for a in range(apis)]
    cls, site, system, api = np.array(ways).T
    own = system >= 0
    none = np.full(len(cls), -1)
    instance = Instance(
        names=Names(
            periods=tuple(f"p{t}" for t in range(periods)),
            sites=tuple(f"s{s}" for s in range(sites)),
            systems=tuple(f"h{h}" for h in range(systems)),
            suppliers=tuple(f"v{h}" for h in range(systems)),
            blocks=tuple(f"s{s}/b" for s in range(sites)),
            services=tuple(f"k{k}" for k in range(classes)),
            classes=tuple(f"k{k}" for k in range(classes)),
            models=tuple(f"m{m}" for m in range(models)),
            apis=tuple(f"a{a}" for a in range(apis)),
            scenarios=tuple(f"j{j}" for j in range(scenarios)),
        ),
        years=np.full(periods, 1.0),
        discount=np.ones(periods),
        ways=Ways(
            cls=cls,
            site=site,
            system=system,
            rate=np.where(own, 10.0, 0.0),
            joules=np.zeros(len(cls)),
            decoder=none,
            decoder_rate=np.zeros(len(cls)),
            decoder_joules=np.zeros(len(cls)),
            api=api,
            usd=np.where(own, 0.0, 1.0),
        ),
        stock=Stock(
            supplier=np.arange(systems),
            nameplate_w=np.full(systems, 1e5),
            idle_w=np.zeros(systems),
            availability=np.ones(systems),
            model_of=tuple(tuple(range(models)) for _ in range(systems)),
            block=np.repeat(np.arange(sites)[:, None], systems, axis=1),
            usd=np.full((periods, systems), 1 * M),
            option_usd=np.full((periods, systems), 2 * M),
            life=np.full(systems, 100),
            lead=np.zeros(systems, np.int64),
            lot=np.ones(systems, np.int64),
            supply=np.full((periods, systems), 1000.0),
            option=np.zeros((periods, systems)),
            option_all=np.full(systems, np.inf),
            replica=np.ones((systems, models)),
            take=np.zeros((periods, systems)),
            take_usd=np.zeros(systems),
            standing=np.zeros((periods, sites, systems)),
        ),
        ground=Ground(
            block_site=np.arange(sites),
            block_w=np.full(sites, 1 * M),
            block_standing=np.zeros((periods, sites), np.int64),
            block_most=np.full((periods, sites), 100),
            block_step=np.full(sites, 100),
            block_usd=np.full((periods, sites), 5 * M),
            open_usd=np.zeros((periods, sites)),
            grid_w=np.full((periods, sites), np.inf),
            ramp_w=np.full(sites, np.inf),
            oversubscription=np.ones(sites),
            pieces=np.broadcast_to([0.0, 1.0], (periods, hours, sites, 1, 2)).copy(),
            cooled=np.ones((periods, hours, sites)),
            usd_per_j=np.zeros((periods, sites, hours)),
            kg_per_j=np.zeros((periods, sites, hours)),
            battery_w=np.zeros(sites),
            battery_j=np.zeros(sites),
            battery_most_j=np.zeros(sites),
            battery_usd_per_j=np.zeros((periods, sites)),
            battery_hours=np.ones(sites),
            battery_efficiency=np.ones(sites),
        ),
        demand=Demand(
            service=np.arange(classes),
            model=np.arange(classes) % models,
            requests=np.full((periods, classes, hours, scenarios), 100.0),
            tokens=np.full(classes, 100.0),
            unmet_usd=np.full(classes, np.inf),
            shift_h=np.zeros(classes),
            clock=np.arange(hours) * 24.0 / hours,
            seconds=np.full((periods, hours), SECONDS / hours),
            probability=np.full(scenarios, 1.0 / scenarios),
            speed=np.ones((scenarios, systems)),
            power_price=np.ones(scenarios),
            late=np.zeros((scenarios, systems), np.int64),
        ),
        contracts=(),
        contingencies=(),
        policy=Policy(
            supplier_share=np.ones((periods, systems)),
            carbon_kg=np.full(periods, np.inf),
            carbon_usd_per_kg=0.0,
            budget_usd=np.full(periods, np.inf),
            api_rate=np.full((periods, apis), np.inf),
            api_usd=np.full((periods, apis), np.inf),
            aversion=0.0,
            tail=0.5,
        ),
        money=Money(
            system_cash=np.full((periods, systems), 1 * M),
            option_cash=np.full((periods, systems), 2 * M),
            block_cash=np.full((periods, sites), 5 * M),
            upkeep_cash=np.zeros(systems),
            rent_cash=np.zeros(sites),
            open_cash=np.zeros(sites),
            battery_cash=np.zeros(sites),
        ),
        decided=np.zeros((periods, scenarios), np.int64),
    )
    return changed(instance, **changes)


def changed(instance: Instance, **changes: dict[str, Any]) -> Instance:
    """Fields of parts replaced: numbers fill the array that stands there; `whole` replaces parts."""
    parts = {}
    for name, fields in changes.items():
        if name == "whole":
            continue
        part = getattr(instance, name)
        parts[name] = replace(part, **{field: _like(getattr(part, field), value) for field, value in fields.items()})
    return replace(instance, **parts, **changes.get("whole", {}))


def contingency(instance: Instance, kind: Any, share: float, **lost: Any) -> Instance:
    """With one more contingency, in every period."""
    size = instance.shape
    nothing: dict[str, Any] = {
        "site": np.zeros(size["S"], bool),
        "systems": np.zeros(size["H"], bool),
        "depth": np.zeros(size["S"]),
        "share": np.full(size["K"], share),
        "periods": np.ones(size["T"], bool),
    }
    more = Contingency(name=kind, kind=kind, **{**nothing, **lost})
    return replace(instance, contingencies=(*instance.contingencies, more))


def _like(old: Any, value: Any) -> Any:
    if isinstance(old, np.ndarray):
        return np.broadcast_to(np.asarray(value, old.dtype), old.shape).copy()
    return value
