"""Answers of the CS-3 service: how their speed depends on the text, and single calls beside published speeds."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scripts.machine_fit.data import Data, columns
from scripts.machine_fit.write import Fitted

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import models
from meritorder.catalog.names import model_of
from meritorder.perf.wafer_service import service_placement, user_seconds

SERVICE = "cerebras-service"
TEST = "wafer_cerebras_llama33_70b_api_calib.csv"
TESTED = "llama-3.3-70b"  # the model of the API test; four CS-3 (The Register, August 2024, Hot Chips)
PACES = {
    "pace_short": ("short_input_short_output",),
    "pace_creative": ("short_input_long_output",),
    "pace_analysis": ("long_input_long_output", "long_input_short_output"),
}


def fit_answers(data: Data, fitted: Fitted, chip: Accelerator) -> None:
    """Note paces by kind of text, the start after long prompts, and the factor of single calls."""
    service = {key: float(figure["value"]) for key, figure in fitted.setups[SERVICE].items()}
    token = user_seconds(service_placement(chip, models()[TESTED]), service)
    start = 0.0
    for name, kinds in PACES.items():
        rows = [row for row in data.rows(TEST) if row["prompt_type"] in kinds]
        prompt, output, rate = columns(rows, "prompt_tokens", "completion_tokens", "server_decode_tok_s")
        parts = np.stack([output * token, prompt if name == "pace_analysis" else 0 * prompt], axis=1)
        slow, read = nnls(parts * (rate / output)[:, None], np.ones(len(rows)))[0] if rows else (1.0, 0.0)
        start = max(start, float(read))
        note = f"{len(rows)} runs; speed of such texts over the fitted speed of that model"
        fitted.setup(SERVICE, name, float(1 / slow), "wafer", "low", note=note)
    note = "per prompt token, before the first tokens of an answer: taken for the draft model's own prefill"
    fitted.setup(SERVICE, "start", start, "wafer", "low", note=note)
    ratios = []
    for row in data.rows("wafer_api_timings_calib.csv"):
        if row["provider"] == "Cerebras":
            place = service_placement(chip, models()[model_of(row["model"])])
            expected = float(row["completion_tokens"]) * user_seconds(place, service)
            ratios.append((float(row["completion_s"]) - float(row["prompt_tokens"]) * start) / expected)
    call = float(np.exp(np.mean(np.log(ratios)))) if ratios else 1.0
    fitted.setup(SERVICE, "call", call, "wafer", "low", note=f"{len(ratios)} calls, slower than published speeds")
