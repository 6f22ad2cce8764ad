"""Power limits of a pool: predictions follow the one in force, and full power is as if there were none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meritorder.dispatch.build import build_state
from meritorder.dispatch.caps import set_cap, use_level
from meritorder.dispatch.power import busy_w
from meritorder.dispatch.predict import prefill_s
from meritorder.dispatch.state import FleetState
from meritorder.fleet.load import load
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError

MIXED = Path(__file__).parents[2] / "examples" / "mixed.yaml"
NAME, POOL = "h200", 1


def state_with_caps(caps: tuple[float, ...]) -> FleetState:
    fleet = load(MIXED)
    fleet = fleet.model_copy(
        update={"pools": {**fleet.pools, NAME: fleet.pools[NAME].model_copy(update={"caps": caps})}}
    )
    replicas = [compile_replica(fleet, name) for name in fleet.pools]
    return build_state(fleet, replicas, fleet.dispatch)


def test_a_lower_limit_draws_less_and_takes_longer_for_prompts() -> None:
    state = state_with_caps((0.8, 0.6))
    watts, seconds = [], []
    for level in range(3):
        use_level(state, POOL, level)
        watts.append(busy_w(state, POOL, 64, 64 * 1500.0))
        seconds.append(prefill_s(state, POOL, 0, 0.0, 8000, 3.2e7))
    assert watts[0] > watts[1] > watts[2] > 0.0
    assert seconds[0] < seconds[1] < seconds[2]
    assert state.pools[POOL].cap == 2


def test_full_power_again_is_as_if_nothing_had_been() -> None:
    state, plain = state_with_caps((0.8, 0.6)), state_with_caps(())
    set_cap(state, POOL, 2)
    assert not np.array_equal(state.keys, plain.keys)
    set_cap(state, POOL, 0)
    assert np.array_equal(state.keys, plain.keys)
    names = [name for name in state.pools.dtype.names if name not in ("cap_first", "cap_levels", "tokens", "batches")]
    for name in names:
        assert np.array_equal(state.pools[name], plain.pools[name]), name


def test_a_cap_that_is_none_is_refused() -> None:
    fleet = load(MIXED)
    pool = fleet.pools[NAME].model_copy(update={"power_cap": 500.0, "caps": (0.9,)})
    with pytest.raises(InputError, match="not below the 500 W before it"):
        compile_replica(fleet.model_copy(update={"pools": {**fleet.pools, NAME: pool}}), NAME)
