"""Which replicas serve requests whole, and which compute prompts or make tokens for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from meritorder.plan.instance import Bools, Instance, Ints
from meritorder.plan.proof.replicas import held
from meritorder.plan.proof.scale import largest

Role = Literal["both", "prefill", "decode"]


@dataclass(frozen=True)
class Member:
    """What of the plan a pool is: S, H and M; a site of -1: an API."""

    site: int
    system: int
    model: int
    replicas: int
    role: Role = "both"


def ways_of(instance: Instance, member: Member) -> Bools:
    """[F] which ways use a pool of machines."""
    ways = instance.ways
    machine = ways.decoder if member.role == "decode" else ways.system
    paired: Bools = (ways.decoder >= 0) == (member.role != "both")
    here: Bools = (ways.site == member.site) & (machine == member.system)
    mine: Bools = here & paired & (instance.demand.model[ways.cls] == member.model)
    return mine


def members_of(instance: Instance, replicas: Ints, t: int, j: int) -> tuple[list[Member], list[str]]:
    """The pools of `replicas` [S,H,M], and what was rounded.

    The plan doesn't say which of its machines work in pairs, since it may change by the hour; a fleet file must. They
    are shared out as the plan would in the period's design hour at the most that it carries.
    """
    places = [tuple(int(n) for n in place) for place in np.argwhere(replicas > 0)]
    if not (instance.ways.decoder >= 0).any():
        return [Member(s, h, m, int(replicas[s, h, m])) for s, h, m in places], []
    shares = _used(instance, replicas, t, j)
    members: list[Member] = []
    notes = []
    for s, h, m in places:
        count, wanted = int(replicas[s, h, m]), shares.get((s, h, m), {})
        total = sum(wanted.values())
        if total <= 0.0:
            members.append(Member(s, h, m, count))
            continue
        exact = {role: count * part / total for role, part in wanted.items()}
        whole = {role: int(number + 1e-6) for role, number in exact.items()}
        for role in sorted(exact, key=lambda role: whole[role] - exact[role])[: count - sum(whole.values())]:
            whole[role] += 1
        members += [Member(s, h, m, number, role) for role, number in whole.items() if number]
        if len(wanted) > 1 or "both" not in wanted:
            told = ", ".join(f"{number} {role}" for role, number in whole.items() if number)
            where = f"{instance.names.systems[h]} at {instance.names.sites[s]}"
            notes.append(f"roles of {where} are those of the design hour at full load: {told}")
    return _in_pairs(instance, members), notes


def _used(instance: Instance, replicas: Ints, t: int, j: int) -> dict[tuple[int, int, int], dict[Role, float]]:
    """Systems in use in the design hour by place and role."""
    demand = instance.demand.requests[t, :, -1, j]
    ways = instance.ways.at(t)
    served = largest(instance, held(instance, replicas), demand, t, j).served
    used: dict[tuple[int, int, int], dict[Role, float]] = {}
    for f in np.flatnonzero(served > 1e-9 * max(float(demand.max(initial=0.0)), 1e-9)):
        if ways.api[f] >= 0:
            continue
        s, m = int(ways.site[f]), int(instance.demand.model[ways.cls[f]])
        paired = ways.decoder[f] >= 0
        here = used.setdefault((s, int(ways.system[f]), m), {})
        role: Role = "prefill" if paired else "both"
        here[role] = here.get(role, 0.0) + float(served[f] / ways.rate[f])
        if paired:
            there = used.setdefault((s, int(ways.decoder[f]), m), {})
            there["decode"] = there.get("decode", 0.0) + float(served[f] / ways.decoder_rate[f])
    return used


def _in_pairs(instance: Instance, members: list[Member]) -> list[Member]:
    """Halves of pairs whose other half was rounded away serve requests whole."""
    ways = instance.ways
    kept = []
    for member in members:
        if member.role == "both":
            kept.append(member)
            continue
        mine, others = (ways.system, ways.decoder) if member.role == "prefill" else (ways.decoder, ways.system)
        wanted = "decode" if member.role == "prefill" else "prefill"
        pairs = (ways.decoder >= 0) & (ways.site == member.site) & (mine == member.system)
        there = any(
            other.role == wanted
            and other.site == member.site
            and other.model == member.model
            and other.system in others[pairs]
            for other in members
        )
        kept.append(member if there else Member(member.site, member.system, member.model, member.replicas))
    return _merged(kept)


def _merged(members: list[Member]) -> list[Member]:
    count: dict[tuple[int, int, int, Role], int] = {}
    for member in members:
        key = (member.site, member.system, member.model, member.role)
        count[key] = count.get(key, 0) + member.replicas
    return [Member(s, h, m, number, role) for (s, h, m, role), number in count.items()]
