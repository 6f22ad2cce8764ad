"""Running a case on the kernel and on the oracle, and demanding that they agree."""

from __future__ import annotations

import numpy as np

from meritorder.simulate.oracle.run import Oracle
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from simulate.cases import Case


def both(case: Case) -> tuple[Result, Oracle]:
    how = {"seed": case.seed, "outages": case.outages, "sample": case.sample}
    oracle = Oracle(case.fleet, case.trace, case.replicas, **how)
    oracle.run()
    result = simulate(case.fleet, case.trace, replicas=case.replicas, **how)
    return result, oracle


def assert_equal(case: Case) -> Result:
    result, oracle = both(case)
    for name, values in (
        ("replica", result.replica),
        ("status", result.status),
        ("preemptions", result.preemptions),
        ("hit", result.hit_tokens),
        ("returned", result.returned_tokens),
        ("reason", result.reason),
        ("decoder", result.decode_replica),
        ("attempts", result.attempts),
        ("cause", result.cause),
    ):
        np.testing.assert_array_equal(values, oracle.column(name), err_msg=f"{name}, seed {case.seed}")
    for name, values in (
        ("arrival", result.arrival_s),
        ("start", result.start_s),
        ("finish", result.finish_s),
    ):
        np.testing.assert_allclose(
            values, oracle.column(name), rtol=1e-9, atol=1e-12, err_msg=f"{name}, seed {case.seed}"
        )
    # differences of two times, each with its own rounding
    np.testing.assert_allclose(
        result.parked_s, oracle.column("parked_s"), rtol=1e-9, atol=1e-9, err_msg=f"parked, seed {case.seed}"
    )
    np.testing.assert_allclose(
        result.transfer_s, oracle.column("transfer"), rtol=1e-9, atol=1e-9, err_msg=f"transfer, seed {case.seed}"
    )
    return_s = np.where(result.returned_tokens > 0, oracle.column("return_s"), np.nan)
    np.testing.assert_allclose(result.return_s, return_s, rtol=1e-9, atol=1e-9, err_msg=f"return, seed {case.seed}")
    first = oracle.column("first")
    first[(result.status == Status.CANCELLED) & (first > oracle.column("finish"))] = np.nan
    np.testing.assert_allclose(result.first_s, first, rtol=1e-9, err_msg=f"first, seed {case.seed}")
    for name in ("energy_j", "busy_s", "running_s", "prompt_tokens", "output_tokens", "iterations"):
        total = sum(getattr(engine, name) for engine in oracle.engines)
        np.testing.assert_allclose(result.series[name].sum(), total, rtol=1e-9, err_msg=f"{name}, seed {case.seed}")
    assert result.iterations == sum(engine.iterations for engine in oracle.engines)
    np.testing.assert_allclose(result.span_s, oracle.span_s, rtol=1e-9)
    assert_same_sites(case, result, oracle)
    return result


def assert_same_sites(case: Case, result: Result, oracle: Oracle) -> None:
    """What the buildings and their controller have seen and done, in total."""
    if oracle.site is None:
        assert result.facility is None
        return
    assert result.facility is not None
    assert result.control is not None
    for name in ("sites", "pools", "rows"):
        ours, theirs = getattr(oracle.site.facility, name), getattr(result.facility, name)
        for column in ours.dtype.names:
            np.testing.assert_allclose(
                theirs[column], ours[column], rtol=1e-9, atol=1e-9, err_msg=f"{name}.{column}, seed {case.seed}"
            )
    np.testing.assert_array_equal(result.control.pools.level, oracle.site.control.pools.level)
    np.testing.assert_array_equal(result.control.deeds.lever, oracle.site.control.deeds.lever)
    np.testing.assert_allclose(result.control.deeds.time, oracle.site.control.deeds.time)
