"""Which requests kept the targets of their service, and what kept the others from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from meritorder.simulate.columns import Columns
from meritorder.simulate.result import Status

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
    LOST = 10  # its machine failed
    HELD = 11  # first token late; without being held in the gateway, for power or price, it would have been in time


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
    Verdict.LOST: "machine failed",
    Verdict.HELD: "held in the gateway",
}


@dataclass(frozen=True)
class Target:
    """What a service promises: absent targets hold always."""

    ttft_s: float | None = None
    token_rate: float | None = None


def judge(requests: Columns, targets: Sequence[Target]) -> Verdicts:
    """A `Verdict` per request (n); `targets` by service.

    A completed request meets its targets when first - arrival <= ttft_s and (output - 1)/(finish - first) >=
    token_rate (requests of one token have no rate and keep it).
    A cancelled request is a miss when a target was already broken as the client gave up: no first token by the
    TTFT target, a late one, or a time by which the whole answer should have stood at the target rate. Otherwise it
    is not judged. Rejected, shed, lost and never reached requests are misses.
    """
    ttft_limit = np.array([np.inf if t.ttft_s is None else t.ttft_s for t in targets], np.float64)
    rate_limit = np.array([t.token_rate or 0.0 for t in targets], np.float64)
    verdicts = np.empty(len(requests["status"]), np.uint8)
    for low in range(0, len(verdicts), _CHUNK):
        chunk = {key: values[low : low + _CHUNK] for key, values in requests.items()}
        verdicts[low : low + _CHUNK] = _judge(chunk, ttft_limit, rate_limit)
    return verdicts


def _judge(requests: Columns, ttft_limit: npt.NDArray[np.float64], rate_limit: npt.NDArray[np.float64]) -> Verdicts:
    service, status = requests["service"], requests["status"]
    first, finish = requests["first_s"], requests["finish_s"]
    limit = ttft_limit[service]
    ttft = first - requests["arrival_s"]
    late = ttft > limit
    # Time that the tokens after the first may take at the target rate; endless where there is no target.
    with np.errstate(divide="ignore", invalid="ignore"):
        allowed = np.maximum(requests["output_tokens"] - 1, 0) / rate_limit[service]
    allowed[rate_limit[service] == 0.0] = np.inf
    slow = finish - first > allowed
    # Waiting is the cause where the engine's own time for the prompt fits into the target.
    by_wait = first - requests["start_s"] <= limit

    verdict = np.full(len(status), Verdict.MET, np.uint8)
    verdict[slow] = Verdict.DECODE
    verdict[slow & (requests["preemptions"] > 0)] = Verdict.PREEMPTED
    verdict[late] = Verdict.PREFILL
    verdict[late & by_wait] = Verdict.WAITING
    verdict[late & (ttft - requests["parked_s"] <= limit)] = Verdict.HELD

    gave_up = status == Status.CANCELLED
    no_token = np.isnan(first) & (finish - requests["arrival_s"] > limit)
    verdict[gave_up] = np.where((late | slow | no_token)[gave_up], Verdict.GAVE_UP, Verdict.NOT_JUDGED)
    verdict[status == Status.TOO_LONG] = Verdict.TOO_LONG
    verdict[status == Status.SHED] = Verdict.SHED
    verdict[status == Status.UNREACHED] = Verdict.UNREACHED
    verdict[status == Status.LOST] = Verdict.LOST
    return verdict


def attainment(verdicts: Verdicts) -> float | None:
    """Share of the judged requests that met their targets; None where none could be judged."""
    judged = int((verdicts != Verdict.NOT_JUDGED).sum())
    return float((verdicts == Verdict.MET).sum()) / judged if judged else None
