"""Answers on their way out of a site, which share its bandwidth first come first served."""

from __future__ import annotations

from meritorder.fleet.network import EVENT_BYTES
from meritorder.fleet.schema import Fleet


class Egress:
    """The pipes of all sites towards their clients."""

    def __init__(self, fleet: Fleet) -> None:
        self.bandwidth = [site.egress.bandwidth for site in fleet.sites.values()]
        self.free_at = [0.0] * len(self.bandwidth)

    def leave(self, site: int, tokens: int, now: float) -> float:
        """An answer of so many tokens is complete; returns the seconds that it waits for those before it."""
        bandwidth = self.bandwidth[site]
        if bandwidth is None:
            return 0.0
        wait = max(self.free_at[site] - now, 0.0)
        self.free_at[site] = max(self.free_at[site], now) + EVENT_BYTES * tokens / bandwidth
        return wait
