"""Joules above idle of a kernel: a busy chip, its memory traffic and its arithmetic; and the limit of the chip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.power import Kind

Floats = npt.NDArray[np.float64]


def joules(chip: Accelerator, seconds: Floats, moved: Floats, peak_seconds: Floats, kind: Kind = "other") -> Floats:
    """Joules above idle of one GPU that is busy for `seconds`, moves `moved` bytes and computes `peak_seconds`.

    `peak_seconds`: FLOPs over the peak FLOP/s. Compute-bound prefill draws more than memory-bound decode, and would
    exceed the limit of the chip well before its peak: `limited` acts on whole iterations, whose gaps even it out.
    """
    fit = chip.gpu.power
    used = fit.busy(kind) * seconds + fit.bandwidth * moved / chip.bandwidth + fit.flops * peak_seconds
    return np.asarray((chip.max - chip.idle) * used)


def limited(chip: Accelerator, seconds: Floats, joules: Floats) -> Floats:
    """Joules above idle of a part of an iteration, within what the chip's maximum allows."""
    return np.clip(joules, 0.0, (chip.max - chip.idle) * seconds)


def board_watts(chip: Accelerator, above_idle: float) -> float:
    """Watts of a chip's board alone when the chip with its host draws `above_idle` watts more than at idle."""
    idle, limit = chip.board
    return idle + (limit - idle) * above_idle / (chip.max - chip.idle)
