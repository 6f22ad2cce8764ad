"""vLLM 0.19 on RTX GPUs: what the engine adds to profiled kernels, from one run request by request; the PCIe link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares
from scripts.machine_fit.data import Data, Floats, Row, columns
from scripts.machine_fit.write import Fitted

from meritorder.catalog.engine import PROFILED, WholeEngine
from meritorder.catalog.load import catalog
from meritorder.predict.requests import REQUESTS, VERSION

RUN = "req_vllm_llmss_calib.csv"
NAME = f"vllm-{VERSION}"
WHEN = {"engine": ("vllm",), "version": (VERSION,), "kernels": (PROFILED,)}

# name: start, least, most. Starts are what holds without the run: gaps as on H100, lengths all equal.
COEFFICIENTS = {"layer": (1e-5, 0.0, 5e-5), "prompt_layer": (2e-5, 0.0, 3e-4), "attention": (1.0, 0.8, 1.4)}
WAITED_MS = 1.0  # requests that waited for less than that show what an iteration with prompts takes


def fit_vllm_requests(data: Data, fitted: Fitted) -> None:
    """Fit the additions to one run, so that its means and the times of single prompts agree."""
    link = _link(data)
    fitted.version(NAME, WHEN)
    note = "all-reduce of two L40S over PCIe 4; twice the rate over PCIe 5"
    for name, value in link.items():
        fitted.of_version(NAME, name, value, "operators", "low", note=note)
    rows = data.rows(RUN)
    names = list(COEFFICIENTS)
    start, low, high = (np.array(column) for column in zip(*COEFFICIENTS.values(), strict=True))
    known = catalog(fitted.document())

    def errors(x: Floats) -> Floats:
        return _errors(rows, {**link, **dict(zip(names, (x * start).tolist(), strict=True))})

    def _errors(rows: Sequence[Row], added: dict[str, float]) -> Floats:
        answers = REQUESTS.predict(
            [{k: v for k, v in row.items() if k not in REQUESTS.adds} for row in rows],
            replace(known, engines=replace(known.engines, whole=(WholeEngine(WHEN, added),))),
            lambda count: None,
        )
        found = []
        for name in ("ttft_ms", "tpot_ms", "e2e_ms"):
            predicted, measured = np.array([a.values[name] for a in answers]), columns(rows, name)[0]
            found.append(float(np.log(predicted.mean() / measured.mean())))
            if name == "ttft_ms":
                soon = columns(rows, "queue_ms")[0] < WAITED_MS
                found.append(float(np.median(np.log(predicted[soon] / measured[soon]))))
        return np.array(found)

    x, note = np.ones(len(names)), "starting values: no run to fit"
    if rows:
        prior = np.array([2.0, 0.05, 0.5])  # how surely the start holds
        doubt = np.array([0.01, 0.05, 0.005, 0.005])  # how far each figure may be off
        found = least_squares(
            lambda x: np.r_[errors(x) / doubt, prior * (x - 1.0)], x, bounds=(low / start, high / start), diff_step=0.05
        )
        x = found.x
        waited, short, token, whole = errors(x)
        note = f"{len(rows)} requests of one run: TTFT {waited:+.1%}, unqueued {short:+.1%}, TPOT {token:+.1%}, "
        note += f"E2E {whole:+.1%}"
    for name, value in zip(names, x * start, strict=True):
        fitted.of_version(NAME, name, float(value), "llmss", "medium" if rows else "low", note=note)


def _link(data: Data) -> dict[str, float]:
    """Seconds per call and per byte of an all-reduce of two L40S, at twice their rate."""
    rows = [
        row
        for row in data.rows("op_collectives.csv")
        if (row["system"], row["op_name"], row["variant"], row["num_gpus"]) == ("l40s", "all_reduce", "vllm_graph", "2")
    ]
    elements, took = columns(rows, "message_size", "latency_ms")
    used = (elements >= 2048) & (elements <= 8e6)
    terms = np.c_[np.ones(used.sum()), 2.0 * elements[used]] / took[used, None]
    fixed, byte = np.linalg.lstsq(terms, np.ones(used.sum()), rcond=None)[0] / 1e3
    return {"link_fixed": float(fixed), "link_byte": float(byte) / 2}
