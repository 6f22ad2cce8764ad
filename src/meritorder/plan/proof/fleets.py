"""`fleet_at`: a plan's fleet in one period as a fleet file, which `merit check`, `simulate` and `serve` take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from meritorder.catalog.load import models
from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.dispatch import spread
from meritorder.plan.horizon import of
from meritorder.plan.instance import Bools, Instance
from meritorder.plan.outcome import Build
from meritorder.plan.proof.apis import SITE, api_data
from meritorder.plan.proof.machines import machine_data
from meritorder.plan.proof.owner_cost import usd_per_hour
from meritorder.plan.proof.replicas import held, whole_replicas
from meritorder.plan.proof.roles import Member, members_of, ways_of
from meritorder.plan.proof.sites import site_data
from meritorder.problems import InputError, Problem

_KEPT = ("regions", "carbon_price_usd_per_kg", "control", "gateway")
_FAULTS = ("detection", "retries", "crew", "engine_start", "load_rate")


@dataclass(frozen=True)
class FleetFile:
    """A fleet file's mapping, and what a reader of it should know."""

    data: dict[str, Any]
    notes: tuple[str, ...]
    members: dict[str, Member]  # by pool: what of the plan it is

    @property
    def text(self) -> str:
        """YAML, the notes as comments on top."""
        import yaml

        head = "".join(f"# {note}\n" for note in self.notes)
        return head + yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True, width=120)

    def fleet(self) -> Fleet:
        """It as a `Fleet`, checked as any file."""
        return loads(self.text, self.data["name"])


def fleet_at(fleet: Fleet, instance: Instance, build: Build, t: int, *, j: int = 0) -> FleetFile:
    """The fleet that `build` has in period t: sites as built, a pool for each (site, offer, model), and its services.

    `fleet`: the one with the plan; `instance`: what was solved, all hours or some. Replicas are whole; services are
    bound to the pools that the plan may send them to. `j`: scenario whose demand says how pairs share machines.
    Raises InputError where nothing stands in that period.
    """
    replicas = whole_replicas(instance, build, t)
    members, more = members_of(instance, replicas, t, j)
    notes = [*_notes(instance, build, t, replicas), *more]
    data: dict[str, Any] = {"name": f"{fleet.name}, {instance.names.periods[t]}"}
    data |= fleet.model_dump(mode="json", include=set(_KEPT), exclude_unset=True)
    data["dispatch"] = spread(fleet.dispatch).model_dump(mode="json")  # that for which capacities hold
    data["start"] = f"{_first_month(fleet, instance, t)}-01T00:00:00Z"
    if faults := fleet.faults.model_dump(mode="json", include=set(_FAULTS), exclude_unset=True):
        data["faults"] = faults
    data |= {"accelerators": {}, "sites": {}, "pools": {}, "services": {}}
    known: dict[str, Member] = {}
    for member in members:
        name, pool, machine, entry = _pool(fleet, instance, build, t, member)
        known[name], data["pools"][name] = member, pool
        if entry is not None:
            data["accelerators"][machine] = entry
    for s in sorted({member.site for member in members}):
        data["sites"][instance.names.sites[s]] = site_data(fleet, instance, build, t, s)
    for a, api in enumerate(instance.names.apis):
        if (instance.ways.api == a).any() and instance.policy.api_rate[t, a] > 0.0:
            site = api if api not in fleet.sites else f"{api} (API)"
            data["sites"][site], data["pools"][site] = dict(SITE), api_data(fleet, instance, t, a, site)
            known[site] = Member(-1, -1, int(instance.demand.model[instance.ways.cls[instance.ways.api == a][0]]), 0)
            notes.append(f"{api} is an API: `measured` gives the times that it is known to keep, not measured ones")
    if not data["pools"]:
        what = f"nothing stands in {instance.names.periods[t]}"
        raise InputError(Problem(what, key="plan", fix="give `standing` systems, or take a later period"))
    data["services"], unserved = _services(fleet, instance, t, j, known)
    notes += [f"{name} has no pool here: the plan leaves it unserved" for name in unserved]
    data |= {"models": _models(fleet, data)}
    return FleetFile({key: value for key, value in data.items() if value != {}}, tuple(notes), known)


def _pool(
    fleet: Fleet, instance: Instance, build: Build, t: int, member: Member
) -> tuple[str, dict[str, Any], str, dict[str, Any] | None]:
    """Name and entry of a pool, name and entry of its machine."""
    assert fleet.plan is not None
    names = instance.names
    site, offer_name, model = names.sites[member.site], names.systems[member.system], names.models[member.model]
    offer = fleet.plan.offers[offer_name]
    b = int(instance.stock.block[member.site, member.system])
    coolant = fleet.plan.sites[site].blocks[names.blocks[b].partition("/")[2]].coolant
    machine, entry = machine_data(fleet, offer_name, coolant)
    size = float(instance.stock.replica[member.system, member.model])
    pool: dict[str, Any] = {"site": site, "accelerator": machine, "model": model, "replicas": member.replicas}
    pool |= {} if member.role == "both" else {"role": member.role}
    pool |= offer.runs[model].model_dump(mode="json", exclude_unset=True)
    pool["usd_per_hour"] = round(size * usd_per_hour(fleet, instance, build, t, member.system), 6)
    parts = [site, offer_name, *([model] if len(offer.runs) > 1 else [])]
    parts += [] if member.role == "both" else [member.role]
    return " ".join(parts)[:80], pool, machine, entry


def _services(
    fleet: Fleet, instance: Instance, t: int, j: int, known: dict[str, Member]
) -> tuple[dict[str, Any], list[str]]:
    """Services with the pools that they may use and their share of the requests; those without any, apart."""
    ways, demand = instance.ways, instance.demand
    asked = (demand.requests[t, :, :, j] * demand.seconds[t]).sum(axis=1)
    found: dict[str, Any] = {}
    unserved = []
    for k, name in enumerate(instance.names.services):
        mine = np.isin(ways.cls, np.flatnonzero(demand.service == k))
        pools = [pool for pool, member in known.items() if (mine & _of(instance, pool, member)).any()]
        roles = {known[pool].role for pool in pools}
        if roles == {"prefill"} or roles == {"decode"} or not pools:
            unserved.append(name)
            continue
        entry = fleet.services[name].model_dump(mode="json", exclude_unset=True, exclude={"share", "match", "pools"})
        found[name] = entry | {"pools": pools}
    if len(found) > 1:
        shares = {name: float(asked[demand.service == instance.names.services.index(name)].sum()) for name in found}
        total = sum(shares.values())
        *others, last = found
        for name in others:
            found[name]["share"] = round(shares[name] / total, 9) if total > 0.0 else 0.0
        found[last]["share"] = round(1.0 - sum(found[name]["share"] for name in others), 9)
    return found, unserved


def _of(instance: Instance, pool: str, member: Member) -> Bools:
    """Which ways [F] use a pool."""
    if member.site >= 0:
        return ways_of(instance, member)
    ways = instance.ways
    asked = ways.api == instance.names.apis.index(pool.removesuffix(" (API)"))
    mine: Bools = asked & (instance.demand.model[ways.cls] == member.model)
    return mine


def _models(fleet: Fleet, data: dict[str, Any]) -> dict[str, Any]:
    """Models that are used and not the catalog's, written out."""
    used = {pool["model"] for pool in data["pools"].values()} | {s["model"] for s in data["services"].values()}
    written = [name for name in fleet.models if name in used and models().get(name) != fleet.models[name]]
    return {name: fleet.models[name].model_dump(mode="json", exclude_unset=True) for name in written}


def _notes(instance: Instance, build: Build, t: int, replicas: Any) -> list[str]:
    """Systems that hold no whole replica."""
    idle = build.systems[t] - held(instance, replicas).sum(axis=2)
    return [
        f"{idle[s, h]:.4g} of {build.systems[t, s, h]:.6g} {instance.names.systems[h]} at {instance.names.sites[s]} "
        "hold no whole replica and are left out"
        for s, h in zip(*np.nonzero(idle > 0.01), strict=True)
    ]


def _first_month(fleet: Fleet, instance: Instance, t: int) -> str:
    """Of a period, by its name: an instance may begin later than the plan's horizon."""
    assert fleet.plan is not None
    horizon = of(fleet.plan)
    return horizon.months[horizon.names.index(instance.names.periods[t])][0]
