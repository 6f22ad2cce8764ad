"""CUDA graphs: an iteration is computed for the next size that its engine captured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.perf.placement import Placement

Floats = npt.NDArray[np.float64]

_FEW = np.array([0.0, 1.0, 2.0, 4.0, 8.0])  # then every 8, above 256 every 16 tokens, as vLLM captures them


def padded(place: Placement, tokens: Floats) -> Floats:
    """Tokens that are computed for so many; each copy of attention and each micro-batch has its own graph."""
    if not place.engine.captured:
        return tokens
    parts = place.pipeline * place.data
    sizes = graph_size(tokens / parts, place.engine.captured) * parts
    return np.maximum(tokens, np.minimum(sizes, place.token_budget))


def graph_size(tokens: Floats, captured: int) -> Floats:
    """The next captured size; more than `captured` tokens are computed as they are."""
    few = _FEW[np.minimum(np.searchsorted(_FEW, tokens), len(_FEW) - 1)]
    many = np.where(tokens <= 256, np.ceil(tokens / 8) * 8, np.ceil(tokens / 16) * 16)
    return np.where(tokens > captured, tokens, np.where(tokens <= _FEW[-1], few, many))
