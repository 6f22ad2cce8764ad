"""The network to clients: prompts on their way in, answers on their way out of a site."""

from __future__ import annotations

from collections.abc import Sequence

from meritorder.fleet.network import EVENT_BYTES, TOKEN_BYTES
from meritorder.fleet.schema import Fleet


def upload_s(fleet: Fleet, regions: Sequence[str]) -> list[float]:
    """Seconds that a prompt token takes from a client of each region."""
    known = [fleet.regions.get(name, fleet.regions.get("default")) for name in regions]
    return [TOKEN_BYTES / region.bandwidth if region and region.bandwidth else 0.0 for region in known]


class Egress:
    """The pipes of all sites towards their clients, which answers share first come first served."""

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
