"""Simulate vLLM servers that were measured under load, and compare: the whole simulator, not its parts.

    python -m scripts.replay_vllm DATA

DATA is the folder of calibration files; read is `e2e_vllm_blis_calib.csv` (vLLM 0.15 on H100s, two load stages a
run). The iteration coefficients were fitted to the same runs among others, so this is no accuracy on unseen ones.
What the data do not say: prompt and output lengths of single requests (means are taken, outputs from E2E, TTFT and
time per token), and whether prompts hit a prefix cache (here they don't; the load had few distinct prompts).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.serving import MODELS

from meritorder.catalog.load import accelerators, models
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Site
from meritorder.simulate.columns import columns, latency
from meritorder.simulate.run import simulate
from meritorder.workload.trace import make_trace

# BLIS fits 15.6 ms a request and 46 us a token to what vLLM's front end adds.
REQUEST_OVERHEAD_S, OUTPUT_TOKEN_OVERHEAD_S = 0.0156, 46e-6
METRICS = ("TTFT mean", "TTFT p99", "TPOT mean", "E2E mean", "E2E p99")


@dataclass(frozen=True)
class Replay:
    """A load stage: predicted and measured ms, in the order of METRICS."""

    label: str
    predicted: tuple[float, ...]
    measured: tuple[float, ...]


def replays(folder: Path) -> list[Replay]:
    """Every stage of a model in the catalog, simulated."""
    found = []
    for row in Data(folder).rows("e2e_vllm_blis_calib.csv"):
        if row["model"] in MODELS and row["rate_rps"] and row["stage"] != "all":
            found.append(replay(row, MODELS[row["model"]]))
    return found


def replay(row: Row, model: str) -> Replay:
    """One stage: constant rate, prompts of the mean length, outputs around the mean that was served."""
    measured = tuple(
        float(row[name]) for name in ("ttft_mean_ms", "ttft_p99_ms", "itl_mean_ms", "e2e_mean_ms", "e2e_p99_ms")
    )
    rate, prompt = float(row["rate_rps"]), int(row["system_prompt_len"]) + int(row["question_len"])
    n = int(rate * float(row["duration_s"]))
    output = 1 + (measured[3] - measured[0]) / measured[2]
    outputs = np.random.default_rng(0).normal(output, 0.05 * output, n).clip(2).astype(int)
    trace = make_trace(np.arange(n) / rate, np.full(n, prompt), outputs)
    requests = columns(simulate(server(row, model), trace))
    ttft, tpot, e2e = (1e3 * latency(requests, name) for name in ("ttft_s", "tpot_s", "e2e_s"))
    predicted = (ttft.mean(), np.quantile(ttft, 0.99), np.nanmean(tpot), e2e.mean(), np.quantile(e2e, 0.99))
    return Replay(f"{model} TP{row['tp']} {row['workload']} {rate:g}/s", tuple(map(float, predicted)), measured)


def server(row: Row, model: str) -> Fleet:
    """One vLLM server with the settings of the run."""
    engine = Engine(
        max_sequences=int(row["max_num_seqs"]),
        token_budget=int(row["max_num_batched_tokens"]),
        kv_blocks=int(row["gpu_kv_blocks"]) if row["gpu_kv_blocks"] else None,
        prefix_caching=False,
        request_overhead=REQUEST_OVERHEAD_S,
        output_token_overhead=OUTPUT_TOKEN_OVERHEAD_S,
    )
    return Fleet(
        name="vLLM",
        models={model: models()[model]},
        accelerators={"h100": accelerators()["h100"]},
        sites={"here": Site(usd_per_kwh=0.1, kg_per_kwh=0.3)},
        pools={
            "server": Pool(
                site="here", accelerator="h100", model=model, replicas=1, tensor=int(row["tp"]), engine=engine
            )
        },
        services={"all": Service(model=model)},
    )


def report(folder: Path) -> str:
    """Markdown: errors by metric over all stages, then every stage."""
    found = replays(folder)
    ratios = np.array([[p / m - 1 for p, m in zip(r.predicted, r.measured, strict=True)] for r in found])
    lines = ["| metric | stages | median error | mean error | bias (median) |", "|---|---:|---:|---:|---:|"]
    for name, e in zip(METRICS, ratios.T, strict=True):
        errors = f"{np.median(abs(e)):.1%} | {np.mean(abs(e)):.1%} | {np.median(e):+.1%}".replace("%", " %")
        lines.append(f"| {name} | {len(e)} | {errors} |")
    lines += ["", f"| stage | {' | '.join(f'{name}, ms' for name in METRICS)} |", "|---|" + "---:|" * len(METRICS)]
    for r in found:
        cells = (f"{p:.0f} / {m:.0f}" for p, m in zip(r.predicted, r.measured, strict=True))
        lines.append(f"| {r.label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the calibration files")
    print(report(parser.parse_args().data))


if __name__ == "__main__":
    main()
