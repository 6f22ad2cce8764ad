"""How much of a replica's rate large pools get more: a law fitted to a few simulated sizes, and rates in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Exponents that are tried: 1/2 is square-root staffing, 1 a pool whose waste is a fixed part of one replica.
EXPONENTS = (0.5, 0.75, 1.0)
# A law that misses a simulated pool by more than this says nothing of larger ones.
TRUSTED = 0.05


@dataclass(frozen=True)
class Pooling:
    """rate(N) = most x (1 - waste x N^-exponent), requests/s of one replica in a pool of N."""

    most: float
    waste: float  # in [0, 1)
    exponent: float
    error: float  # largest relative distance of a simulated size from the law

    def rate(self, replicas: float) -> float:
        """Of one replica."""
        return float(self.most * (1.0 - self.waste * max(replicas, 1.0) ** -self.exponent))


def fit(sizes: Floats, rates: Floats) -> Pooling:
    """The law nearest to `rates` (n) at pools of `sizes` (n), by relative least squares; n = 1: no pooling known."""
    if len(sizes) == 1 or not rates.any():
        return Pooling(float(rates[-1]), 0.0, EXPONENTS[0], 0.0)
    laws = [_law(sizes, rates, exponent) for exponent in EXPONENTS]
    return min(laws, key=lambda law: law.error)


def _law(sizes: Floats, rates: Floats, exponent: float) -> Pooling:
    weight = 1.0 / np.maximum(rates, 1e-3 * rates.max())
    columns = np.stack([np.ones(len(sizes)), -(sizes**-exponent)], axis=1)
    (most, lost), *_ = np.linalg.lstsq(columns * weight[:, None], rates * weight, rcond=None)
    if lost < 0 or most <= 0:  # larger pools don't get less: what looks like it is error
        most, lost = float(np.average(rates, weights=weight)), 0.0
    waste = min(lost / most, 1.0 - 1e-6)
    found = most * (1.0 - waste * sizes**-exponent)
    error = np.abs(found - rates) * weight
    return Pooling(float(most), float(waste), exponent, float(error.max()))


def rising(values: Floats) -> Floats:
    """The nearest series (least squares) that never falls: neighbours that do share their mean (PAV)."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.repeat([value for value, _ in blocks], [count for _, count in blocks])


def between(replicas: float, sizes: Floats, rates: Floats, law: Pooling) -> float:
    """Rate of a replica in a pool of `replicas`: straight in 1/sqrt(N) between the simulated sizes.

    Beyond the largest it follows the law on from there, where that is met within `TRUSTED`, else nothing is gained
    beyond; a pool below the smallest has the rate of the smallest.
    """
    largest = float(sizes[-1])
    if replicas > largest:
        reached = law.rate(largest)
        return float(rates[-1] * (law.rate(replicas) / reached if reached > 0 and law.error <= TRUSTED else 1.0))
    place = max(replicas, float(sizes[0])) ** -0.5
    return float(np.interp(-place, -(sizes**-0.5), rates))
