"""One request in the stepwise simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.simulate.services import services_of
from meritorder.workload.trace import Trace


@dataclass(eq=False)
class Request:
    """One request and what has happened to it."""

    index: int
    prompt: int
    output: int
    service: int
    priority: int
    units: list[int]  # prefix blocks of its prompt that are full
    arrival: float = np.nan
    queued: float = np.nan
    start: float = np.nan
    first: float = np.nan
    finish: float = np.nan
    replica: int = -1
    reason: int = 0
    new: int = 0
    room: int = 0
    status: int = 0
    generated: int = 0
    computed: int = 0  # tokens in the KV cache
    shared: int = 0  # leading units that it shares with the cache
    chunk: int = 0  # tokens in the present iteration
    hit: int = 0
    preemptions: int = 0
    decoding: bool = False  # its prompt (and what it had made before a preemption) is computed
    # "transit", "waiting", "running"; between two replicas "held", "wanting", "stalled", "moving", "landed"; its prefix
    # on the way from the slow tier "coming", "back", or "left" if the client gave up meanwhile; in the gateway
    # "parked", "retrying"; "" before and after
    place: str = ""
    returned: int = 0  # tokens that came from the slow tier
    return_s: float = 0.0
    prefiller: int = -1  # replica that computed its prompt, once it has left it
    decoder: int = -1  # replica that decodes it, where that is another one
    leg: int = -1  # entry of the services by which it was chosen
    room_there: int = 0
    ready: float = np.nan  # when its prompt was computed
    transfer: float = np.nan
    # what is anew with each attempt:
    base: int = 0  # tokens to be computed before its next one: its prompt, and what it had made elsewhere
    answered: bool = False  # it has made a token in this attempt
    attempts: int = 0  # times that it was sent anew after a failure
    cause: int = 0  # of the last failure that struck it, index into simulate.faults.causes.CAUSES
    epoch: int = 0  # events that were added for it in an earlier one are void
    patience_counts: bool = False  # its client's giving up is among the events
    parked: float = np.nan  # since when it waits in the gateway
    parked_s: float = 0.0  # how long it has waited there before

    def begin(self, replica: int, base: int, new: int, reason: int) -> None:
        """It is sent to a replica, where nothing of it is yet."""
        self.replica, self.base, self.new, self.reason = replica, base, new, reason
        self.start = self.ready = self.transfer = np.nan
        self.hit = self.computed = self.shared = self.chunk = 0
        self.decoding = self.answered = False
        self.prefiller = self.decoder = self.leg = -1


def requests_of(fleet: Fleet, trace: Trace, seed: int) -> list[Request]:
    """The requests of a trace before anything has happened, in its order."""
    services = list(fleet.services.values())
    unit = trace.block_tokens
    requests = []
    for i, service in enumerate(services_of(fleet, trace, seed)):
        start, stop = trace.block_start[i], trace.block_start[i + 1]
        full = int(trace.prompt_tokens[i]) // unit if unit else 0
        requests.append(
            Request(
                index=i,
                prompt=int(trace.prompt_tokens[i]),
                output=int(trace.output_tokens[i]),
                service=int(service),
                priority=services[service].priority,
                units=[int(block) for block in trace.blocks[start : min(stop, start + full)]],
            )
        )
    return requests
