"""Checks of pools with a role: prompts that are computed must get to where they are decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from meritorder.fleet.fault import Fault
from meritorder.fleet.links import links_between
from meritorder.problems import did_you_mean

Entries = Mapping[str, Mapping[str, Any]]


def role_faults(data: Mapping[str, Any], pools: Entries, services: Entries, sites: Collection[str]) -> Iterator[Fault]:
    """Faults of roles and links."""
    wrong = list(_ends(data, pools, sites))
    yield from wrong
    prefill = [name for name, pool in pools.items() if pool.get("role") == "prefill"]
    decode = [name for name, pool in pools.items() if pool.get("role") == "decode"]
    reached = {name: [other for other in decode if _reaches(data, pools, name, other)] for name in prefill}
    for name, others in reached.items():
        for other in others:
            if len(links := links_between(data, name, other)) > 1:
                what = f"is one of several links from {name} to {other}: {', '.join(links)}"
                yield Fault(("links", links[1]), what, "keep one, or name the pools")
    if wrong or _half_written(data):
        return  # pools that lack a link may have that one: its fault is told, theirs may be none
    for name, others in reached.items():
        if not others:
            what = "computes prompts that no pool can decode"
            yield Fault(("pools", name, "role"), what, _wanted(pools, name, "decode", decode))
    for name in decode:
        if not any(name in others for others in reached.values()):
            what = "decodes, but no pool computes prompts for it"
            yield Fault(("pools", name, "role"), what, _wanted(pools, name, "prefill", prefill))
    for name, service in services.items():
        yield from _served(name, service, pools, reached)


def _reaches(data: Mapping[str, Any], pools: Entries, prefill: str, decode: str) -> bool:
    """Whether a KV cache of one pool can be used in the other: the same model, and a link or one site."""
    first, second = pools[prefill], pools[decode]
    if first.get("model") != second.get("model"):
        return False
    return first.get("site") == second.get("site") or bool(links_between(data, prefill, decode))


def _wanted(pools: Entries, name: str, role: str, there: Collection[str]) -> str:
    model = pools[name].get("model")
    same = [other for other in there if pools[other].get("model") == model]
    if same:
        return f"{', '.join(same)} with `role: {role}` is at another site: give a link under `links`"
    return f"add a pool with `role: {role}` and `model: {model}`, or leave `role` out"


def _half_written(data: Mapping[str, Any]) -> bool:
    """Whether a link lacks an end, which is told elsewhere."""
    links = data.get("links")
    entries = links.values() if isinstance(links, Mapping) else ()
    return any(not (isinstance(link, Mapping) and {"prefill", "decode"} <= link.keys()) for link in entries)


def _ends(data: Mapping[str, Any], pools: Entries, sites: Collection[str]) -> Iterator[Fault]:
    """Both ends of a link must exist and have the role that it is named for."""
    links = data.get("links")
    for name, link in links.items() if isinstance(links, Mapping) else ():
        for role in ("prefill", "decode"):
            end = link.get(role) if isinstance(link, Mapping) else None
            if not isinstance(end, str):
                continue
            path = ("links", name, role)
            if end in pools:
                if pools[end].get("role") != role:
                    yield Fault(path, f'pool "{end}" does not have `role: {role}`', "name one that has, or a site")
            elif end not in sites:
                yield Fault(path, f'there is no pool or site "{end}"', did_you_mean(end, [*pools, *sites]))


def _served(name: str, service: Mapping[str, Any], pools: Entries, reached: Mapping[str, list[str]]) -> Iterator[Fault]:
    """A service that is bound to pools needs both halves of each pair among them."""
    bound = service.get("pools")
    if not isinstance(bound, list):
        return
    pair_of = {name: others for name, others in reached.items() if name in bound}
    for index, pool in enumerate(bound):
        path = ("services", name, "pools", index)
        if pool in pair_of and pair_of[pool] and not set(pair_of[pool]) & set(map(str, bound)):
            fix = f"add {' or '.join(pair_of[pool])}"
            yield Fault(path, f'pool "{pool}" computes prompts that none of the others can decode', fix)
        role = pools[pool].get("role") if isinstance(pool, str) and pool in pools else None
        if role == "decode" and not any(pool in others for others in pair_of.values()):
            starts = [start for start, others in reached.items() if pool in others] or ["one with `role: prefill`"]
            fix = f"add {' or '.join(starts)}"
            yield Fault(path, f'pool "{pool}" decodes, but none of the others computes prompts for it', fix)
