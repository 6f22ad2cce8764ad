"""Cost per million output tokens, by service and by what serves it, levelised over the horizon.

Levelised: discounted costs over discounted tokens, as energy economics does (LCOE). A system's costs are those of its
deliveries, of its part of the blocks (by nameplate) and of the energy (by IT energy and the site's price); services
bear them by the system-seconds that they take. Fixed costs of what stood before the horizon are sunk and not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Build, Plan


@dataclass(frozen=True)
class UnitCosts:
    """K classes are summed to services (P). Discounted and expected over the scenarios."""

    tokens: Floats  # [P,X] output tokens served; X: systems, then APIs
    systems: Floats  # [P,X] USD
    blocks: Floats
    energy: Floats  # carbon at its price in it
    metered: Floats
    idle_usd: float  # of systems that serve nothing in the whole horizon

    @property
    def total(self) -> Floats:
        """[P,X] USD."""
        return self.systems + self.blocks + self.energy + self.metered


def unit_costs(instance: Instance, plan: Plan) -> UnitCosts:
    """Costs and tokens of every service on every kind of system and API."""
    ways, demand, shape = instance.ways, instance.demand, instance.shape
    systems, services = shape["H"], len(instance.names.services)
    kinds = systems + shape["A"]
    on = np.where(ways.api >= 0, systems + ways.api, ways.decoder)  # tokens come from the decoder of a pair
    on = np.where(on >= 0, on, ways.system)
    served = np.einsum("trjf,tr,j->tf", plan.operation.served, demand.seconds, demand.probability)  # [T,F] requests
    served = served * instance.discount[:, None]
    tokens = served.sum(axis=0) * demand.tokens[ways.cls]
    service = demand.service[ways.cls]
    busy = _busy(instance, served)  # [S,H,F]
    share = _share(busy)
    fixed = sum(
        weight * np.stack(_fixed(instance, build))
        for weight, build in zip(demand.probability, plan.builds, strict=True)
    )  # [2,S,H]
    running = np.zeros_like(fixed[0]) + _energy(instance, plan, busy)
    by_way = {name: np.einsum("sh,shf->f", value, share) for name, value in zip("sb", fixed, strict=True)}
    # costs of the prompt's side of a pair are told beside the decoder's, where its tokens come from
    place = (service, on)
    parts = {}
    for name, value in {
        "tokens": tokens,
        "systems": by_way["s"],
        "blocks": by_way["b"],
        "energy": np.einsum("sh,shf->f", running, share),
        "metered": served.sum(axis=0) * ways.usd,
    }.items():
        parts[name] = np.zeros((services, kinds))
        np.add.at(parts[name], place, value)
    unused = share.sum(axis=2) == 0.0
    return UnitCosts(**parts, idle_usd=float((fixed.sum(axis=0) + running)[unused].sum()))


def _busy(instance: Instance, served: Floats) -> Floats:
    """System-seconds that each way takes of each kind of system at each site [S,H,F]."""
    ways, shape = instance.ways, instance.shape
    busy = np.zeros((shape["S"], shape["H"], shape["F"]))
    for f in np.flatnonzero(ways.system >= 0):
        total = float(served[:, f].sum())
        busy[ways.site[f], ways.system[f], f] += total / ways.rate[f]
        if ways.decoder[f] >= 0:
            busy[ways.site[f], ways.decoder[f], f] += total / ways.decoder_rate[f]
    return busy


def _share(busy: Floats) -> Floats:
    """Part of each system's time that is a way's [S,H,F]; 0 where nothing is served."""
    total = busy.sum(axis=2, keepdims=True)
    return np.divide(busy, total, out=np.zeros_like(busy), where=total > 0)


def _fixed(instance: Instance, build: Build) -> tuple[Floats, Floats]:
    """USD of deliveries [S,H], and of blocks as the systems in them bear it [S,H]."""
    stock, ground = instance.stock, instance.ground
    delivered = build.delivered
    total = delivered.sum(axis=1)
    optional = np.divide(build.option, total, out=np.zeros_like(total), where=total > 0)[:, None, :]
    price = (1.0 - optional) * stock.usd[:, None, :] + optional * stock.option_usd[:, None, :]
    systems = (delivered * price).sum(axis=0)
    taken = delivered.sum(axis=0)
    spread = np.divide(taken, taken.sum(axis=0), out=np.full_like(taken, 1.0 / len(taken)), where=taken.sum(axis=0) > 0)
    systems = systems + spread * (build.untaken * stock.take_usd)
    bought = build.blocks - ground.block_standing
    new = np.diff(bought, axis=0, prepend=np.zeros((1, bought.shape[1])))
    paid = (new * ground.block_usd).sum(axis=0)  # [B]
    power = (build.systems * stock.nameplate_w).sum(axis=0)  # [S,H]
    blocks = np.zeros_like(power)
    for b, usd in enumerate(paid):
        inside = stock.block == b
        weight = np.where(inside, power, 0.0)
        if weight.sum() > 0:
            blocks += usd * weight / weight.sum()
    return systems, blocks


def _energy(instance: Instance, plan: Plan, busy: Floats) -> Floats:
    """USD of energy and carbon, discounted and expected, as systems at sites bear it [S,H]."""
    stock, ground, demand = instance.stock, instance.ground, instance.demand
    ways = instance.ways
    seconds = demand.seconds.sum(axis=1)
    idle = sum(
        weight * np.einsum("tsh,t->sh", build.systems * stock.idle_w, seconds * instance.discount)
        for weight, build in zip(demand.probability, plan.builds, strict=True)
    )
    joules = np.zeros_like(busy)
    for f in np.flatnonzero(ways.system >= 0):
        count = busy[ways.site[f], ways.system[f], f] * ways.rate[f]
        joules[ways.site[f], ways.system[f], f] += count * ways.joules[f]
        if ways.decoder[f] >= 0:
            joules[ways.site[f], ways.decoder[f], f] += count * ways.decoder_joules[f]
    it = idle + joules.sum(axis=2)
    price = ground.usd_per_j + instance.policy.carbon_usd_per_kg * ground.kg_per_j  # [T,S,R]
    weight = np.einsum("trjs,tsr,tr,j->s", plan.operation.facility_w, price, demand.seconds, demand.probability)
    of_site = it.sum(axis=1)
    per_joule = np.divide(weight, of_site, out=np.zeros_like(weight), where=of_site > 0)
    bill = it * per_joule[:, None]
    total = float(((plan.costs.energy + plan.costs.carbon) @ demand.probability).sum())
    return bill * (total / bill.sum()) if bill.sum() > 0 else bill
