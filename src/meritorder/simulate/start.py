"""What a router knows at the start of a run."""

from __future__ import annotations

from collections.abc import Sequence

from meritorder.dispatch.build import build_state
from meritorder.dispatch.state import FleetState
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.workload.trace import Trace


def start(fleet: Fleet, replicas: Sequence[Replica], dispatch: Dispatch, trace: Trace, seed: int) -> FleetState:
    """The state of `fleet` before the first request of `trace`."""
    return build_state(
        fleet,
        replicas,
        dispatch,
        regions=trace.regions,
        prefix_tokens=trace.block_tokens,
        prefix_blocks=trace.unique_blocks,
        seed=seed,
    )
