"""What `faults` names must be there: pools, sites, links, and halls of buildings that are described."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from meritorder.fleet.document import KeyPath
from meritorder.fleet.fault import Fault
from meritorder.problems import did_you_mean

_BUILDING = ("cdu", "pump", "chiller", "tower", "feed", "grid")  # parts of buildings: only described ones have them


def fault_names(data: Mapping[str, Any], pools: Collection[str], sites: Collection[str]) -> Iterator[Fault]:
    """Names under `faults` that nothing in the file has. Racks, rows and suppliers are checked where they are known."""
    faults = data.get("faults")
    if not isinstance(faults, Mapping):
        return
    rates = faults.get("rates")
    for index, rate in enumerate(rates if isinstance(rates, list) else ()):
        named = rate.get("pools") if isinstance(rate, Mapping) else None
        for number, pool in enumerate(named if isinstance(named, list) else ()):
            yield from _known(("faults", "rates", index, "pools", number), pool, "pool", pools)
    spares = faults.get("spares")
    for pool in spares if isinstance(spares, Mapping) else ():
        yield from _known(("faults", "spares", pool), pool, "pool", pools)
    links = data.get("links")
    known = {
        **dict.fromkeys(("engine", "machine", "pipeline", "slow"), ("pool", pools)),
        **dict.fromkeys(("pump", "chiller", "tower", "feed", "grid", "site"), ("site", sites)),
        "link": ("link", links if isinstance(links, Mapping) else {}),
    }
    at = faults.get("at")
    for index, fault in enumerate(at if isinstance(at, list) else ()):
        if not isinstance(fault, Mapping):
            continue
        what, name = fault.get("what"), fault.get("name")
        if what in known and name is not None:
            kind, there = known[what]
            yield from _known(("faults", "at", index, "name"), name, kind, there)
        if what in _BUILDING and not _buildings(data, name):
            where = f'"{name}" has no `facility`' if name in sites else "no site has a `facility`"
            fix = "describe the building under `sites.NAME.facility`"
            yield Fault(("faults", "at", index, "what"), f"is {what}, but {where}", fix)


def _known(path: KeyPath, name: object, kind: str, there: Collection[str]) -> Iterator[Fault]:
    if isinstance(name, str) and name not in there:
        yield Fault(path, f'there is no {kind} "{name}"', did_you_mean(name, there))


def _buildings(data: Mapping[str, Any], name: object) -> bool:
    """Whether the site of this name is described, or any one where it is no site's."""
    sites = data.get("sites")
    entries = sites if isinstance(sites, Mapping) else {}
    asked = [entries[name]] if isinstance(name, str) and name in entries else entries.values()
    return any(isinstance(site, Mapping) and site.get("facility") is not None for site in asked)
