"""`Account`: what became of one request, written while it runs and read by metrics, log, traces and recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Outcome: TypeAlias = Literal[
    "ok",  # answered in full
    "refused",  # an error, by the gateway itself before any backend was asked, or by one: the request's own fault (4xx)
    "failed",  # every backend that was tried failed; the client got an honest error
    "broken",  # the stream broke after its first byte and could not be continued; the client got an error event
    "cancelled",  # the client left
]

# Of `Account.api`: nothing is generated for it, so that it has no tokens, keeps no targets and is no traffic.
COUNT_TOKENS = "count_tokens"


class Account:
    """One request, from its first byte to its end. Times are monotonic seconds unless said."""

    __slots__ = (
        "api",
        "block_tokens",
        "blocks",
        "cached_tokens",
        "caller",
        "continued",
        "ended",
        "energy_j",
        "first",
        "hedged",
        "kg",
        "model",
        "outcome",
        "output_tokens",
        "placed",
        "pool",
        "predicted_tpot_s",
        "predicted_ttft_s",
        "prompt_tokens",
        "reason",
        "received",
        "replica",
        "request_id",
        "retries",
        "service",
        "status",
        "stream",
        "tenant",
        "tier",
        "traceparent",
        "usd",
        "wall",
        "why",
    )

    def __init__(self, request_id: str, api: str, received: float, wall: float) -> None:
        self.request_id = request_id
        self.api = api  # "chat", "completions", "responses", "embeddings", "messages", COUNT_TOKENS
        self.received = received  # its headers were complete
        self.wall = wall  # the same, Unix time
        self.traceparent = b""  # the client's W3C trace context, empty without
        self.caller = ""  # id of the API key, "" without
        self.tenant = ""
        self.model = ""  # as the client wrote it
        self.service = -1  # index in the fleet file; -1: none found
        self.tier = ""  # the tier that served
        self.stream = False
        self.prompt_tokens = 0  # as the backend counted; before that an estimate
        self.cached_tokens = 0  # of these, as the backend said; before that as dispatch believed
        self.output_tokens = 0
        self.placed = 0.0  # first sent to a backend; 0: never
        self.first = 0.0  # first byte of the answer's body that went to the client; 0: none
        self.ended = 0.0
        self.predicted_ttft_s = 0.0  # of the last attempt, from placing to first token
        self.predicted_tpot_s = 0.0
        self.replica = -1  # the one that answered (last); -1: none
        self.pool = -1
        self.reason = 0  # why it was chosen, index into dispatch.reasons.REASONS
        self.retries = 0  # further backends asked before the first byte
        self.continued = 0  # times that its broken stream was taken up elsewhere
        self.hedged = False  # a second backend was asked because the first was late
        self.status = 0  # HTTP status that the client got; 0: it left before
        self.outcome: Outcome = "ok"
        self.why = ""  # in words, where it is not ok
        self.energy_j = 0.0  # at the machine, predicted from the IterationTable
        self.usd = 0.0  # energy, carbon and metered price
        self.kg = 0.0  # kg CO2
        self.blocks: Sequence[int] | npt.NDArray[np.uint64] = ()  # chained hashes of its text's blocks, 64 bits each
        self.block_tokens = 0  # tokens that a block stands for, roughly


Watcher: TypeAlias = Callable[[Account], None]  # called once per request, at its end; must not raise or wait
