"""Kernel times of whole models on RTX GPUs, from LLMServingSim's profiles (MIT), written as `catalog/data/layers.yaml`.

What was profiled shape by shape stays a curve; attention, profiled over four lengths at once, becomes a line in the KV
tokens that decoding sequences read, a line in the pairs of the prompts, and what reading costs more beside prompts.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.optimize import nnls
from scripts.machine_fit.data import Data, Floats, Row, columns

from meritorder.catalog.load import models
from meritorder.catalog.names import machine_of, model_of
from meritorder.files import write_text

FILE = Path(__file__).parents[2] / "src/meritorder/catalog/data/layers.yaml"
SOURCE = "LLMServingSim profiler/perf (MIT): kernels under vLLM, bf16"
TWICE = {"layernorm"}  # before attention and before the feed-forward
ENDS, HEAD = {"embedding", "final_layernorm"}, {"lm_head", "sampler"}
# Attention is fitted where serving happens.
LONGEST, MOST = 4200, 2600


def write_layers(data: Data, path: Path = FILE) -> None:
    """Write the catalog's file whole."""
    entries = [_entry(data, *key) for key in sorted(_profiled(data))]
    head = "# Kernel times of models on single GPUs. Written by scripts/fit_machines.py; don't edit by hand.\n"
    lines = [yaml.safe_dump([entry], default_flow_style=None, sort_keys=False, width=1000) for entry in entries]
    write_text(path, head + "layers:\n" + "".join(lines))


def _profiled(data: Data) -> set[tuple[str, str, str]]:
    return {(row["gpu"], row["model"], row["tp"]) for row in data.rows("op_llmss_dense.csv")}


def _entry(data: Data, gpu: str, label: str, tensor: str) -> dict[str, Any]:
    def of(name: str) -> list[Row]:
        return [r for r in data.rows(name) if (r["gpu"], r["model"], r["tp"]) == (gpu, label, tensor)]

    name = model_of(label)
    shape, dense, sequences = models()[name], of("op_llmss_dense.csv"), of("op_llmss_per_sequence.csv")
    mixture = [r for r in data.rows("op_llmss_moe.csv") if (r["gpu"], r["model"]) == (gpu, label)]
    attention, note = _attention(of("op_llmss_attention.csv"))
    return {
        "accelerator": machine_of(gpu),
        "model": name,
        "tensor": int(tensor),
        "layers": shape.layers,
        "hidden": shape.hidden,
        "source": SOURCE,
        "note": note,
        "experts": shape.experts if mixture else 0,
        "active_experts": shape.active_experts if mixture else 0,
        "dense": _sum([r for r in dense if r["layer"] not in ENDS], "tokens"),
        "ends": _sum([r for r in dense if r["layer"] in ENDS], "tokens"),
        "head": _sum([r for r in sequences if r["layer"] in HEAD], "sequences"),
        **attention,
        "mixture": [[int(r["tokens"]), int(r["activated_experts"]), _short(float(r["time_us"]))] for r in mixture],
    }


def _sum(rows: list[Row], by: str) -> list[list[float]]:
    total: dict[int, float] = defaultdict(float)
    for row in rows:
        total[int(row[by])] += float(row["time_us"]) * (2 if row["layer"] in TWICE else 1)
    return [[at, _short(total[at])] for at in sorted(total)]


def _attention(rows: list[Row]) -> tuple[dict[str, Any], str]:
    prompt, cached, batch, held, took = columns(rows, "prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us")
    fixed, kv = [], []
    for size in sorted(set(batch) - {0.0}):
        alone = (prompt == 0) & (batch == size) & (held <= LONGEST)
        line = _least(np.c_[np.ones(alone.sum()), size * held[alone]], took[alone])
        fixed.append([int(size), _short(line[0])])
        kv.append([int(size), _short(line[1] * 1e3)])
    both = (prompt > 0) & (batch >= 16) & (held >= 128) & (held <= MOST) & (cached <= MOST)
    pairs = prompt * cached + prompt * (prompt + 1) / 2
    terms = np.c_[np.ones(both.sum()), batch[both], (batch * held)[both], prompt[both], pairs[both]]
    line = _least(terms, took[both])
    off = float(np.median(np.abs(terms @ line / took[both] - 1)))
    beside = float(np.interp(100, *np.array(kv).T))
    values = {
        "attention": fixed,
        "kv": kv,
        "mixed_kv": _short(max(line[2] * 1e3 - beside, 0.0)),
        "prompt_token": _short(line[3]),
        "pairs": _short(line[4] * 1e6),
    }
    return values, f"attention beside prompts: {int(both.sum())} rows, median error {off:.1%}"


def _least(terms: Floats, took: Floats) -> Floats:
    """Least squares on relative errors, no term negative."""
    found, _ = nnls(terms / took[:, None], np.ones_like(took))
    return np.asarray(found)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
