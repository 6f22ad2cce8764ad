"""A storm of random faults over a simulated month: every request ends in exactly one way, with its cause."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.fleet.load import loads
from meritorder.simulate.availability import downtime, pools_availability, requests_by_cause
from meritorder.simulate.faults.causes import (
    CAUSES,
    NO_CAUSE,
    NONE_USABLE,
    OVERHEATED,
    OVERLOADED,
    SHORT_OF_POWER,
    UNPOWERED,
)
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from meritorder.workload.trace import make_trace

FLEET = """
sites:
  dallas: {usd_per_kwh: 0.05, kg_per_kwh: 0.3, facility: {power: {feeds: 2}}}
  toronto: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
pools:
  nodes: {site: dallas, accelerator: h100, model: llama-3.1-70b, tensor: 4, replicas: 16}
  wafers: {site: dallas, accelerator: cs-3, model: llama-3.1-70b, pipeline: 5, replicas: 3}
  racks: {site: toronto, accelerator: gb200, model: llama-3.1-70b, tensor: 4, replicas: 18}
  others: {site: toronto, accelerator: mi300x, model: llama-3.1-70b, tensor: 4, replicas: 8}
services:
  lose: {model: llama-3.1-70b, share: 0.25, on_failure: lose, overload: shed}
  retry: {model: llama-3.1-70b, share: 0.25, on_failure: retry, patience: 5 min}
  go-on: {model: llama-3.1-70b, share: 0.25, on_failure: continue, pools: [nodes, wafers], overload: shed}
  batch: {model: llama-3.1-70b, share: 0.25, flexible: {within: 1 h}, priority: 1}
control: {step: 60 s}
faults:
  rates:
    - {what: engine, mtbf: 3 h}
    - {what: machine, mtbf: 30 h, mttr: 2 h}
    - {what: pipeline, mtbf: 60 h, mttr: 1 h}
    - {what: rack, mtbf: 100 h, mttr: 1 h}
    - {what: row, mtbf: 200 h, mttr: 1 h}
    - {what: cdu, mtbf: 100 h, mttr: 30 min}
    - {what: pump, mtbf: 100 h, mttr: 5 h}
    - {what: chiller, mtbf: 100 h, mttr: 5 h}
    - {what: feed, mtbf: 60 h, mttr: 2 h}
    - {what: grid, mtbf: 200 h, mttr: 10 min}
    - {what: site, mtbf: 100 h, mttr: 10 min}
    - {what: supplier, mtbf: 100 h, mttr: 20 min, window: 10 min}
    - {what: slow, mtbf: 12 h, mttr: 1 h}
  spares: {nodes: 1}
  crew: 4
"""
MONTH = 30 * 86400.0
REQUESTS = 200_000


@pytest.fixture(scope="module")
def storm() -> Result:
    """Long answers in three hundred bursts of half an hour, so that many faults find work in flight."""
    rng = np.random.default_rng(5)
    bursts = rng.uniform(0, MONTH, 300)
    arrival = np.sort((bursts[rng.integers(0, 300, REQUESTS)] + rng.uniform(0, 1800, REQUESTS)) % MONTH)
    prompts, outputs = rng.integers(50, 2000, REQUESTS), rng.integers(2000, 6000, REQUESTS)
    return simulate(loads(FLEET), make_trace(arrival, prompts, outputs), seed=3)


@pytest.mark.slow
def test_every_request_ends_in_exactly_one_way(storm: Result) -> None:
    assert storm.outages is not None
    rows = storm.outages.outages
    begun = rows[(rows.kind % 2 == 0) & (rows.time < MONTH)]
    assert len(begun) >= 10_000
    assert set(np.unique(storm.status)) <= {int(status) for status in Status}
    told = [requests_by_cause(storm, np.flatnonzero(storm.service == index)) for index in range(4)]
    assert sum(sum(row["ended"].values()) for row in told) == sum(row["requests"] for row in told) == REQUESTS
    for row in told:
        assert sum(row["lost_by_cause"].values()) == row["ended"]["lost"]
        assert sum(row["refused_by_cause"].values()) == row["ended"]["shed"]
        assert "unknown" not in row["lost_by_cause"] | row["refused_by_cause"]
    assert all(row["ended"]["unreached"] == row["ended"]["too_long"] == 0 for row in told)


@pytest.mark.slow
def test_causes_are_of_the_right_kind(storm: Result) -> None:
    """Lost ones by something that fails, refused ones by a reason to refuse, others by nothing."""
    lost, shed = storm.status == Status.LOST, storm.status == Status.SHED
    refusals = {SHORT_OF_POWER, NONE_USABLE, OVERLOADED}
    assert lost.sum() > 50
    assert set(storm.cause[lost].tolist()) <= set(range(1, len(CAUSES))) - refusals - {
        CAUSES.index("link"),
        CAUSES.index("slow"),
    }
    assert set(storm.cause[shed].tolist()) <= refusals
    assert (storm.cause[~lost & ~shed] == NO_CAUSE).all()
    assert {CAUSES[one] for one in storm.cause[lost].tolist()} >= {"engine", "machine"}


@pytest.mark.slow
def test_policies_on_failure_are_kept(storm: Result) -> None:
    names = list(storm.fleet.services)
    lose, retry, go_on = (storm.service == names.index(name) for name in ("lose", "retry", "go-on"))
    lost = storm.status == Status.LOST
    assert (storm.attempts[lose] == 0).all()
    assert storm.attempts.max() <= storm.fleet.faults.retries
    # whoever goes on is lost only when all tries are used up, or nobody takes it then
    assert (storm.attempts[lost & go_on] >= 1).all()
    assert ((storm.attempts > 0) & (storm.status == Status.COMPLETED) & (retry | go_on)).sum() > 50
    done = storm.status == Status.COMPLETED
    assert (storm.finish_s[done] >= storm.first_s[done]).all()
    assert (storm.first_s[done] > storm.arrival_s[done]).all()
    assert np.isfinite(storm.finish_s).all()


@pytest.mark.slow
def test_downtime_of_the_kernel_is_that_of_the_outages(storm: Result) -> None:
    """Where no row can trip (toronto has no building) to the second; elsewhere trips come on top."""
    assert storm.outages is not None
    assert storm.down_s is not None
    found = downtime(storm.outages, storm.span_s)
    by_outages = np.bincount(found.replica, found.seconds, minlength=45)
    assert storm.down_s[19:] == pytest.approx(by_outages[19:], abs=1e-3)
    assert (storm.down_s[:19] >= by_outages[:19] - 1e-3).all()
    assert {row["pool"] for row in pools_availability(storm)} == set(storm.fleet.pools)
    assert requests_by_cause(storm, np.arange(REQUESTS))["requests"] == REQUESTS
    tripped = {OVERHEATED, UNPOWERED} & set(storm.cause.tolist())
    assert not tripped or storm.down_s[:19].sum() > by_outages[:19].sum()
