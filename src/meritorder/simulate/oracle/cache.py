"""Prefix blocks of one replica: those in KV memory, and those in the slow tier behind it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from meritorder.perf.replica import Tier


@dataclass
class PrefixCache:
    """Prefix blocks in KV memory: how many requests use each, and the unused ones, least recently used first."""

    users: dict[int, int] = field(default_factory=dict)
    unused: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def use(self, unit: int) -> None:
        """One more user."""
        self.users[unit] = self.users.get(unit, 0) + 1
        self.unused.pop(unit, None)

    def leave(self, unit: int) -> None:
        """One user fewer."""
        self.users[unit] -= 1
        if self.users[unit] == 0:
            self.unused[unit] = None

    def evict(self) -> int:
        """Forget the least recently used block; returns which."""
        unit, _ = self.unused.popitem(last=False)
        del self.users[unit]
        return unit


class SlowTier:
    """Prefix blocks that have left KV memory, least recently used first, and the wire that brings them back."""

    def __init__(self, tier: Tier | None, unit_tokens: int) -> None:
        self.tier, self.unit_tokens = tier, unit_tokens
        self.room = tier.units(unit_tokens) if tier else 0
        self.units: OrderedDict[int, None] = OrderedDict()
        self.port = 0.0

    def put(self, unit: int) -> None:
        """A block has been evicted, or is wanted."""
        if self.room:
            self.units.pop(unit, None)
            self.units[unit] = None
            if len(self.units) > self.room:
                self.units.popitem(last=False)

    def send(self, units: list[int], now: float) -> float:
        """Bring these blocks back, after those asked for before; returns when they are there."""
        assert self.tier is not None
        for unit in reversed(units):
            self.put(unit)
        amount = self.tier.bytes_per_prompt + self.tier.bytes_per_token * self.unit_tokens * len(units)
        self.port = max(now, self.port) + amount / self.tier.bandwidth
        return self.port + self.tier.latency
