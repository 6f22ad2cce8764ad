"""The summary against sums and percentiles done one request at a time."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulate.fake import fake_result

from meritorder.dispatch.reasons import REASONS
from meritorder.fleet.schema import Service, Slo
from meritorder.simulate.columns import columns
from meritorder.simulate.result import Result, Status
from meritorder.simulate.series import bin_widths, waiting_s
from meritorder.simulate.service_level import Target, Verdict, Verdicts, attainment, judge
from meritorder.simulate.spread import Groups, spread
from meritorder.simulate.summary import summarise
from meritorder.workload.trace import make_trace


@pytest.fixture(scope="module")
def result() -> Result:
    return fake_result(600, slow=2.0, bins=20)


@pytest.fixture(scope="module")
def summary(result: Result) -> dict[str, Any]:
    return summarise(result)


def percentile(values: list[float], p: float) -> float:
    """Linear interpolation between order statistics, written out."""
    ordered = sorted(values)
    place = p / 100 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def latency(result: Result, name: str, i: int) -> float | None:
    if result.status[i] != Status.COMPLETED:
        return None
    if name == "ttft_s":
        return float(result.first_s[i] - result.arrival_s[i])
    if name == "e2e_s":
        return float(result.finish_s[i] - result.arrival_s[i])
    if name == "queue_s":
        return float(result.start_s[i] - result.arrival_s[i])
    if result.trace.output_tokens[i] < 2:
        return None
    return float((result.finish_s[i] - result.first_s[i]) / (result.trace.output_tokens[i] - 1))


@pytest.mark.parametrize("name", ["ttft_s", "tpot_s", "e2e_s", "queue_s"])
def test_latencies_are_those_of_each_request(result: Result, summary: dict[str, Any], name: str) -> None:
    def check(row: dict[str, float], mine: list[int]) -> None:
        values = [v for i in mine if (v := latency(result, name, i)) is not None]
        assert row["mean"] == pytest.approx(sum(values) / len(values), rel=1e-12)
        assert row["max"] == max(values)
        for p in (50, 90, 95, 99):
            assert row[f"p{p}"] == pytest.approx(percentile(values, p), rel=1e-12)

    check(summary[name], list(range(600)))
    for s, service in enumerate(result.fleet.services):
        check(summary["by_service"][service][name], [i for i in range(600) if result.service[i] == s])
    for p, pool in enumerate(result.fleet.pools):
        check(summary["by_pool"][pool][name], [i for i in range(600) if result.pool[i] == p])


def test_a_single_token_has_no_time_per_token(result: Result) -> None:
    tokens = np.ones(600, np.int32)
    tokens[7] = 5
    lone = replace(result, trace=replace(result.trace, output_tokens=tokens))
    found = summarise(lone)["tpot_s"]
    assert found["max"] == found["p50"] == pytest.approx((result.finish_s[7] - result.first_s[7]) / 4)


def test_token_rate_is_the_reciprocal_of_time_per_token(summary: dict[str, Any]) -> None:
    row = summary["by_service"]["chat"]
    assert row["token_rate"]["p5"] == pytest.approx(1 / row["tpot_s"]["p95"])
    assert row["token_rate"]["min"] < row["token_rate"]["p1"] < row["token_rate"]["p5"] < row["token_rate"]["p50"]


def test_counts_and_tokens(result: Result, summary: dict[str, Any]) -> None:
    names = ("completed", "rejected", "shed", "cancelled", "unreached", "lost")
    for status, name in zip(Status, names, strict=True):
        assert summary[name] == sum(1 for s in result.status if s == status)
    assert sum(summary[name] for name in names) == summary["requests"] == 600
    done = [i for i in range(600) if result.status[i] == Status.COMPLETED]
    assert summary["output_tokens"] == sum(int(result.trace.output_tokens[i]) for i in done)
    assert summary["tokens_per_s"] == summary["output_tokens"] / 3600
    started = [i for i in range(600) if not math.isnan(result.start_s[i])]
    hits = sum(int(result.hit_tokens[i]) for i in started)
    assert summary["hit_ratio"] == hits / sum(int(result.trace.prompt_tokens[i]) for i in started)
    assert sum(row["requests"] for row in summary["by_pool"].values()) == sum(1 for p in result.pool if p >= 0)


def test_attainment_and_goodput(result: Result, summary: dict[str, Any]) -> None:
    good_tokens = good = 0
    for s, (name, spec) in enumerate(result.fleet.services.items()):
        met = judged = 0
        for i in range(600):
            if result.service[i] != s:
                continue
            ttft = result.first_s[i] - result.arrival_s[i]
            allowed = (result.trace.output_tokens[i] - 1) / spec.slo.token_rate if spec.slo.token_rate else math.inf
            broken = ttft > spec.slo.ttft or result.finish_s[i] - result.first_s[i] > allowed
            if result.status[i] == Status.CANCELLED and not broken:
                continue
            judged += 1
            if result.status[i] == Status.COMPLETED and not broken:
                met += 1
                good += 1
                good_tokens += int(result.trace.output_tokens[i])
        row = summary["by_service"][name]
        assert summary["slo_attainment"][name] == row["slo_attainment"] == met / judged
        assert row["slo_met"] is (met / judged >= spec.slo.percentile)
        assert summary["limits"]["services"][name]["misses"] == judged - met
        assert row["penalty_usd"] == pytest.approx((judged - met) * spec.penalty_usd)
    assert summary["goodput"] == {"requests_per_s": good / 3600, "tokens_per_s": good_tokens / 3600}
    assert summary["usd_per_good_mtok"] == pytest.approx(summary["cost_usd"] / good_tokens * 1e6)


def test_energy_and_cost(result: Result, summary: dict[str, Any]) -> None:
    it = facility = cost = carbon = 0.0
    for i, pool in enumerate(result.fleet.pools.values()):
        site = result.fleet.sites[pool.site]
        joules = 500.0 * pool.replicas * 3600.0 + sum(result.series["energy_j"][i].tolist())
        kwh = joules * site.pue / 3.6e6
        it += joules
        facility += joules * site.pue
        carbon += kwh * site.kg_per_kwh
        assert pool.measured is not None
        cost += pool.measured.usd_per_hour * pool.replicas + kwh * (site.usd_per_kwh + 0.1 * site.kg_per_kwh)
    assert summary["energy_j"] == pytest.approx(it, rel=1e-12)
    assert summary["facility_energy_j"] == pytest.approx(facility, rel=1e-12)
    assert summary["cost_usd"] == pytest.approx(cost, rel=1e-12)
    assert summary["carbon_kg"] == pytest.approx(carbon, rel=1e-12)
    assert summary["usd_per_mtok"] == pytest.approx(cost / summary["output_tokens"] * 1e6)
    assert summary["energy_j_per_output_token"] == pytest.approx(it / summary["output_tokens"])
    for key in ("energy_j", "facility_energy_j", "cost_usd", "carbon_kg"):
        for part in ("by_pool", "by_site"):
            assert sum(row[key] for row in summary[part].values()) == pytest.approx(summary[key])
    assert sum(summary["costs"].values()) == pytest.approx(summary["cost_usd"])


def test_metered_pools_charge_for_what_was_sent_and_delivered(result: Result, summary: dict[str, Any]) -> None:
    name, pool = next(iter(result.fleet.pools.items()))
    metered = pool.model_copy(update={"usd_per_mtok_prompt": 2.0, "usd_per_mtok_output": 8.0})
    fleet = result.fleet.model_copy(update={"pools": result.fleet.pools | {name: metered}})
    charged = summarise(replace(result, fleet=fleet))
    mine = [i for i in range(600) if result.pool[i] == 0]
    prompts = sum(int(result.trace.prompt_tokens[i]) for i in mine if not math.isnan(result.start_s[i]))
    outputs = sum(int(result.trace.output_tokens[i]) for i in mine if result.status[i] == Status.COMPLETED)
    usd = (2.0 * prompts + 8.0 * outputs) * 1e-6
    assert usd > 0
    assert summary["costs"]["metered_usd"] == 0
    assert charged["costs"]["metered_usd"] == pytest.approx(usd)
    assert charged["by_pool"][name]["metered_usd"] == pytest.approx(usd)
    assert charged["cost_usd"] == pytest.approx(summary["cost_usd"] + usd)


def test_routing_counts_every_dispatched_request_once(result: Result, summary: dict[str, Any]) -> None:
    for s, service in enumerate(result.fleet.services):
        for p, pool in enumerate(result.fleet.pools):
            mine = [i for i in range(600) if result.service[i] == s and result.pool[i] == p]
            cell = summary["routing"][service].get(pool, {"requests": 0, "reasons": {}})
            assert cell["requests"] == len(mine)
            assert cell["reasons"] == {
                phrase: count
                for k, phrase in enumerate(REASONS)
                if (count := sum(1 for i in mine if result.reason[i] == k))
            }


def one_by_one(rows: list[tuple[Status, float, float, float, int, int]], slo: Slo) -> Result:
    """Requests sent at second 10: (status, start, first, finish, output tokens, preemptions)."""
    base = fake_result(len(rows), bins=4)
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    fleet = base.fleet.model_copy(update={"services": {"only": Service(model="m", slo=slo)}})
    n = len(rows)
    return replace(
        base,
        fleet=fleet,
        trace=make_trace(np.full(n, 10.0), np.full(n, 100), columns[4]),
        service=np.zeros(n, np.int32),
        status=columns[0].astype(np.uint8),
        arrival_s=np.full(n, 10.0),
        start_s=columns[1],
        first_s=columns[2],
        finish_s=columns[3],
        preemptions=columns[5].astype(np.int32),
    )


def verdicts_of(rows: list[tuple[Status, float, float, float, int, int]], slo: Slo) -> Verdicts:
    return judge(columns(one_by_one(rows, slo)), [Target(slo.ttft, slo.token_rate)])


NEVER = math.nan


def test_every_verdict() -> None:
    slo = Slo(ttft=1.0, token_rate=10)
    cases = [
        ((Status.COMPLETED, 10.1, 10.9, 11.7, 10, 0), Verdict.MET),
        ((Status.COMPLETED, 10.1, 11.0, 11.0, 1, 0), Verdict.MET),
        ((Status.COMPLETED, 10.5, 11.2, 11.3, 10, 0), Verdict.WAITING),
        ((Status.COMPLETED, 10.1, 11.2, 11.3, 10, 0), Verdict.PREFILL),
        ((Status.COMPLETED, 10.1, 10.5, 11.5, 10, 0), Verdict.DECODE),
        ((Status.COMPLETED, 10.1, 10.5, 11.5, 10, 1), Verdict.PREEMPTED),
        ((Status.COMPLETED, 10.5, 11.2, 12.5, 10, 1), Verdict.WAITING),
        ((Status.TOO_LONG, NEVER, NEVER, NEVER, 10, 0), Verdict.TOO_LONG),
        ((Status.SHED, NEVER, NEVER, NEVER, 10, 0), Verdict.SHED),
        ((Status.UNREACHED, NEVER, NEVER, NEVER, 10, 0), Verdict.UNREACHED),
        ((Status.CANCELLED, NEVER, NEVER, 10.9, 10, 0), Verdict.NOT_JUDGED),
        ((Status.CANCELLED, NEVER, NEVER, 11.5, 10, 0), Verdict.GAVE_UP),
        ((Status.CANCELLED, 10.5, 11.5, 11.6, 10, 0), Verdict.GAVE_UP),
        ((Status.CANCELLED, 10.1, 10.5, 11.0, 10, 0), Verdict.NOT_JUDGED),
        ((Status.CANCELLED, 10.1, 10.5, 11.5, 10, 0), Verdict.GAVE_UP),
    ]  # fmt: skip
    verdicts = verdicts_of([row for row, _ in cases], slo)
    assert [Verdict(v) for v in verdicts] == [expected for _, expected in cases]
    assert attainment(verdicts) == 2 / 13


def test_without_targets_only_requests_without_an_answer_miss() -> None:
    rows = [
        (Status.COMPLETED, 90.0, 95.0, 990.0, 10, 3),
        (Status.SHED, NEVER, NEVER, NEVER, 10, 0),
        (Status.CANCELLED, NEVER, NEVER, 500.0, 10, 0),
    ]
    assert attainment(verdicts_of(rows, Slo())) == 0.5


def test_a_run_in_which_nothing_completes() -> None:
    rows = [(Status.SHED, NEVER, NEVER, NEVER, 10, 0)] * 3
    dead = replace(one_by_one(rows, Slo(ttft=1)), pool=np.full(3, -1, np.int32))
    found = summarise(dead)
    assert found["ttft_s"]["p99"] is None
    assert found["usd_per_mtok"] is None
    assert found["slo_attainment"] == {"only": 0.0}
    assert found["by_service"]["only"]["token_rate"]["p50"] is None
    assert b"NaN" not in orjson.dumps(found)


def test_bounds_of_a_pool(result: Result) -> None:
    """Half of the time the KV cache is full and two requests wait, the other half nothing runs."""
    series = {name: np.zeros_like(values) for name, values in result.series.items()}
    full = 400_000 // 16 * 16 * result.bin_s
    series["kv_token_s"][0, :10] = full
    series["busy_s"][0, :10] = result.bin_s
    free = replace(result, series=series, start_s=result.arrival_s)
    found = summarise(free)["limits"]["pools"]["wafer"]
    assert found["kv_full_share"] == found["busy_share"] == found["idle_share"] == 0.5
    assert found["waiting_share"] == found["sequences_full_share"] == 0.0
    assert (found["limit"], found["text"]) == ("none", "no bound reached")
    arrival, start = result.arrival_s.copy(), result.arrival_s.copy()
    arrival[np.flatnonzero(result.pool == 0)[:2]] = 0.0
    start[np.flatnonzero(result.pool == 0)[:2]] = 1800.0
    found = summarise(replace(free, arrival_s=arrival, start_s=start))["limits"]["pools"]["wafer"]
    assert found["waiting_share"] == 0.5
    assert found["limit"] == "KV cache"
    assert found["text"] == "requests waiting 50% of the time, KV cache full in 100% of that"


def test_a_queue_makes_compute_the_bound(result: Result) -> None:
    """More than one request a replica waits all the time in the wafer pool, and nowhere else."""
    start = np.where(result.pool == 0, 3600.0, result.arrival_s)
    busy = np.array([[1.0], [4.0], [2.0]]) * np.full((3, 20), result.bin_s)
    found = summarise(replace(result, start_s=start, series=result.series | {"busy_s": busy}))["limits"]["pools"]
    assert found["wafer"]["limit"] == "compute"
    assert found["wafer"]["waiting_share"] > 0.9
    assert (
        found["wafer"]["text"] == f"requests waiting {found['wafer']['waiting_share']:.0%} of the time, for computing"
    )
    assert found["h100"]["limit"] == "none"


def test_requests_never_reached_are_counted_and_miss(result: Result) -> None:
    """Closed loop: their arrival is unknown too."""
    lost = np.arange(600) % 5 == 0
    times = {name: np.where(lost, NEVER, getattr(result, name)) for name in ("arrival_s", "start_s", "first_s")}
    status = np.where(lost, Status.UNREACHED, result.status).astype(np.uint8)
    pool = np.where(lost, -1, result.pool).astype(np.int32)
    found = summarise(replace(result, status=status, pool=pool, finish_s=result.finish_s, **times))
    assert found["unreached"] == sum(row["unreached"] for row in found["by_service"].values()) == 120
    for i, name in enumerate(result.fleet.services):
        causes = found["limits"]["services"][name]["causes"]
        assert causes["never reached"] == sum(
            1 for s, gone in zip(result.service, lost, strict=True) if gone and s == i
        )


def test_waiting_integrates_the_queue(result: Result) -> None:
    found = waiting_s(result, 20)
    brute = np.zeros((3, 20))
    for i in range(600):
        if result.pool[i] < 0:
            continue
        for b in range(20):
            low, high = b * result.bin_s, (b + 1) * result.bin_s
            brute[result.pool[i], b] += max(0.0, min(high, result.start_s[i]) - max(low, result.arrival_s[i]))
    assert found == pytest.approx(brute, abs=1e-9)


def test_the_way_to_the_engine_is_no_waiting(result: Result) -> None:
    """0.1 s of network each way, 20 ms and 10 us a prompt token of front end: what is left of a longer wait."""
    engine = result.fleet.pools["wafer"].engine.model_copy(
        update={"request_overhead": 0.02, "prompt_token_overhead": 1e-5}
    )
    pool = result.fleet.pools["wafer"].model_copy(update={"engine": engine})
    site = result.fleet.sites["north"].model_copy(update={"rtt": {"default": 0.2}})
    fleet = result.fleet.model_copy(
        update={"pools": result.fleet.pools | {"wafer": pool}, "sites": result.fleet.sites | {"north": site}}
    )
    way = 0.12 + 1e-5 * result.trace.prompt_tokens
    found = waiting_s(replace(result, fleet=fleet, start_s=result.arrival_s + way + 0.5), 20)
    mine = (result.pool == 0).sum()
    assert found[0].sum() == pytest.approx(0.5 * mine, rel=1e-9)
    arrives_before = replace(result, fleet=fleet, start_s=result.arrival_s)
    assert waiting_s(arrives_before, 20)[0].sum() == pytest.approx(0.0, abs=1e-6)


def test_the_last_bin_ends_with_the_run() -> None:
    assert bin_widths(4, 10.0, 25.0).tolist() == [10.0, 10.0, 5.0, 0.0]


@given(st.lists(st.floats(0, 1e6) | st.just(math.nan), max_size=40), st.lists(st.integers(-1, 3), max_size=40))
def test_groups_equal_masks(values: list[float], index: list[int]) -> None:
    n = min(len(values), len(index))
    data, group = np.array(values[:n]), np.array(index[:n], np.int32)
    assert Groups(group, 4).spreads(data) == [spread(data[group == g]) for g in range(4)]


def test_memory_stays_small() -> None:
    n = 200_000
    big = fake_result(n)
    summarise(big)
    tracemalloc.start()
    summarise(big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / n < 40
