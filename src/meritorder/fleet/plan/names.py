"""What `plan` names must be there: services, sites, regions, machines, models, offers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from meritorder.catalog.load import incomplete
from meritorder.fleet.document import KeyPath
from meritorder.fleet.fault import Fault
from meritorder.problems import did_you_mean

Entries = Mapping[str, Mapping[str, Any]]


def plan_names(data: Mapping[str, Any], models: Collection[str], accelerators: Collection[str]) -> Iterator[Fault]:
    """Names under `plan` that nothing in the file has, and services that the plan forgets."""
    plan = data.get("plan")
    if not isinstance(plan, Mapping):
        return
    services, offers = entries(data, "services"), entries(plan, "offers")
    yield from _demand(data, plan, services)
    yield from _offers(plan, offers, services, models, accelerators)
    for name, pair in entries(plan, "pairs").items():
        yield from _pair(("plan", "pairs", name), pair, offers)
    for name, api in entries(plan, "apis").items():
        yield from _wanted(("plan", "apis", name, "model"), api.get("model"), services)
    for name in _keys(plan, "sites"):
        yield from known(("plan", "sites", name), name, "site", _keys(data, "sites"))
    for name, future in entries(plan, "scenarios").items():
        for key, kind, there in (
            ("demand", "service", services),
            ("speed", "offer", offers),
            ("late", "offer", offers),
        ):
            for named in _keys(future, key):
                if not (key == "demand" and named == "default"):
                    yield from known(("plan", "scenarios", name, key, named), named, kind, there)
    for name, contract in entries(plan, "contracts").items():
        yield from _listed(("plan", "contracts", name, "offers"), contract.get("offers"), "offer", offers)
    survive = entries(entries(data, "plan").get("policy", {}), "survive")
    for key in ("site", "supplier", "late", "curtailment"):
        for named in survive.get(key, {}):
            if named != "default":
                yield from known(("plan", "policy", "survive", key, named), named, "service", services)
    taken: dict[str, str] = {}
    for part in ("offers", "pairs", "apis"):
        for name in _keys(plan, part):
            if name in taken:
                yield Fault(("plan", part, name), f"is also one of the {taken[name]}", "give it another name")
            taken.setdefault(name, part)


def served(model: str, data: Mapping[str, Any]) -> bool:
    """Whether the plan offers something that serves this model."""
    plan = data.get("plan")
    if not isinstance(plan, Mapping):
        return False
    return any(model in _keys(offer, "runs") for offer in entries(plan, "offers").values()) or any(
        api.get("model") == model for api in entries(plan, "apis").values()
    )


def known(path: KeyPath, name: object, kind: str, there: Collection[str]) -> Iterator[Fault]:
    """A fault where there is nothing of that name."""
    if isinstance(name, str) and name not in there:
        yield Fault(path, f'there is no {kind} "{name}"', did_you_mean(name, there))


def entries(data: Mapping[str, Any], key: str) -> Entries:
    """The entries under `key` that are mappings."""
    under = data.get(key)
    if not isinstance(under, Mapping):
        return {}
    return {name: entry for name, entry in under.items() if isinstance(entry, Mapping)}


def _keys(data: Mapping[str, Any], key: str) -> Collection[str]:
    under = data.get(key)
    return under.keys() if isinstance(under, Mapping) else ()


def _listed(path: KeyPath, listed: object, kind: str, there: Collection[str]) -> Iterator[Fault]:
    for index, name in enumerate(listed if isinstance(listed, list) else ()):
        yield from known((*path, index), name, kind, there)


def _demand(data: Mapping[str, Any], plan: Mapping[str, Any], services: Entries) -> Iterator[Fault]:
    demand = entries(plan, "demand")
    for name in _keys(plan, "demand"):
        yield from known(("plan", "demand", name), name, "service", services)
    for name in services:
        if demand and name not in _keys(plan, "demand"):
            yield Fault(("services", name), "has no demand in the plan", f"add `{name}` under `plan.demand`")
    sites = entries(data, "sites").values()
    regions = {"default", *_keys(data, "regions"), *(region for site in sites for region in _keys(site, "rtt"))}
    for name, asked in demand.items():
        for region in _keys(asked, "regions"):
            if region not in regions:
                fix = f"{did_you_mean(region, regions)}; or say how far it is from the sites (`sites.NAME.rtt`)"
                yield Fault(("plan", "demand", name, "regions", region), f'there is no region "{region}"', fix)


def _offers(
    plan: Mapping[str, Any],
    offers: Entries,
    services: Entries,
    models: Collection[str],
    accelerators: Collection[str],
) -> Iterator[Fault]:
    ground = _keys(plan, "sites")
    for name, offer in offers.items():
        path = ("plan", "offers", name)
        machine = offer.get("accelerator")
        missing = incomplete().get(machine) if isinstance(machine, str) and machine not in accelerators else None
        if missing:
            what = f'"{machine}" is in the catalog, but can\'t be simulated: nobody has published its {missing}'
            fix = f"take another, or write it out under `accelerators` (`merit catalog show {machine}`)"
            yield Fault((*path, "accelerator"), what, fix)
        else:
            yield from known((*path, "accelerator"), machine, "accelerator", accelerators)
        for model in _keys(offer, "runs"):
            if model in models:
                yield from _wanted((*path, "runs", model), model, services)
            else:
                yield from known((*path, "runs", model), model, "model", models)
        if not ground:
            continue  # that is said once, elsewhere
        yield from _listed((*path, "sites"), offer.get("sites"), "site to build on", ground)
        for site in _keys(offer, "standing"):
            yield from known((*path, "standing", site), site, "site to build on", ground)


def _pair(path: KeyPath, pair: Mapping[str, Any], offers: Entries) -> Iterator[Fault]:
    """Both ends of a pair are offers that run its models."""
    listed = pair.get("models")
    for role in ("prefill", "decode"):
        end = pair.get(role)
        yield from known((*path, role), end, "offer", offers)
        runs = _keys(offers[end], "runs") if isinstance(end, str) and end in offers else None
        for index, model in enumerate(listed if isinstance(listed, list) else ()):
            if runs is not None and isinstance(model, str) and model not in runs:
                what = f'"{model}" doesn\'t run on {end}'
                yield Fault((*path, "models", index), what, f"add it under `offers.{end}.runs`, or leave it out")


def _wanted(path: KeyPath, model: object, services: Entries) -> Iterator[Fault]:
    """A model that is offered is one that a service asks for."""
    asked = [service["model"] for service in services.values() if isinstance(service.get("model"), str)]
    if isinstance(model, str) and model not in asked:
        yield Fault(path, f'no service asks for "{model}"', did_you_mean(model, asked))
