"""Mean, percentiles and maximum of a measured quantity, as a whole and by group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Spread = dict[str, float | None]

PERCENTILES = (50, 90, 95, 99)
_KEYS = ("mean", *(f"p{p}" for p in PERCENTILES), "max")


def spread(values: Floats) -> Spread:
    """`mean, p50, p90, p95, p99, max` of the values that are not NaN; all None where there are none.

    Percentiles interpolate linearly between order statistics (numpy's default, type 7 of Hyndman and Fan).
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return dict.fromkeys(_KEYS)
    mean = known.mean()
    quantiles = np.percentile(known, (*PERCENTILES, 100), overwrite_input=True)
    return dict(zip(_KEYS, (float(mean), *map(float, quantiles)), strict=True))


class Groups:
    """Requests by a small index (service or pool), sorted once and then used for several quantities."""

    def __init__(self, index: npt.NDArray[np.int32], groups: int) -> None:
        """`index` in [-1, groups), one entry a request; -1 belongs to no group."""
        # 16-bit keys sort by radix, in linear time; there are never so many pools.
        keys = index.astype(np.int16) if groups < 2**15 else index
        self._order = np.argsort(keys, kind="stable").astype(np.uint32)
        self._edges = np.searchsorted(index[self._order], np.arange(groups + 1))

    def spreads(self, values: Floats) -> list[Spread]:
        """`spread` of the values of each group."""
        ordered = values[self._order]
        edges = self._edges
        return [spread(ordered[edges[i] : edges[i + 1]]) for i in range(len(edges) - 1)]
