"""Joules above idle of a kernel: a busy chip, its memory traffic and its arithmetic, capped by its maximum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator

Floats = npt.NDArray[np.float64]


def joules(chip: Accelerator, seconds: Floats, moved: Floats, peak_seconds: Floats) -> Floats:
    """Joules above idle of one GPU that is busy for `seconds`, moves `moved` bytes and computes `peak_seconds`.

    `peak_seconds`: FLOPs over the peak FLOP/s. Power is affine in the use of memory and arithmetic, between
    idle and max, so a compute-bound prefill draws more than a memory-bound decode.
    """
    fit = chip.gpu
    busy = fit.active_power * seconds
    used = busy + fit.bandwidth_power * moved / chip.bandwidth + fit.flops_power * peak_seconds
    return (chip.max - chip.idle) * np.minimum(used, seconds)
