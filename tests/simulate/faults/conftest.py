"""What all tests of faults draw from."""

from __future__ import annotations

from functools import partial

import pytest
from fault_fleet import FLEET, Drawn, draw

from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica


@pytest.fixture(scope="session")
def one_replica() -> Replica:
    """Some replica, compiled once."""
    return compile_replica(loads(FLEET), "nodes")


@pytest.fixture
def drawn(one_replica: Replica) -> Drawn:
    """`drawn(faults, duration_s, seed=0, more="")`: the outages of the fleet."""
    return partial(draw, one_replica)
