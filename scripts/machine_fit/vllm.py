"""vLLM 0.15.1 on H100: what the engine and its front end add to the kernels, from load stages of whole servers.

Every stage is simulated as `merit predict` simulates it, and the coefficients are moved until means and tails of time
to first token and of the whole request agree best. Only a handful of coefficients for all models together: what a
single model is off, it stays off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from scipy.optimize import least_squares
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.write import Fitted

from meritorder.catalog.engine import WholeEngine
from meritorder.catalog.load import Catalog, catalog
from meritorder.predict.open_loop import VERSION, Load, asked, figures, requests
from meritorder.predict.vllm import serve, server

RUNS, MORE_RUNS = "e2e_vllm_blis_calib.csv", "e2e_vllm_llama2_7b_percentiles.csv"

# name: start, least, most, how surely the start holds. Attention should be what was measured; only models with many KV
# heads would tell otherwise.
COEFFICIENTS = {
    "host": (1e-4, 0.0, 3e-3, 0.1),
    "layer": (1e-5, 0.0, 1e-4, 0.1),
    "attention": (1.0, 0.7, 1.4, 5.0),
    "narrow_layer": (2e-5, 0.0, 1e-4, 0.1),
    "prompt_token": (4e-7, 0.0, 4e-6, 0.1),
    "tensor_byte": (1e-11, 0.0, 1e-10, 0.1),
    "request": (6e-3, 0.0, 2e-2, 0.1),
}
# The one model of experts is in 8 bit: what routing takes can't be told from what quantising takes.
GUESSED = {"expert_layer": 2e-5}
CAPTURED = 512.0  # tokens: the largest CUDA graph
NAME = f"vllm-{VERSION}"
# On chips with 4-bit arithmetic this version is known from InferenceX (B200), to which its terms are fitted.
WHEN = {"engine": ("vllm",), "version": (VERSION,), "arithmetic": ("16", "8")}
# What counts how much: tails are a few requests and lean on chance.
METRICS = {"e2e_mean_ms": 1.0, "ttft_mean_ms": 0.7, "e2e_p99_ms": 0.2, "ttft_p99_ms": 0.3}
# Loads of the percentile file, which has them by name only: tokens of system prompt and question, tokens asked for,
# system prompts, users of each.
NAMED = {"roleplay": (150, 600, 251, 10, 5), "general": (100, 447, 248, 9, 5)}
# Which requests of these runs found their prompt in the cache is not known.
LEFT_OUT = "reasoning-lite"


def fit_vllm(data: Data, fitted: Fitted) -> None:
    """Fit what vLLM 0.15.1 adds, kernels as fitted before."""
    known, loads = catalog(fitted.document()), _loads(data)
    names = list(COEFFICIENTS)
    start, low, high, surely = (np.array(column) for column in zip(*COEFFICIENTS.values(), strict=True))

    def added(x: Floats) -> dict[str, float]:
        return {"captured": CAPTURED, **GUESSED, **dict(zip(names, (x * start).tolist(), strict=True))}

    def with_engine(x: Floats) -> Catalog:
        return replace(known, engines=replace(known.engines, whole=(WholeEngine(WHEN, added(x)),)))

    def residuals(x: Floats) -> Floats:
        errors = _errors(loads, with_engine(x))
        counted = errors * np.array(list(METRICS.values())) / 0.05
        # beyond 5 % an error counts less and less
        robust = np.sign(counted) * np.sqrt(2 * (np.sqrt(1 + counted**2) - 1))
        return np.asarray(np.r_[robust.ravel(), surely * (x - 1.0)])

    bounds = low / start, high / start
    # tails jump from request to request: short steps would follow the jumps
    found = least_squares(residuals, np.ones(len(start)), bounds=bounds, diff_step=0.2, max_nfev=20)
    errors = np.abs(_errors(loads, with_engine(found.x)))
    note = f"{len(errors)} load stages, median error " + ", ".join(
        f"{metric.removesuffix('_ms').replace('_', ' ').upper()} {error:.1%}"
        for metric, error in zip(METRICS, np.median(errors, axis=0), strict=True)
    )
    fitted.version(NAME, WHEN)
    for name, value in added(found.x).items():
        if name == "captured":
            fitted.of_version(NAME, name, value, "vllm", "high")
        elif name in GUESSED:
            fitted.of_version(NAME, name, value, "guess", "guess")
        else:
            fitted.of_version(NAME, name, value, "blis", "medium", note=note)


def stages(data: Data) -> list[list[Row]]:
    """Runs with their stages, for the form; outcomes are in the rows."""
    rows = [row for row in data.rows(RUNS) if row["rate_rps"] and row["stage"] != "all"]
    models = {row["model"] for row in rows}
    for row in data.rows(MORE_RUNS):
        # the file repeats one run of the other; a model that is held out there is held out here
        if row["rate_rps"] and row["workload"] in NAMED and row["model"] in models:
            rows.append({**_defaults(rows, row), **row})
    return [list(run) for _, run in groupby(sorted(rows, key=lambda r: r["exp"]), key=lambda r: r["exp"])]


def _defaults(rows: Sequence[Row], row: Row) -> Row:
    of_model = next(r for r in rows if r["model"] == row["model"])
    columns = ("system_prompt_len", "question_len", "output_len_nominal", "n_system_prompts", "users_per_system_prompt")
    return {**of_model, **{name: str(value) for name, value in zip(columns, NAMED[row["workload"]], strict=True)}}


def _loads(data: Data) -> list[tuple[list[Row], Load]]:
    return [(run, requests(run)) for run in stages(data) if run[0]["workload"] != LEFT_OUT]


def _errors(loads: Sequence[tuple[list[Row], Load]], known: Catalog) -> Floats:
    """Logarithms of predicted over measured: a row a stage, a column a metric."""
    found = []
    for run, load in loads:
        served = serve(server(asked(run[0]), known, VERSION), load.trace)
        for number, row in enumerate(run):
            predicted: Mapping[str, float] = figures(row, served, load.stage == number)
            found.append([np.log(predicted[name] / float(row[name])) for name in METRICS])
    return np.array(found)
