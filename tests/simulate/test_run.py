"""What a run promises: the same bits again, every request accounted for, clear words for what can't be run."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from meritorder.fleet.dispatch import RoundRobin
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace, make_trace
from simulate.cases import MODELS, random_case


def bits(result: Result) -> bytes:
    columns = (result.replica, result.decode_replica, result.status, result.reason)
    columns += (result.start_s, result.first_s, result.transfer_s, result.finish_s)
    series = [result.series[name] for name in sorted(result.series)]
    return b"".join(np.ascontiguousarray(column).tobytes() for column in (*columns, *series))


def run_case(seed: int) -> bytes:
    case = random_case(seed, tight=seed % 2 > 0, prefix=seed % 3 > 0, roles=seed % 5 == 3)
    return bits(simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed))


def test_same_seed_same_bits_whatever_the_number_of_threads() -> None:
    seeds = range(20)
    alone = [run_case(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run_case, seeds)) == alone


def test_another_seed_changes_what_is_drawn() -> None:
    case = random_case(5, policy="random")
    one, other = (simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed) for seed in (1, 2))
    assert bits(one) != bits(other)


def test_plain_python_gives_the_same_bits() -> None:
    """The kernel runs without being compiled, for debugging, and then does the same."""
    code = (
        "import hashlib; from simulate.test_run import run_case; "
        "print(hashlib.sha256(b''.join(run_case(seed) for seed in (3, 5, 8, 13))).hexdigest())"
    )
    tests = Path(__file__).parent.parent
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": str(tests), "NUMBA_DISABLE_JIT": flag},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for flag in ("0", "1")
    ]
    assert printed[0] == printed[1]


@pytest.mark.parametrize("seed", range(40, 70))
def test_every_request_and_every_token_is_accounted_for(seed: int) -> None:
    case = random_case(seed, tight=seed % 2 > 0, prefix=seed % 3 == 0, roles=seed % 4 == 0)
    result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed)
    done = result.status == Status.COMPLETED
    assert set(result.status) <= {int(status) for status in Status}
    assert (result.replica[done] >= 0).all()
    for earlier, later in (
        (result.arrival_s, result.start_s),
        (result.start_s, result.first_s),
        (result.first_s, result.finish_s),
    ):
        assert (earlier[done] <= later[done]).all()
    refused = (result.status == Status.TOO_LONG) | (result.status == Status.SHED)
    assert (result.replica[refused] == -1).all()
    assert np.isnan(result.first_s[refused]).all()
    unreached = result.status == Status.UNREACHED
    assert np.isnan(result.arrival_s[unreached]).all()
    assert (case.trace.after[unreached] >= 0).all()
    produced = result.series["output_tokens"].sum()
    assert produced >= case.trace.output_tokens[done].sum() - 1e-6
    if not (result.status == Status.CANCELLED).any():
        assert produced == pytest.approx(case.trace.output_tokens[done].sum())
        if not result.preemptions.any():
            computed = case.trace.prompt_tokens[done].sum() - result.hit_tokens[done].sum()
            assert result.series["prompt_tokens"].sum() == pytest.approx(computed)


@pytest.mark.parametrize("bins", [1, 2, 3, 7, 240, 241])
def test_the_series_hold_everything_whatever_the_bins(bins: int) -> None:
    case = random_case(41)
    whole, binned = (
        simulate(case.fleet, case.trace, replicas=case.replicas, seed=41, bins=n).series for n in (1000, bins)
    )
    for name, values in binned.items():
        assert values.shape[1] == bins
        np.testing.assert_allclose(values.sum(axis=1), whole[name].sum(axis=1), rtol=1e-9, err_msg=name)


def test_simulated_time_is_told_while_it_runs() -> None:
    case = random_case(41)
    told: list[float] = []
    result = simulate(case.fleet, case.trace, replicas=case.replicas, progress=lambda now, _: told.append(now))
    assert told[-1] == pytest.approx(result.span_s, rel=0.1)


def test_equal_arrivals_at_a_priority_engine_are_served_in_the_order_of_the_trace() -> None:
    case = next(c for c in map(random_case, range(300)) if c.fleet.pools["pool0"].engine.scheduling == "priority")
    pool = case.fleet.pools["pool0"]
    engine = pool.engine.model_copy(update={"max_sequences": 1, "request_overhead": 0.0, "prompt_token_overhead": 0.0})
    fleet = case.fleet.model_copy(
        update={
            "pools": {"pool0": pool.model_copy(update={"replicas": 1, "engine": engine})},
            "services": {"fast": case.fleet.services["fast"].model_copy(update={"share": None, "patience": None})},
            "dispatch": RoundRobin(),
        }
    )
    # request 0 keeps the engine busy; 1 and 2 reach it at the same time, 2 having left first
    sites = {name: site.model_copy(update={"rtt": {"here": 0.0, "there": 0.5}}) for name, site in fleet.sites.items()}
    fleet = fleet.model_copy(update={"sites": sites})
    trace = make_trace(
        [0.0, 0.0, 0.25],
        [5, 5, 5],
        [300, 3, 3],
        region=[0, 1, 0],
        regions=("here", "there"),
    )
    result = simulate(fleet, trace, replicas=case.replicas[:1])
    assert result.start_s[1] < result.start_s[2]


def test_next_turn_comes_after_its_think_time() -> None:
    case = random_case(0, policy="round-robin")
    trace = make_trace([0.0, 0.0], [5, 5], [3, 3], after=[-1, 0], think_s=[0.0, 2.5], session=[0, 0])
    result = simulate(case.fleet, trace, replicas=case.replicas)
    assert result.arrival_s[1] == pytest.approx(result.finish_s[0] + 2.5)


@pytest.mark.parametrize(
    ("trace", "says"),
    [
        (make_trace([], [], []), "holds no requests"),
        (make_trace([0.0], [0], [1]), "prompt_tokens below 1"),
        (make_trace([0.0], [1], [0]), "output_tokens below 1"),
        (make_trace([1.0, 0.5], [1, 1], [1, 1]), "order of arrival"),
        (make_trace([np.nan], [1], [1]), "finite"),
        (make_trace([-1.0], [1], [1]), "finite"),
        (make_trace([0.0, 0.0], [1, 1], [1, 1], after=[1, -1]), "does not stand before"),
        (make_trace([0.0], [1], [1], after=[-7]), "does not stand before"),
        (make_trace([0.0, 0.0], [1, 1], [1, 1], after=[-1, 0], think_s=[0, np.nan]), "think times"),
        (make_trace([0.0, 0.0], [1, 1], [1, 1], after=[-1, 0], think_s=[0, -50]), "think times"),
        (make_trace([0.0], [1], [1], cancel_s=[-1.0]), "give up"),
        (make_trace([0.0], [1], [1], cancel_s=[np.nan]), "give up"),
        (make_trace([0.0], [1], [1], region=[3]), "region is not one of the 1"),
        (make_trace([0.0], [1], [1], service=[-1]), "service is not one of the 1"),
    ],
)
def test_traces_that_cannot_be_run(trace: Trace, says: str) -> None:
    case = random_case(0)
    with pytest.raises(InputError, match=says):
        simulate(case.fleet, trace, replicas=case.replicas)


def test_kv_blocks_must_divide_prefix_blocks() -> None:
    case = random_case(300, prefix=True)
    pools = {
        name: pool.model_copy(update={"engine": pool.engine.model_copy(update={"prefix_caching": True})})
        for name, pool in case.fleet.pools.items()
    }
    fleet = case.fleet.model_copy(update={"pools": pools})
    trace = make_trace([0.0], [10], [1], block_start=[0, 1], blocks=[0], block_tokens=7)
    with pytest.raises(InputError, match="can't hold the trace's prefix blocks of 7"):
        simulate(fleet, trace, replicas=tuple(replica_with_block(replica, 16) for replica in case.replicas))


def replica_with_block(replica: object, block: int) -> object:
    from dataclasses import replace

    return replace(replica, block_tokens=block)  # type: ignore[type-var]


def shares(fleet: Fleet, *values: float | None, match: str | None = None) -> Fleet:
    services = {
        name: service.model_copy(update={"share": value, "match": match if value is None else None})
        for (name, service), value in zip(fleet.services.items(), values, strict=True)
    }
    return fleet.model_copy(update={"services": services})


def test_shares_must_cover_all_requests() -> None:
    case = random_case(0)
    with pytest.raises(InputError, match="belong to no service"):
        simulate(shares(case.fleet, 0.5, 0.2, 0.2), case.trace, replicas=case.replicas)


def test_a_service_by_name_must_be_in_the_trace() -> None:
    case = random_case(0)
    with pytest.raises(InputError, match='no request of the trace is of service "chta"'):
        simulate(shares(case.fleet, 0.5, 0.5, None, match="chta"), case.trace, replicas=case.replicas)


def test_requests_go_only_where_their_model_is() -> None:
    seen = 0
    for seed in range(40):
        case = random_case(seed)
        result = simulate(case.fleet, case.trace, replicas=case.replicas, seed=seed)
        of_pool = np.array([MODELS.index(pool.model) for pool in case.fleet.pools.values()])
        of_service = np.array([MODELS.index(service.model) for service in case.fleet.services.values()])
        sent = result.pool >= 0
        np.testing.assert_array_equal(of_pool[result.pool[sent]], of_service[result.service[sent]])
        seen += len(set(of_pool[result.pool[sent]]))
    assert seen > 45, "hardly any case serves two models"
