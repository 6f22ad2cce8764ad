"""`Result`: what one simulated run produced, per request, per pool over time, and in total."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from meritorder.control.state import ControlState
    from meritorder.facility.halls.seats import Placement
    from meritorder.facility.state import FacilityState
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.simulate.faults.outage import Outages
    from meritorder.workload.trace import Trace

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


class Status(IntEnum):
    """How a request ended. Every request of a finished run has exactly one of these."""

    COMPLETED = 1
    TOO_LONG = 2  # rejected: prompt + output exceed the context of every pool that serves its model
    SHED = 3  # refused by the dispatch policy because no replica could serve it acceptably
    CANCELLED = 4  # the client gave up first
    UNREACHED = 5  # closed loop: a request before it in the session never completed
    LOST = 6  # its machine failed, and it was not to be tried again or nobody took it


# Quantities of `Result.series`, each [pools, bins]; divide integrals by `bin_s` for the mean over a bin.
SERIES = (
    "energy_j",  # joules above idle drawn in the bin
    "busy_s",  # replica-seconds with an iteration running
    "running_s",  # integral of running sequences
    "kv_token_s",  # integral of tokens of KV blocks in use; a shared prefix counts once, an unused cached one not
    "prompt_tokens",  # prompt tokens computed (cached ones not counted)
    "output_tokens",  # tokens produced
    "iterations",  # engine iterations
)


@dataclass(frozen=True)
class Result:
    """Outcome of one run. Per-request columns are in the order of the trace (n); times in seconds.

    Times are what the client sees: network and front-end delays are in them; NaN where it never happened.
    """

    fleet: Fleet
    trace: Trace
    replicas: tuple[Replica, ...]  # one per pool, in the order of fleet.pools
    policy: str
    seed: int
    service: Ints  # index into list(fleet.services)
    status: npt.NDArray[np.uint8]  # a Status
    pool: Ints  # index into list(fleet.pools), -1 where never dispatched
    replica: Ints  # replica over all pools (pools' replicas follow one another), -1 where never dispatched
    arrival_s: Floats  # when the client sent it (closed loop: known only after the run)
    start_s: Floats  # when an engine first scheduled it
    first_s: Floats  # first token
    finish_s: Floats  # last token, or when it was cancelled
    preemptions: Ints
    attempts: npt.NDArray[np.uint8]  # times that it was sent anew because its machine had failed
    cause: npt.NDArray[np.uint8]  # why it was lost or refused: index into simulate.faults.causes.CAUSES
    parked_s: Floats  # kept waiting in the gateway
    hit_tokens: Ints  # prompt tokens found in the prefix cache, the slow tier included, when first scheduled
    returned_tokens: Ints  # prompt tokens that came back from the slow tier, those after a preemption included
    return_s: Floats  # from asking for them to having them; NaN where none came
    decode_pool: Ints  # where it was decoded, if elsewhere than its prompt was computed (`pool`, `replica`), else -1
    decode_replica: Ints
    transfer_s: Floats  # from prompt computed to KV cache there: waiting for room, for the link, and the wire
    reason: npt.NDArray[np.uint8]  # why the policy chose this replica: index into dispatch.reasons.REASONS
    bin_s: float  # width of a bin of `series`, seconds; bin 0 starts at time 0 of the trace
    series: dict[str, npt.NDArray[np.float64]]  # SERIES -> [pools, bins]
    span_s: float  # from time 0 to the last event
    wall_s: float  # wall time of the kernel alone
    events: int  # events the kernel handled
    iterations: int  # engine iterations those stand for
    facility: FacilityState | None = None  # the sites' buildings after the run; None: nothing is known of them
    control: ControlState | None = None  # what the controller did; None: there was nothing to control
    placing: Placement | None = None  # where the machines stand; None: it did not matter
    outages: Outages | None = None  # what broke; None: nothing was to
    weights: Floats | None = None  # replicas that a simulated one of each pool stands for; None: 1, nothing was sampled
    down_s: Floats | None = None  # seconds that each replica was down, up to `span_s`; None likewise
