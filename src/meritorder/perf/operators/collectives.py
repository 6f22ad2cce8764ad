"""Collectives: a floor a + b (n - 1), and the bytes that each chip sends over its link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.operators import Operator
from meritorder.perf.operators.efficiency import factor

Floats: TypeAlias = npt.NDArray[np.float64]

# How often each byte of the whole message crosses a chip's link.
_TRIPS = {"all_reduce": 2.0, "all_gather": 1.0, "reduce_scatter": 1.0, "alltoall": 1.0}


def collective_seconds(chip: Accelerator, fit: Operator, kind: str, message: Floats, chips: Floats) -> Floats:
    """Seconds of a collective of `message` bytes (the whole of it, as the widest side holds it) over `chips`."""
    equation = collective_equation(chip, fit.coefficients, kind, message, chips) * factor(fit, message, chips)
    return np.asarray(np.maximum(equation, 1e-7))


def collective_equation(chip: Accelerator, c: Mapping[str, float], kind: str, message: Floats, chips: Floats) -> Floats:
    """The equation without its map: a + b (n - 1) + bytes sent over the link."""
    sent = _TRIPS[kind] * message * (chips - 1.0) / chips
    return np.asarray(c["fixed"] + c["per_chip"] * (chips - 1.0) + sent / (chip.link * c["bandwidth"]))
