"""`assemble`: the whole planning problem as arrays, with all 24 hours of a typical day and the design hour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meritorder.fleet.plan.demand import Future
from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import spans
from meritorder.plan.assemble.ground import ground_cash, ground_of
from meritorder.plan.assemble.pools import expected_pools, models_of, replica_systems
from meritorder.plan.assemble.promises import contingencies_of, contracts_of, policy_of
from meritorder.plan.assemble.stock import stock_of, suppliers_of, system_cash
from meritorder.plan.assemble.ways import ways_of
from meritorder.plan.capacity import Capacity, Key
from meritorder.plan.demand import DemandTable
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Demand, Floats, Instance, Ints, Names
from meritorder.plan.sites import SiteHours
from meritorder.plan.sites.hours import DESIGN, HOURS
from meritorder.plan.systems import systems_of

_HOUR_S = 3600.0
_PER_MTOK = 1e-6


def assemble(
    fleet: Fleet,
    horizon: Horizon,
    demand: DemandTable,
    capacities: Mapping[Key, Capacity],
    sites: SiteHours,
    pools: Floats | None = None,
    recourse_from: int | None = None,
) -> Instance:
    """The full instance, R = 25.

    `pools` [S,H,I]: replicas that serve each service together, from `pools_of` an earlier plan; absent, and where it
    has none: as expected from the demand. `recourse_from`: from this period on scenarios are decided on apart.
    Raises InputError.
    """
    plan = fleet.plan
    assert plan is not None
    systems, models = systems_of(fleet), models_of(fleet)
    expected = expected_pools(fleet, demand, capacities)
    pools = expected if pools is None else np.where(pools > 0.0, pools, expected)
    services = [service for service, _ in demand.classes]
    money = system_cash(fleet, horizon, ground_cash(fleet, horizon))
    names = Names(
        periods=horizon.names,
        sites=tuple(plan.sites),
        systems=tuple(plan.offers),
        suppliers=tuple(suppliers_of(systems)),
        blocks=sites.blocks,
        services=demand.services,
        classes=demand.names,
        models=tuple(models),
        apis=tuple(plan.apis),
        scenarios=demand.scenarios,
    )
    return Instance(
        names=names,
        years=horizon.years,
        discount=horizon.discount,
        ways=ways_of(fleet, demand, capacities, pools),
        stock=stock_of(fleet, horizon, systems, models, replica_systems(fleet, models)),
        ground=ground_of(fleet, horizon, sites),
        demand=_demand(fleet, horizon, demand, models),
        contracts=contracts_of(fleet, horizon, systems),
        contingencies=contingencies_of(fleet, horizon, systems, services),
        policy=policy_of(fleet, horizon, systems),
        money=money,
        decided=_decided(len(horizon.names), len(demand.scenarios), recourse_from),
    )


def _demand(fleet: Fleet, horizon: Horizon, table: DemandTable, models: list[str]) -> Demand:
    plan = fleet.plan
    assert plan is not None
    services = [fleet.services[name] for name, _ in table.classes]
    futures = list(plan.scenarios.values()) or [Future(probability=1.0)]
    unmet = [plan.demand[name].unmet_usd_per_mtok for name, _ in table.classes]
    seconds = np.zeros((len(horizon.names), HOURS))
    seconds[:, :DESIGN] = (horizon.seconds / DESIGN)[:, None]
    late = [[future.late.get(offer, 0.0) for offer in plan.offers] for future in futures]
    return Demand(
        service=np.array([table.services.index(name) for name, _ in table.classes], np.int64),
        model=np.array([models.index(service.model) for service in services], np.int64),
        requests=table.requests,
        tokens=table.output_tokens,
        unmet_usd=np.array(
            [np.inf if u is None else u * _PER_MTOK * n for u, n in zip(unmet, table.output_tokens, strict=True)]
        ),
        shift_h=np.array([s.flexible.within / _HOUR_S if s.flexible else 0.0 for s in services]),
        clock=np.append(np.arange(DESIGN, dtype=np.float64), np.nan),
        seconds=seconds,
        probability=table.probability,
        speed=np.array([[future.speed.get(offer, 1.0) for offer in plan.offers] for future in futures]),
        power_price=np.array([future.power_price for future in futures]),
        late=np.ceil(np.array(late) / spans.length(horizon) - 1e-9).astype(np.int64),
    )


def _decided(periods: int, scenarios: int, recourse_from: int | None) -> Ints:
    """[T,J] what is decided before anyone knows which scenario it will be."""
    found = np.zeros((periods, scenarios), np.int64)
    if recourse_from is not None:
        found[recourse_from:] = np.arange(scenarios)
    return found
