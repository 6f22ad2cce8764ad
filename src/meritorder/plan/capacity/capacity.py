"""`Capacity`: what one replica carries of a service within its service level, in pools of any size, and its joules."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from meritorder.plan.capacity.case import Key
from meritorder.plan.capacity.pooling import Floats, Pooling, between, fit, rising


@dataclass(frozen=True)
class Capacity:
    """Simulated capacity of a case. Rates are requests/s of one replica; of a pair those of one prefill replica.

    `simulated[i][k]`: largest rate in a pool of `sizes[i]` replicas that are `rtts[k]` seconds of round trip away from
    their clients, as found; what `rate` takes is smoothed so that it never falls with N nor rises with the round trip.
    """

    key: Key
    model: str
    sizes: tuple[int, ...] = ()  # N, rising; empty: nothing to simulate, see `reason`
    rtts: tuple[float, ...] = ()  # s, rising; below 0: a TTFT target so much looser
    simulated: tuple[tuple[float, ...], ...] = ()  # [N][RTT] requests/s of one replica
    errors: tuple[float, ...] = ()  # [N] relative half width of the rates' 95 % interval: runs are not endless
    ttft_s: float | None = None  # the service's targets
    token_rate: float | None = None
    percentile: float = 0.95
    alone: float = 0.0  # share of the requests that keep the targets when each is alone, round trip 0
    replica_systems: float = 1.0  # systems of the offer that a replica takes; may be a fraction
    idle_w: float = 0.0  # IT watts of an idle replica
    max_w: float = 0.0  # of a busy one
    joules: float = 0.0  # of a request above idle, at the full rate
    joules_half: float = 0.0  # the same at half of it
    prompt_tokens: float = 0.0  # means of the traffic that it was found with
    output_tokens: float = 0.0
    ends: tuple[float, float] = (1.0, 1.0)  # factors on the rates with the machine at either end of its ranges
    reason: str = ""  # why the rate is 0, in words
    notes: tuple[str, ...] = ()  # what its numbers lean on
    decode: Capacity | None = field(default=None)  # of a pair: the other side

    def rate(self, pool_replicas: float, rtt_s: float = 0.0) -> float:
        """Requests/s of one replica in a pool of so many; 0: it can't keep the service level from there."""
        if not self.sizes or (self.ttft_s is not None and rtt_s >= self.ttft_s):
            return 0.0
        sizes, rtts = np.array(self.sizes, float), np.array(self.rtts)
        column = [
            between(pool_replicas, sizes, self._smooth[:, k], law) if self._smooth[:, k].any() else 0.0
            for k, law in enumerate(self._laws)
        ]
        if self.ttft_s is None:
            return column[-1]  # nobody waits for a first token
        if rtt_s > rtts[-1]:
            raise ValueError(f"a round trip of {rtt_s:g} s is beyond the {rtts[-1]:g} s that were simulated")
        return float(np.interp(rtt_s, rtts, column))

    def rate_per_ttft(self, pool_replicas: float, rtt_s: float = 0.0) -> float:
        """d rate / d TTFT target, requests/s per s: how much a looser target is worth (10 % around it)."""
        if self.ttft_s is None or not self.sizes:
            return 0.0
        step = 0.1 * self.ttft_s
        high, low = max(rtt_s - step, self.rtts[0]), min(rtt_s + step, self.rtts[-1])
        return (self.rate(pool_replicas, high) - self.rate(pool_replicas, low)) / (low - high) if low > high else 0.0

    @property
    def error(self) -> float:
        """Of the rate in the largest pool that was simulated; small pools are less certain (`errors`)."""
        return self.errors[-1] if self.errors else 0.0

    @property
    def curvature(self) -> float:
        """How much more energy a request takes at half load, relative: 0 where power is straight in the load."""
        return self.joules_half / self.joules - 1.0 if self.joules > 0 else 0.0

    @cached_property
    def pooling(self) -> Pooling:
        """The law of pool sizes, next to the clients."""
        return self._laws[int(np.argmin(np.abs(np.array(self.rtts))))]

    @cached_property
    def _smooth(self) -> Floats:
        """[N, RTT] rates that are monotone in both."""
        rates = np.array(self.simulated, float)
        risen = np.stack([rising(rates[:, k]) for k in range(rates.shape[1])], axis=1)
        return np.minimum.accumulate(risen, axis=1)

    @cached_property
    def _laws(self) -> list[Pooling]:
        """[RTT] pooling at each round trip."""
        sizes = np.array(self.sizes, float)
        return [fit(sizes, self._smooth[:, k]) for k in range(len(self.rtts))]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Capacity:
        """The same again. Raises KeyError, TypeError or ValueError where the data are something else."""
        other = data["decode"]
        return cls(
            **{
                **data,
                "key": Key(*data["key"]),
                "sizes": tuple(int(n) for n in data["sizes"]),
                "rtts": tuple(float(s) for s in data["rtts"]),
                "simulated": tuple(tuple(float(r) for r in row) for row in data["simulated"]),
                "errors": tuple(float(error) for error in data["errors"]),
                "ends": (float(data["ends"][0]), float(data["ends"][1])),
                "notes": tuple(str(note) for note in data["notes"]),
                "decode": None if other is None else cls.from_json(other),
            }
        )
