"""Checks between the parts of a fleet file: names that must exist, services that need a pool, shares that must fit.

They read the plain data, not the validated models, so that they also speak where other keys are wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from meritorder.catalog.load import incomplete
from meritorder.fleet.document import KeyPath
from meritorder.fleet.fault import Fault
from meritorder.fleet.fault_names import fault_names
from meritorder.fleet.plan.months import plan_months
from meritorder.fleet.plan.names import plan_names, served
from meritorder.fleet.roles import role_faults
from meritorder.problems import did_you_mean

_SLACK = 1e-9  # what float sums of shares may exceed 1 by


def cross_check(data: dict[str, Any], models: Collection[str], accelerators: Collection[str]) -> Iterator[Fault]:
    """Faults between parts; `models` and `accelerators` are all names that may be used."""
    pools = _entries(data, "pools")
    services = _entries(data, "services")
    sites = _names(data, "sites")
    for name, pool in pools.items():
        for key, known in (("site", sites), ("accelerator", accelerators), ("model", models)):
            if known:  # where there are none at all, that is said once, elsewhere
                yield from _known(("pools", name, key), pool.get(key), key, known)
    for name, service in services.items():
        yield from _known(("services", name, "model"), service.get("model"), "model", models)
        planned = served(str(service.get("model")), data)
        yield from _served(name, service, pools, () if planned else models)
    for name, pool in pools.items():
        yield from _one_address_each(name, pool)
    yield from _shares(services)
    yield from role_faults(data, pools, services, sites)
    yield from fault_names(data, pools, sites)
    yield from plan_names(data, models, accelerators)
    yield from plan_months(data)


def _known(path: KeyPath, value: object, kind: str, known: Collection[str]) -> Iterator[Fault]:
    missing = incomplete().get(value) if kind == "accelerator" and isinstance(value, str) else None
    if missing and value not in known:
        what = f'"{value}" is in the catalog, but can\'t be simulated: nobody has published its {missing}'
        yield Fault(path, what, f"take another, or write it out under `accelerators` (`merit catalog show {value}`)")
    elif isinstance(value, str) and value not in known:
        yield Fault(path, f'there is no {kind} "{value}"', did_you_mean(value, known))


def _served(
    name: str, service: dict[str, Any], pools: dict[str, dict[str, Any]], models: Collection[str]
) -> Iterator[Fault]:
    """A service needs a pool that serves its model, among those it is bound to; `models` are those that need one."""
    model = service.get("model")
    bound = service.get("pools")
    if isinstance(bound, list):
        for index, pool in enumerate(bound):
            path = ("services", name, "pools", index)
            yield from _known(path, pool, "pool", pools)
            if isinstance(pool, str) and pool in pools and pools[pool].get("model") != model:
                serving = [other for other, entry in pools.items() if entry.get("model") == model]
                fix = f"pools with {model}: {', '.join(serving) or 'none'}"
                yield Fault(path, f'pool "{pool}" serves {pools[pool].get("model")}, not {model}', fix)
    elif isinstance(model, str) and model in models and all(pool.get("model") != model for pool in pools.values()):
        yield Fault(("services", name, "model"), f"no pool serves {model}", f"add a pool with `model: {model}`")


def _one_address_each(name: str, pool: dict[str, Any]) -> Iterator[Fault]:
    """The gateway needs an address for every replica."""
    endpoint, replicas = pool.get("endpoint"), pool.get("replicas")
    urls = endpoint.get("urls") if isinstance(endpoint, dict) else None
    if isinstance(urls, list) and isinstance(replicas, int) and len(urls) != replicas:
        what = f"has {len(urls)} addresses for {replicas} replicas"
        yield Fault(("pools", name, "endpoint", "urls"), what, "give one for each, or change `replicas`")


def _shares(services: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """Every request must know its one service: by shares, or by names in the trace (their own by default)."""
    shares = {name: entry["share"] for name, entry in services.items() if _is_number(entry.get("share"))}
    matches: dict[str, str] = {}
    for name, entry in services.items():
        match = entry.get("match")
        if isinstance(match, str):
            if match in matches:
                fix = "give each service another name of the trace"
                yield Fault(("services", name, "match"), f'"{match}" is already that of {matches[match]}', fix)
            matches.setdefault(match, name)
    if shares and matches:
        what = f"{', '.join(shares)} by `share` but {', '.join(matches.values())} by `match`"
        yield Fault(("services",), f"take requests in two ways: {what}", "use one of the two for all services")
    total = sum(shares.values())
    if total > 1 + _SLACK:
        parts = " + ".join(f"{share:g}" for share in shares.values())
        yield Fault(("services",), f"have shares of {total:g} together ({parts})", "let them sum to 1 at most")
    if shares and total == 0:
        yield Fault(("services",), "have shares of 0 together", "give at least one of them requests")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _entries(data: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The entries under `key` that are mappings."""
    under = data.get(key)
    return {name: entry for name, entry in under.items() if isinstance(entry, dict)} if isinstance(under, dict) else {}


def _names(data: dict[str, Any], key: str) -> Collection[str]:
    under = data.get(key)
    return under.keys() if isinstance(under, dict) else ()
