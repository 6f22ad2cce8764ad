"""What ServeGen publishes of a client: its rate window by window, and its length distributions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from meritorder.workload.trace import Floats

RATE_WINDOW_S = 600.0
LENGTH_WINDOW_S = 21_600.0

Pmf = tuple[Floats, Floats]  # values, cumulated probabilities ending at 1


@dataclass
class Client:
    """One client's windows: arrays over its rate windows, and length distributions by window start and field."""

    start_s: Floats
    rate: Floats  # requests/s
    shape: Floats
    weibull: npt.NDArray[np.bool_]  # else Gamma
    pmfs: dict[float, dict[str, Pmf]] = field(default_factory=dict)
