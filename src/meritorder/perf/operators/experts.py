"""A fused layer of experts: who is touched, how full their tiles are, and how uneven the groups of experts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.operators import Operator
from meritorder.perf.operators.efficiency import factor

Floats: TypeAlias = npt.NDArray[np.float64]

_TILES = np.array([16.0, 32.0, 64.0, 128.0])[:, None, None]
_QUANTILES = ((np.arange(16) + 0.5) / 16)[:, None]
# Expected largest of n standard normal numbers, n = 1, 2, 4, ... 64.
_GROUPS = np.array([1, 2, 4, 8, 16, 32, 64], float)
_LARGEST = np.array([0.0, 0.56, 1.03, 1.42, 1.77, 2.07, 2.34])


@dataclass(frozen=True)
class ExpertLayer:
    """Routed experts of a layer: `hidden` and `inner` width of each, `top` of `count` per token.

    `tensor` chips split the matrices of one expert, `spread` groups hold different experts. `matrices`: three of a
    gated feed-forward, two of a classic one. `skewed`: tokens choose experts by a power law (exponent 1), else evenly.
    """

    hidden: float
    inner: float
    top: float
    count: float
    tensor: float = 1
    spread: float = 1
    matrices: float = 3
    skewed: bool = True

    @property
    def params(self) -> float:
        """Parameters of one expert on one chip."""
        return self.matrices * self.hidden * self.inner / self.tensor


def expert_seconds(
    chip: Accelerator, fit: Operator, tokens: Floats, layer: ExpertLayer, size: float, bits: int
) -> Floats:
    """Seconds on the chip with most work; `tokens` enter the layer on all its groups together."""
    equation = expert_equation(chip, fit.coefficients, tokens, layer, size, bits)
    took = equation * factor(fit, *shape(tokens, layer))
    least = 2.0 * tokens * layer.top / layer.spread * layer.params
    return np.asarray(np.maximum(took, least / chip.flops(bits)))


def shape(tokens: Floats, layer: ExpertLayer) -> tuple[Floats, Floats | float, Floats | float]:
    """Where the layer lies on the map: tokens, experts of a group, inner width on one chip."""
    return tokens, layer.count / layer.spread, layer.inner / layer.tensor


def loads(tokens: Floats, layer: ExpertLayer) -> tuple[Floats, Floats]:
    """Rows of an expert in the fullest group by quantile `[quantile, tokens]`, and the share touched of each."""
    mean = tokens * layer.top / layer.count
    if not layer.skewed:
        even = np.maximum(mean, 1.0) + 0.0 * _QUANTILES
        return even, np.minimum(1.0, mean) + 0.0 * _QUANTILES
    # A power law of exponent 1 between 1 and 0.8 tokens, below one token an expert between 0.01 and 2.
    span = np.where(mean > 1, np.maximum(0.8 * tokens, 2.0), 200.0)
    law = span**_QUANTILES
    law = law / law.mean(axis=0)
    # The fullest group: loads of its experts vary, and so does where single rows go.
    varied = (law**2).mean(axis=0) - 1.0
    fullest = np.interp(np.log2(layer.spread), np.log2(_GROUPS), _LARGEST)
    each, experts = mean * layer.count / layer.spread, layer.count / layer.spread
    uneven = 1.0 + fullest * np.sqrt((1 - 1 / layer.spread) * (varied / experts + 1.0 / np.maximum(each, 1e-9)))
    rows = np.minimum(law * mean * np.minimum(uneven, layer.spread), tokens)
    touched = np.minimum(1.0, rows)
    return rows / np.maximum(touched, 1e-9), touched


def expert_equation(
    chip: Accelerator, c: Mapping[str, float], tokens: Floats, layer: ExpertLayer, size: float, bits: int
) -> Floats:
    """The equation without its map: weights of touched experts, rows padded to tiles, rows moved and summed."""
    tokens = np.atleast_1d(tokens)
    rows, touched = loads(tokens, layer)
    local = layer.count / layer.spread
    experts = touched.mean(axis=0) * local
    padded = (np.ceil(rows / _TILES) * _TILES * touched).mean(axis=1) * local
    share = c["flops"] * _TILES[:, 0] / (_TILES[:, 0] + c["tile"])
    compute = (2.0 * padded * layer.params / (chip.flops(bits) * share)).min(axis=0)
    width = np.minimum(1.0, c["saturation"] * experts * layer.inner / layer.tensor / (64.0 * c["cores"]))
    read = experts * layer.params * size
    cached = 1.0 / (1.0 + (read / (c["cache_share"] * c["cache"])) ** 4)
    rate = chip.bandwidth * c["bandwidth"] / (1.0 - cached + cached / c["cache_speed"])
    memory = read / (rate * np.maximum(width, 1e-6))
    # All rows are sorted, quantised and summed, also those of other groups' experts.
    rows_moved = 2.0 * tokens * layer.top / chip.bandwidth
    moved = rows_moved * (c["traffic"] * layer.hidden + c["inner_traffic"] * layer.inner / layer.tensor)
    blended = (compute ** c["blend"] + memory ** c["blend"]) ** (1 / c["blend"])
    return np.asarray(c["fixed"] + blended + moved)
