"""The per-request columns of a run by name, and the latencies made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[Any]]

# Columns that hold numbers, as in `Result` and its trace.
NUMBERS = (
    "arrival_s",
    "prompt_tokens",
    "output_tokens",
    "replica",
    "decode_replica",
    "start_s",
    "first_s",
    "finish_s",
    "transfer_s",
    "preemptions",
    "attempts",
    "parked_s",
    "hit_tokens",
    "returned_tokens",
    "return_s",
    "session",
    "turn",
)
# Columns that hold indices: into services, pools (-1: never dispatched; decode_pool -1: the same), `Status`, `REASONS`,
# `CAUSES`.
INDICES = ("service", "pool", "decode_pool", "status", "reason", "cause")
LATENCIES = ("ttft_s", "tpot_s", "e2e_s", "queue_s")


def columns(result: Result) -> Columns:
    """`NUMBERS` and `INDICES` of a result (n each), not copied."""
    of_trace = ("prompt_tokens", "output_tokens", "session", "turn")
    return {key: getattr(result.trace if key in of_trace else result, key) for key in (*NUMBERS, *INDICES)}


def latency(requests: Columns, name: str) -> Floats:
    """A latency of each request (n) in seconds; NaN where it has none or did not complete.

    ttft_s: arrival to first token; tpot_s: (finish - first)/(output - 1), for 2 output tokens and more;
    e2e_s: arrival to last token; queue_s: arrival to the engine's first step for it (network and front end too).
    """
    if name == "tpot_s":
        values: Floats = requests["finish_s"] - requests["first_s"]
        steps = requests["output_tokens"] - 1
        np.divide(values, steps, out=values, where=steps > 0)
        values[steps <= 0] = np.nan
    else:
        end = {"ttft_s": "first_s", "e2e_s": "finish_s", "queue_s": "start_s"}[name]
        values = requests[end] - requests["arrival_s"]
    values[requests["status"] != Status.COMPLETED] = np.nan
    return values
