"""Which requests kept the targets of their service, and what kept the others from it."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Verdicts = npt.NDArray[np.uint8]

# Requests judged at a time: the temporary arrays stay in the processor's cache.
_CHUNK = 1 << 16


class Verdict(IntEnum):
    """How one request fared against the targets of its service. Every request has exactly one."""

    MET = 0
    NOT_JUDGED = 1  # the client gave up while every target could still be kept
    WAITING = 2  # first token late; without the wait before the engine began it would have been in time
    PREFILL = 3  # first token late; from the engine's start alone it took longer than the target
    DECODE = 4  # first token in time, the others slower than the target rate
    PREEMPTED = 5  # likewise, and the request was preempted on the way
    TOO_LONG = 6  # rejected: no pool of its model holds so long a context
    SHED = 7  # refused by the dispatch policy
    GAVE_UP = 8  # the client gave up after a target had been broken
    UNREACHED = 9  # closed loop: an earlier request of the session never completed


# How each verdict but the first two reads in a sentence.
CAUSES = {
    Verdict.WAITING: "waiting",
    Verdict.PREFILL: "prefill",
    Verdict.DECODE: "decode speed",
    Verdict.PREEMPTED: "preemption",
    Verdict.TOO_LONG: "too long",
    Verdict.SHED: "shed",
    Verdict.GAVE_UP: "client gave up",
    Verdict.UNREACHED: "never reached",
}


def judge(result: Result) -> Verdicts:
    """A `Verdict` per request (n).

    A completed request meets its targets when first - arrival <= slo.ttft and (output - 1)/(finish - first) >=
    slo.token_rate (requests of one token have no rate and keep it); a target that a service does not have is kept.
    A cancelled request is a miss when a target was already broken as the client gave up: no first token by the
    TTFT target, a late one, or a time by which the whole answer should have stood at the target rate. Otherwise it
    is not judged. Rejected, shed and never reached requests are misses.
    """
    services = result.fleet.services.values()
    ttft_limit = np.array([s.slo.ttft if s.slo.ttft is not None else np.inf for s in services], np.float64)
    rate_limit = np.array([s.slo.token_rate or 0.0 for s in services], np.float64)
    verdicts = np.empty(len(result.status), np.uint8)
    for low in range(0, len(verdicts), _CHUNK):
        part = slice(low, low + _CHUNK)
        verdicts[part] = _judge(result, part, ttft_limit, rate_limit)
    return verdicts


def _judge(
    result: Result, part: slice, ttft_limit: npt.NDArray[np.float64], rate_limit: npt.NDArray[np.float64]
) -> Verdicts:
    service = result.service[part]
    status = result.status[part]
    first = result.first_s[part]
    limit = ttft_limit[service]
    ttft = first - result.arrival_s[part]
    late = ttft > limit
    # Time that the tokens after the first may take at the target rate; endless where there is no target.
    with np.errstate(divide="ignore", invalid="ignore"):
        allowed = np.maximum(result.trace.output_tokens[part] - 1, 0) / rate_limit[service]
    allowed[rate_limit[service] == 0.0] = np.inf
    slow = result.finish_s[part] - first > allowed
    # Waiting is the cause where the engine's own time for the prompt fits into the target.
    by_wait = first - result.start_s[part] <= limit

    verdict = np.full(len(status), Verdict.MET, np.uint8)
    verdict[slow] = Verdict.DECODE
    verdict[slow & (result.preemptions[part] > 0)] = Verdict.PREEMPTED
    verdict[late] = Verdict.PREFILL
    verdict[late & by_wait] = Verdict.WAITING

    gave_up = status == Status.CANCELLED
    no_token = np.isnan(first) & (result.finish_s[part] - result.arrival_s[part] > limit)
    verdict[gave_up] = np.where((late | slow | no_token)[gave_up], Verdict.GAVE_UP, Verdict.NOT_JUDGED)
    verdict[status == Status.TOO_LONG] = Verdict.TOO_LONG
    verdict[status == Status.SHED] = Verdict.SHED
    verdict[status == Status.UNREACHED] = Verdict.UNREACHED
    return verdict


def attainment(verdicts: Verdicts) -> float | None:
    """Share of the judged requests that met their targets; None where none could be judged."""
    judged = int((verdicts != Verdict.NOT_JUDGED).sum())
    return float((verdicts == Verdict.MET).sum()) / judged if judged else None
