"""A version of an engine that was fitted as a whole: a fleet file that names it gets the machine that was validated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meritorder.catalog.engine import EngineProfile, conditions
from meritorder.catalog.layers import layer_times
from meritorder.catalog.load import accelerators, catalog, engines, models
from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.perf.gpu import gpu_table
from meritorder.perf.graphs import graph_size
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable
from meritorder.predict.open_loop import VERSION, asked, requests
from meritorder.predict.requests import Setting, engine
from meritorder.predict.vllm import queued, serve, server
from meritorder.simulate.run import simulate

STAGE = {
    **{"exp": "a run", "stage": "0", "model": "meta-llama/Llama-3.1-8B-Instruct", "gpu": "H100", "tp": "1"},
    **{"precision": "FP8", "max_num_batched_tokens": "2048", "max_num_seqs": "128", "system_prompt_len": "100"},
    **{"question_len": "447", "output_len_nominal": "100", "n_system_prompts": "9", "users_per_system_prompt": "5"},
    **{"rate_rps": "10", "duration_s": "60"},
}


def fleet(pool: str, engine: str, model: str = "llama-3.1-8b") -> Fleet:
    return loads(
        f"""
name: one server
sites: {{here: {{usd_per_kwh: 0, kg_per_kwh: 0}}}}
pools:
  server: {{site: here, model: {model}, replicas: 1, {pool}, engine: {{{engine}}}}}
services: {{all: {{model: {model}}}}}
dispatch: {{policy: least-request}}
""",
        "one.yaml",
    )


H100 = fleet(
    "accelerator: h100, weights: fp8",
    "name: vllm, version: 0.15.1, max_sequences: 128, token_budget: 2048",
)


def columns(table: IterationTable) -> np.ndarray:
    return np.r_[table.step_s, table.prefill_s, table.decode_s, table.decode_kv_s, table.pair_s, table.mixed_kv_s]


def test_a_fleet_file_has_the_replica_of_the_validated_form() -> None:
    mine, validated = compile_replica(H100, "server"), server(asked(STAGE), catalog(), VERSION).replica
    assert (columns(mine.table) == columns(validated.table)).all()
    assert (mine.kv_blocks, mine.max_context, mine.request_s) == (
        validated.kv_blocks,
        validated.max_context,
        validated.request_s,
    )
    assert mine.request_s > 0


def test_a_fleet_file_has_the_times_of_the_validated_form_but_for_the_queued_iteration() -> None:
    trace = requests([STAGE]).trace
    result, served = simulate(H100, trace), serve(server(asked(STAGE), catalog(), VERSION), trace)
    ttft, e2e = result.first_s - result.arrival_s, result.finish_s - result.arrival_s
    iteration = (e2e - ttft) / (trace.output_tokens - 1)
    assert iteration == pytest.approx(served.iteration_s, rel=1e-9)
    every = np.ones(len(trace), bool)
    table = result.replicas[0].table
    later = queued(table, result.start_s, result.first_s, result.finish_s, iteration, trace, every)
    assert ttft + later == pytest.approx(served.ttft_s, rel=1e-9)
    assert 0 < later.mean() < 2 * iteration.mean()


def test_request_overhead_is_the_engines_unless_the_pool_gives_its_own() -> None:
    known = compile_replica(H100, "server")
    assert known.front_end_s(H100.pools["server"].engine) == (known.request_s, 0.0)
    assert [note for note in known.notes if note.startswith("request_overhead: 7.06 ms, as fitted for vllm 0.15.1")]
    own = fleet("accelerator: h100", "name: vllm, version: 0.15.1, request_overhead: 2 ms")
    assert compile_replica(own, "server").front_end_s(own.pools["server"].engine) == (0.002, 0.0)
    assert not [note for note in compile_replica(own, "server").notes if "request_overhead" in note]
    unnamed = fleet("accelerator: h100", "max_sequences: 8")
    assert compile_replica(unnamed, "server").front_end_s(unnamed.pools["server"].engine) == (0.0, 0.0)
    term = fleet("accelerator: h100", "name: sglang, version: 0.5.9")
    assert min(compile_replica(term, "server").front_end_s(term.pools["server"].engine)) > 0


@pytest.mark.parametrize(
    ("chip", "version", "whole"),
    [("h100", "0.15.1", True), ("a100", "0.15.1", True), ("b200", "0.15.1", False), ("h100", "0.18.0", False)],
)
def test_which_data_speak_for_a_version(chip: str, version: str, whole: bool) -> None:
    told = conditions("vllm", version, accelerators()[chip], "llama-3.1-8b", "bf16")
    assert (engines().profile(told).captured > 0) == whole


def test_of_a_version_near_a_whole_one_it_is_told() -> None:
    told = conditions("vllm", "0.15.2", accelerators()["h100"], "llama-3.1-8b", "bf16")
    found = engines().profile(told)
    assert found.captured == 512
    assert found.notes == ("vllm 0.15.2: coefficients of 0.15.1",)


def test_profiled_kernels_go_with_the_version_that_they_were_fitted_for() -> None:
    text = "name: vllm, version: 0.19.0, max_sequences: 128, token_budget: 2048"
    mine = compile_replica(fleet("accelerator: rtx-pro-6000", text), "server")
    validated = engine(layer_times()["rtx-pro-6000", "llama-3.1-8b", 1], Setting(), catalog()).replica
    assert (columns(mine.table) == columns(validated.table)).all()
    watts = mine.table.joules(64, 64 * 1000) / mine.table.seconds(64, 64 * 1000)
    assert 50 < watts < mine.max_w
    other = compile_replica(fleet("accelerator: rtx-pro-6000, kv: fp8", text), "server")
    assert not np.allclose(other.table.step_s, mine.table.step_s, rtol=1e-3)


def placement(engine: EngineProfile, **changes: object) -> Placement:
    place = Placement(accelerators()["h100"], models()["llama-3.1-70b"], 4, 1, "bf16", "fp16", 64, 1024, engine=engine)
    return replace(place, **changes)


def test_every_addition_adds_what_it_says() -> None:
    plain = gpu_table(placement(EngineProfile()))

    def added(place: Placement, *work: float) -> float:
        neutral = gpu_table(replace(place, engine=EngineProfile()))
        return gpu_table(place).seconds(*work) - neutral.seconds(*work)

    layers, hidden = 80, 8192
    assert added(placement(EngineProfile(narrow_layer=1e-5)), 8, 1e4) == 0.0
    assert added(placement(EngineProfile(narrow_layer=1e-5), weights="fp8"), 8, 1e4) == pytest.approx(layers * 1e-5)
    assert added(placement(EngineProfile(prompt_layer=1e-5)), 8, 1e4, 100) == pytest.approx(layers * 1e-5)
    assert added(placement(EngineProfile(prompt_layer=1e-5)), 8, 1e4) == 0.0
    assert added(placement(EngineProfile(prompt_token=1e-7)), 8, 1e4, 100) == pytest.approx(layers * 1e-5)
    slow = EngineProfile(tensor_byte=1e-11)
    assert added(placement(slow), 8, 1e4) == pytest.approx(layers * 2 * 8 * hidden * 2 * 1e-11)
    assert added(placement(slow, tensor=2), 8, 1e4) == 0.0
    graphs = gpu_table(placement(EngineProfile(captured=512)))
    assert graphs.step_s[33] == plain.step_s[40]
    assert graphs.step_s[600] == plain.step_s[600]
    assert (graphs.step_j >= plain.step_j * 0.999).all()


def test_graphs_are_captured_for_few_sizes() -> None:
    tokens = np.array([0, 1, 3, 5, 9, 16, 250, 257, 300, 512, 513], np.float64)
    assert graph_size(tokens, 512).tolist() == [0, 1, 4, 8, 16, 16, 256, 272, 304, 512, 513]
