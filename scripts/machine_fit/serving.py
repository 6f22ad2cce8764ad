"""Serving runs of the calibration files, and the time per output token that the iteration table predicts for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.machine_fit.data import SYSTEMS, Data, Row

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import models
from meritorder.perf.gpu import gpu_table
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable

MODELS = {
    "meta-llama/Llama-2-7b-hf": "llama-2-7b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
    "mistralai/Mistral-Nemo-Instruct-2407": "mistral-nemo-12b",
    "01-ai/Yi-34B": "yi-34b",
    "Qwen/Qwen2.5-7B-Instruct": "qwen2.5-7b",
    "Qwen/Qwen3-32B": "qwen3-32b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "openai/gpt-oss-120b": "gpt-oss-120b",
}

# InferenceX draws lengths from 80 to 100 % of the nominal ones.
DRAWN = 0.9


@dataclass(frozen=True)
class Run:
    """One measured operating point: `rate` > 0 is an open loop (requests/s), else `concurrency` holds."""

    data: str
    engine: str
    machine: str
    model: str
    tensor: int
    weights: str
    kv: str
    token_budget: int
    prompt: float
    output: float
    concurrency: float
    rate: float
    tpot: float  # measured, seconds

    @property
    def batch(self) -> float:
        """Sequences that decode at a time, as measured (Little's law in an open loop)."""
        return self.rate * self.output * self.tpot if self.rate else self.concurrency


def trusted(run: Run) -> bool:
    """Runs in which decode shows: not those that mostly wait for prompts, nor those beyond saturation."""
    return run.output >= 500 or run.data == "BLIS"


def runs(data: Data) -> list[Run]:
    """All runs of models and machines that the catalog has, rows of doubtful quality left out."""
    return [*_inferencex(data), *_blis(data)]


def _inferencex(data: Data) -> Iterator[Run]:
    for row in data.rows("e2e_inferencex_calib.csv"):
        model, machine = MODELS.get(row["model_path"]), SYSTEMS.get(row["system"])
        usable = row["quality"] == "ok" and row["mode"] == "agg" and float(row["attention_dp_size"] or 1) == 1
        if not (
            model and machine and usable and float(row["pp_size"] or 1) == 1 and float(row["moe_ep_size"] or 1) == 1
        ):
            continue
        weights = {"": "bf16", "fp8": "fp8", "fp4": "fp4"}[row["precision"]]
        if model == "gpt-oss-120b":
            weights = "mxfp4"
        yield Run(
            data="InferenceX",
            engine=row["backend"],
            machine=machine,
            model=model,
            tensor=int(float(row["tp_size"])),
            weights=weights,
            kv="fp8" if weights in ("fp8", "fp4") else "fp16",
            token_budget=8192,
            prompt=float(row["isl"]) * DRAWN,
            output=float(row["osl"]) * DRAWN,
            concurrency=float(row["concurrency"] or row["batch_size"]),
            rate=0.0,
            tpot=float(row["silicon_tpot_ms"]) / 1e3,
        )


def _blis(data: Data) -> Iterator[Run]:
    for row in data.rows("e2e_vllm_blis_calib.csv"):
        if row["stage"] != "all" and row["model"] in MODELS and row["rate_rps"]:
            yield _blis_run(row, float(row["ttft_mean_ms"]), float(row["itl_mean_ms"]), float(row["e2e_mean_ms"]))
    for row in data.rows("e2e_vllm_llama2_7b_percentiles.csv"):
        if not row["rate_rps"]:
            continue
        yield _blis_run(row, float(row["ttft_mean_ms"]), float(row["itl_mean_ms"]), float(row["e2e_mean_ms"]))


def _blis_run(row: Row, ttft: float, itl: float, e2e: float) -> Run:
    if "prompt_len_mean" in row:
        prompt = float(row["prompt_len_mean"])
    else:
        prompt = float(row["system_prompt_len"]) + float(row["question_len"])
    return Run(
        data="BLIS",
        engine="vllm",
        machine=row["gpu"].lower(),
        model=MODELS[row["model"]],
        tensor=int(row["tp"]),
        weights="bf16",
        kv="fp16",
        token_budget=int(row["max_num_batched_tokens"]),
        prompt=prompt,
        # Outputs end where the model ends them: the mean that was served follows from the times.
        output=(e2e - ttft) / itl + 1,
        concurrency=0.0,
        rate=float(row["rate_rps"]),
        tpot=itl / 1e3,
    )


def table(run: Run, chip: Accelerator) -> IterationTable:
    """The iteration table of the run's replica."""
    budget = min(run.token_budget, 8192)
    most = min(budget, max(256, round(run.batch) + 1))
    place = Placement(chip, models()[run.model], run.tensor, 1, run.weights, run.kv, most, budget)
    return gpu_table(place)


def predict(run: Run, times: IterationTable) -> float:
    """Mean time per output token, seconds, in the steady state of the run."""
    if not run.rate:
        batch = max(1, min(round(run.concurrency), times.max_sequences))
        return _token(run, times, batch, (batch - 1) / run.output)
    tpot = 0.01
    for _ in range(100):
        batch = max(1, min(round(run.rate * run.output * tpot), times.max_sequences))
        tpot = 0.5 * (tpot + _token(run, times, batch, run.rate * tpot))
        tpot = min(tpot, 10.0)
    return tpot


def _token(run: Run, times: IterationTable, batch: int, prompts: float) -> float:
    """A decode iteration, plus what the `prompts` that start per iteration add to it."""
    context = run.prompt + run.output / 2
    decode = times.seconds(batch, batch * context)
    return decode + prompts * prompt_seconds(run.prompt, times, batch)


def prompt_seconds(prompt: float, times: IterationTable, batch: int) -> float:
    """Seconds that a prompt adds to iterations in which `batch` sequences decode."""
    room = times.token_budget - batch
    left, cached, total = round(prompt), 0, 0.0
    alone = times.seconds(batch, 0)
    while left > 0:
        chunk = min(left, room)
        pairs = chunk * cached + chunk * (chunk + 1) / 2
        total += times.seconds(batch, 0, chunk, pairs) - alone
        left, cached = left - chunk, cached + chunk
    return total
