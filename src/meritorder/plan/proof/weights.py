"""What one replica of a pool carries by the plan's rates: its weight among others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meritorder.plan.instance import Instance
from meritorder.plan.proof.roles import Member, ways_of


def replica_rates(instance: Instance, members: Mapping[str, Member]) -> dict[str, float]:
    """Requests/s by pool, mean over the classes that it may serve; of APIs and halves of pairs likewise."""
    ways = instance.ways
    found = {}
    for name, member in members.items():
        if member.site < 0:
            found[name] = 0.0
            continue
        rate = ways.decoder_rate if member.role == "decode" else ways.rate
        mine = ways_of(instance, member)
        size = float(instance.stock.replica[member.system, member.model])
        found[name] = size * float(np.mean(rate[mine])) if mine.any() else 0.0
    return found
