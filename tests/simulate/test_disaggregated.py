"""Prompts computed and decoded on different machines, against times worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.catalog.load import models
from meritorder.fleet.dispatch import LeastRequest
from meritorder.fleet.links import Link
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site, Slo
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from meritorder.simulate.summary import summarise
from meritorder.workload.trace import Trace, make_trace

MODEL = "llama-3.1-8b"
KV_BYTES = models()[MODEL].kv_bytes_per_token("fp16")
LAYERS = models()[MODEL].layers
PROMPT_S, STEP_S = 1e-4, 0.01  # per prompt token, per decode iteration


def machine(role: str, replicas: int = 1, kv_tokens: int = 100_000, seats: int = 64, site: str = "here") -> Pool:
    """A prompt of n tokens takes n PROMPT_S and a host's blink, a decode iteration STEP_S whatever is in it."""
    prefill = MeasuredCoefficients(
        host_s=1e-6, per_token_s=PROMPT_S, idle_w=1, busy_w=2, kv_tokens=kv_tokens, usd_per_hour=1
    )
    decode = MeasuredCoefficients(host_s=STEP_S, idle_w=1, busy_w=2, kv_tokens=kv_tokens, usd_per_hour=1)
    return Pool(
        site=site,
        measured=prefill if role == "prefill" else decode,
        model=MODEL,
        replicas=replicas,
        role=role,  # type: ignore[arg-type]
        engine=Engine(max_sequences=seats, token_budget=8192),
    )


def split(prefill: Pool, decode: Pool, link: Link, **sites: Site) -> Fleet:
    return Fleet(
        name="split",
        models={MODEL: models()[MODEL]},
        sites=sites or {"here": Site(usd_per_kwh=0.1, kg_per_kwh=0.3)},
        pools={"reader": prefill, "writer": decode},
        links={"wire": link},
        services={"all": Service(model=MODEL)},
        dispatch=LeastRequest(),
    )


def wire(gb_per_s: float, overlap: str = "after", total: float | None = None) -> Link:
    return Link(
        prefill="reader",
        decode="writer",
        bandwidth=gb_per_s * 1e9,
        latency=0.002,
        total=total,
        overlap=overlap,  # type: ignore[arg-type]
    )


def asked(arrival: list[float], prompt: int, output: int) -> Trace:
    return make_trace(arrival, [prompt] * len(arrival), [output] * len(arrival))


def test_a_lone_request_takes_what_its_parts_take() -> None:
    near, far = (Site(usd_per_kwh=0.1, kg_per_kwh=0.3, rtt={"default": rtt}) for rtt in (0.010, 0.030))
    reader, writer = machine("prefill", site="near"), machine("decode", site="far")
    result = simulate(split(reader, writer, wire(1.0), near=near, far=far), asked([1.0], 1000, 11))
    computed = 0.005 + 1e-6 + 1000 * PROMPT_S
    sent = 0.002 + 1000 * KV_BYTES / 1e9
    assert result.first_s[0] - 1.0 == pytest.approx(computed + 0.005)
    assert result.transfer_s[0] == pytest.approx(sent)
    assert result.finish_s[0] - 1.0 == pytest.approx(computed + sent + 10 * STEP_S + 0.015)
    assert (result.pool[0], result.decode_pool[0], result.replica[0], result.decode_replica[0]) == (0, 1, 0, 1)


@pytest.mark.parametrize("gb_per_s", [0.2, 50.0])
def test_layer_by_layer_only_what_the_computing_does_not_cover_is_waited_for(gb_per_s: float) -> None:
    result = simulate(split(machine("prefill"), machine("decode"), wire(gb_per_s, "layerwise")), asked([0.0], 1000, 2))
    computing, sending = 1e-6 + 1000 * PROMPT_S, 1000 * KV_BYTES / (gb_per_s * 1e9)
    exposed = max(sending - computing, sending / LAYERS)
    assert result.transfer_s[0] == pytest.approx(0.002 + exposed)


def test_transfers_to_one_replica_wait_for_its_port() -> None:
    readers = machine("prefill", replicas=2)
    result = simulate(split(readers, machine("decode"), wire(1.0)), asked([0.0, 0.0], 1000, 2))
    once = 1000 * KV_BYTES / 1e9
    assert set(result.replica) == {0, 1}
    np.testing.assert_allclose(np.sort(result.transfer_s), [0.002 + once, 0.002 + 2 * once])


def test_transfers_share_the_bandwidth_of_a_link() -> None:
    readers, writers = machine("prefill", replicas=2), machine("decode", replicas=2)
    result = simulate(split(readers, writers, wire(1.0, total=1.5e9)), asked([0.0, 0.0], 1000, 2))
    once, shared = 1000 * KV_BYTES / 1e9, 1000 * KV_BYTES / 1.5e9
    assert set(result.decode_replica) == {2, 3}
    np.testing.assert_allclose(np.sort(result.transfer_s), [0.002 + once, 0.002 + shared + once])


def test_a_transfer_waits_for_room() -> None:
    # room for 1,000 tokens and what follows on them, not for 2,000
    result = simulate(
        split(machine("prefill", replicas=2), machine("decode", kv_tokens=1600), wire(50.0)),
        asked([0.0, 0.0], 1000, 101),
    )
    first, second = np.sort(result.finish_s)
    assert (result.status == Status.COMPLETED).all()
    assert result.preemptions.sum() == 0
    assert second - first >= 100 * STEP_S
    assert result.transfer_s.max() > 100 * STEP_S


def throughput(readers: int, writers: int, prompt: int, output: int, seats: int) -> float:
    """Requests a second when everything has been asked for at once."""
    n = 3000
    fleet = split(machine("prefill", readers), machine("decode", writers, seats=seats, kv_tokens=10**7), wire(1e3))
    result = simulate(fleet, asked([0.0] * n, prompt, output))
    assert (result.status == Status.COMPLETED).all()
    ends = np.sort(result.finish_s)
    return 0.8 * n / float(ends[int(0.9 * n)] - ends[int(0.1 * n)])


@pytest.mark.parametrize(("readers", "writers"), [(1, 3), (2, 2), (6, 1)])
def test_the_slower_half_sets_the_throughput(readers: int, writers: int) -> None:
    prompt, output, seats = 800, 65, 16
    prompts_per_s = readers / (prompt * PROMPT_S)
    # a request sits for its 64 iterations and, as seats are given before KV caches are sent, for the sending
    decoded_per_s = writers * seats / ((output - 1) * STEP_S)
    rate = throughput(readers, writers, prompt, output, seats)
    assert rate == pytest.approx(min(prompts_per_s, decoded_per_s), rel=0.05)


def test_a_pair_and_a_whole_replica_are_compared() -> None:
    """Under merit order the pair serves who needs its speed, and a replica that costs less the others."""
    fleet = split(machine("prefill", replicas=2), machine("decode"), wire(50.0))
    slow = MeasuredCoefficients(host_s=0.05, per_token_s=2e-4, idle_w=1, busy_w=2, kv_tokens=10**6, usd_per_hour=0.1)
    whole = Pool(site="here", measured=slow, model=MODEL, replicas=1, engine=Engine())
    services = {
        "fast": Service(model=MODEL, share=0.5, slo=Slo(ttft=2.0, token_rate=50)),
        "slow": Service(model=MODEL, share=0.5, slo=Slo(ttft=5.0, token_rate=5)),
    }
    dear = fleet.pools["writer"].model_copy(update={"usd_per_mtok_output": 100.0})
    pools = {**fleet.pools, "writer": dear, "whole": whole}
    fleet = Fleet.model_validate(
        fleet.model_dump() | {"pools": pools, "services": services, "dispatch": {"policy": "merit-order"}}
    )
    gaps = np.random.default_rng(1).exponential(0.5, 400)
    result = simulate(fleet, make_trace(np.cumsum(gaps), [500] * 400, [40] * 400))
    fast = result.service == 0
    assert (result.decode_pool[fast] == 1).mean() > 0.95
    assert (result.pool[~fast] == 2).mean() > 0.95


def test_the_summary_counts_each_half_where_it_was() -> None:
    fleet = split(machine("prefill", replicas=2), machine("decode"), wire(1.0))
    result: Result = simulate(fleet, asked([0.0, 1.0, 2.0], 1000, 11))
    told = summarise(result)
    reader, writer = told["by_pool"]["reader"], told["by_pool"]["writer"]
    assert (reader["requests"], writer["requests"]) == (3, 3)
    assert (reader["prompt_tokens_computed"], reader["tokens_produced"], reader["output_tokens"]) == (3000, 3, 0)
    assert (writer["prompt_tokens_computed"], writer["tokens_produced"], writer["output_tokens"]) == (0, 30, 33)
    assert reader["ttft_s"]["p50"] is not None
    assert reader["tpot_s"]["p50"] is None
    assert writer["tpot_s"]["p50"] > STEP_S
    (row,) = told["transfers"]
    assert (row["prefill"], row["decode"], row["requests"]) == ("reader", "writer", 3)
    assert row["transfer_s"]["mean"] == pytest.approx(float(result.transfer_s.mean()))
