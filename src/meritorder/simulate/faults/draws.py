"""Random numbers for faults: a stream of its own for every thing that can break, whatever else there is.

They are hashes of (seed, kind of fault, whose, number, draw), so a pool more or a rate more changes none of the others.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15  # of splitmix64, whose finaliser `_mixed` is
_GRID = 4096  # points of the tabulated ages of Weibull things


def keys(seed: int, what: str, numbers: npt.NDArray[np.int64]) -> Keys:
    """The key of a stream for each of the things `what` with these numbers."""
    root = int.from_bytes(hashlib.blake2b(f"{seed}/{what}".encode(), digest_size=8).digest(), "little")
    return _mixed(_mixed(numbers.astype(np.uint64) + np.uint64(root)) ^ np.uint64(root))


def uniforms(of: Keys, draw: int | npt.NDArray[np.int64]) -> Floats:
    """Draw number `draw` of each stream (n), or of one stream (1) several, above 0 and below 1."""
    steps = np.atleast_1d(np.asarray(draw, np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
    bits = _mixed(of + steps) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def between(u: Floats, mean_s: float, shape: float) -> Floats:
    """Seconds from a repair to the next failure: Weibull of this mean; shape 1 is the exponential."""
    scale = mean_s / math.gamma(1.0 + 1.0 / shape)
    return np.asarray(scale * (-np.log(u)) ** (1.0 / shape))


def residual(u: Floats, mean_s: float, shape: float) -> Floats:
    """Seconds from time 0, when each thing has a random age, to its first failure."""
    if shape == 1.0:
        return between(u, mean_s, shape)
    times, below = _ages(shape)
    return np.asarray(mean_s * np.interp(u, below, times))


def repairs(first: Floats, second: Floats, mean_s: float, sigma: float) -> Floats:
    """Seconds to repair: log-normal of this mean, `sigma` of its logarithm (Box and Muller of two uniforms)."""
    normal = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
    return np.asarray(mean_s * np.exp(sigma * normal - 0.5 * sigma * sigma))


@cache
def _ages(shape: float) -> tuple[Floats, Floats]:
    """Times in means, and the share of things of random age that fail before: the integral of the survival."""
    survival = np.concatenate([np.linspace(1.0, 0.01, _GRID), np.geomspace(0.01, 1e-14, _GRID)[1:]])
    times = (-np.log(survival)) ** (1.0 / shape) / math.gamma(1.0 + 1.0 / shape)
    steps = np.diff(times) * 0.5 * (survival[1:] + survival[:-1])
    below = np.concatenate([[0.0], np.cumsum(steps)])
    return times, below / below[-1]


def _mixed(x: Keys) -> Keys:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
