"""CS-3 as a public service: prompt times of a 70B model, and published speeds of others.

The array is that of CS-2. What the service adds: its software's share of a layer's time, a fixed time per pass,
speculative decoding (its parameters aren't published: what is fitted are tokens per pass and the time of drafting), and
how far a vendor's own figures exceed what others measure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scripts.machine_fit.data import Data, Floats, Row, columns
from scripts.machine_fit.wafer_answers import SERVICE, TEST, TESTED, fit_answers
from scripts.machine_fit.write import Fitted, seconds

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import accelerators, models
from meritorder.catalog.names import model_of
from meritorder.catalog.wafer import WaferCoefficients
from meritorder.perf.wafer import pair_seconds, pipeline_latency, token_slot
from meritorder.perf.wafer_service import service_placement, user_seconds, vendor_share

BEFORE_SPECULATION = "2024-10"
LONG_CALL = 100  # tokens: shorter calls measure the start
# Analysts (SemiAnalysis, 2026-05): speed falls with the power -0.3 of the active parameters over 5 to 30 B, from
# gpt-oss-120b's. Two mixtures that the service has never been quoted with stand for it.
LAW_FROM, LAW_POWER, LAW_SHAPES = "gpt-oss-120b", -0.3, ("minimax-m2.5", "qwen3.5-397b-a17b")
# Start, bounds and width of what is known beforehand, in logarithms: software, fixed time, tokens per pass of dense
# models and of models with experts, drafting, vendor's claim.
START = np.array([0.8, 2.5e-4, 3.0, 2.0, 3e-4, 1.15])
LOW = np.array([0.3, 2e-5, 1.0, 1.0, 2e-5, 0.8])
HIGH = np.array([1.5, 8e-4, 6.0, 6.0, 1e-3, 2.0])
WIDTH = np.array([0.5, 1.0, 0.5, 0.5, 0.5, 0.2])
COMPUTE = (0.03, 0.12)  # shares of the dense FLOP/s that are likely in prompts


@dataclass(frozen=True)
class Speed:
    """One published speed of one user: `vendor` is 1 for a vendor's figure, 0 for measured, 0.5 for both."""

    model: str
    token_s: float
    vendor: float
    speculates: bool
    weight: float = 1.0


def fit_service(data: Data, fitted: Fitted, array: WaferCoefficients) -> None:
    """Fit cs-3 and the setup `cerebras-service`; derive cs-4."""
    base = accelerators()["cs-3"]
    kept = {name: getattr(array, name) for name in ("hop_cycles", "message_cycles", "shift_cycles", "step_cycles")}
    kept |= {"mac_cycles": array.mac_cycles, "cycle": array.cycle, "core_reserve": array.core_reserve}
    unknown = {"compute": float(np.sqrt(np.prod(COMPUTE))), "token_floor": 0.0}
    chip = base.model_copy(update={"wafer": base.wafer.model_copy(update={**kept, **unknown})})
    prompts = _prompt_line(data)
    speeds = published(data)
    x = _solve(chip, speeds, prompts)
    chip = _with(chip, x)
    errors = np.array([np.exp(abs(_error(chip, x, speed))) - 1 for speed in speeds])
    note = f"{len(speeds)} published speeds, median error {np.median(errors):.0%}, worst {errors.max():.0%}"
    line, compute = "no prompt times", chip.wafer.compute
    if prompts:
        base_ms, token_us = prompts[0] * 1e3, prompts[1] * 1e6
        line = f"CS-3 service, Llama 3.3 70B: {base_ms:.2f} ms + {token_us:.1f} us per prompt token"
        compute = _compute(data, chip)
    chip = chip.model_copy(update={"wafer": chip.wafer.model_copy(update={"compute": compute})})
    floor = _floor(data, chip)
    chip = chip.model_copy(update={"wafer": chip.wafer.model_copy(update={"token_floor": floor})})
    for machine, times, source in (("cs-3", 1.0, "wafer"), ("cs-4", 0.5, "derived")):
        low = "low" if machine == "cs-4" else "medium"
        for name in ("hop_cycles", "message_cycles", "shift_cycles", "step_cycles", "mac_cycles"):
            fitted.add(machine, name, float(kept[name]), "wafer", low, note="of WSE-2: the same network-on-chip")
        fitted.add(machine, "cycle", f"{array.cycle * times * 1e9:.4g} ns", source, low)
        fitted.add(machine, "core_reserve", f"{array.core_reserve:.0f} B", "wafer", "low", note="of WSE-2")
        fitted.add(machine, "software", float(x[0]), source, low, note=f"{line}; {note}")
        fitted.add(machine, "pass_fixed", seconds(x[1] * times), source, "low", note=note)
        fitted.add(machine, "token_floor", seconds(floor * times), source, "low", note="one call of gpt-oss-120b")
        fitted.add(machine, "compute", compute, source, "low", low=COMPUTE[0], high=COMPUTE[1], note=line)
        _ranges(fitted, machine)
    names = ("accepted", "accepted_experts", "draft", "vendor_claim")
    for name, value in zip(names, x[2:], strict=True):
        fitted.setup(SERVICE, name, float(value), "wafer", "low", note=note)
    fit_answers(data, fitted, chip)


def _ranges(fitted: Fitted, machine: str) -> None:
    """What nobody has published."""
    note = "nobody publishes throughput under concurrency"
    fitted.add(machine, "decode_slot", 1.0, "guess", "guess", low=0.2, high=5.0, note=note)
    note = "four CS-3 held Llama 70B in FP16, 80 % of their SRAM, and its KV cache; 40 of 44 GB is the most reported"
    fitted.add(machine, "sram", 0.85, "guess", "guess", low=0.81, high=0.91, note=note)


def published(data: Data) -> list[Speed]:
    """Published and measured speeds of one user on CS-3, each model with the same weight in all."""
    found = [Speed(_name(row), 1 / float(row["tok_s_per_user"]), *_kind(row)) for row in _speeds(data)]
    for row in data.rows("wafer_api_timings_calib.csv"):
        if row["provider"] == "Cerebras" and int(row["completion_tokens"]) >= LONG_CALL:
            took = float(row["completion_s"]) / float(row["completion_tokens"])
            found.append(Speed(model_of(row["model"]), took, 0.0, True))
    tests = [row for row in data.rows(TEST) if "long_output" in row["prompt_type"]]
    if tests:
        rate = np.exp(np.mean([np.log(float(row["server_decode_tok_s"])) for row in tests]))
        found.append(Speed(TESTED, float(1 / rate), 0.0, True))
    measured = [speed.token_s for speed in found if speed.model == LAW_FROM and speed.vendor == 0]
    if measured:
        start = models()[LAW_FROM].active_params
        for name in LAW_SHAPES:
            ratio = (models()[name].active_params / start) ** -LAW_POWER
            found.append(Speed(name, float(np.exp(np.mean(np.log(measured)))) * ratio, 0.0, True))
    count = Counter(models()[speed.model].params for speed in found)  # 3.1 and 3.3 of Llama 70B are one shape
    return [replace(speed, weight=1 / count[models()[speed.model].params]) for speed in found]


def _speeds(data: Data) -> list[Row]:
    rows = [row for row in data.rows("wafer_vendor_speeds_calib.csv") if row["provider"] == "Cerebras"]
    # The launch of 70B: the same wafers were 3.5 times faster two months later.
    return [row for row in rows if not (row["date"] < BEFORE_SPECULATION and "70B" in row["model"])]


def _name(row: Row) -> str:
    return model_of(row["model"])


def _kind(row: Row) -> tuple[float, bool]:
    return vendor_share(row["kind"]), row["date"] >= BEFORE_SPECULATION


def _with(chip: Accelerator, x: Floats) -> Accelerator:
    wafer = chip.wafer.model_copy(update={"software": float(x[0]), "pass_fixed": float(x[1])})
    return chip.model_copy(update={"wafer": wafer})


def _error(chip: Accelerator, x: Floats, speed: Speed) -> float:
    """Logarithm of predicted over published speed."""
    service = {"accepted": float(x[2]), "accepted_experts": float(x[3]), "draft": float(x[4])}
    token = user_seconds(service_placement(chip, models()[speed.model]), service, speed.speculates)
    return float(np.log(speed.token_s / token) + np.log(x[5]) * speed.vendor)


def _solve(chip: Accelerator, speeds: list[Speed], prompts: tuple[float, float] | None) -> Floats:
    tested = models()[TESTED]

    def residuals(x: Floats) -> Floats:
        tuned = _with(chip, x)
        errors = [np.sqrt(speed.weight) * _error(tuned, x, speed) / 0.2 for speed in speeds]
        if prompts:
            through = pipeline_latency(service_placement(tuned, tested))
            errors.append(np.log(through / prompts[0]) / 0.03)
        return np.array([*errors, *(np.log(x / START) / WIDTH)])

    return np.asarray(least_squares(residuals, START, bounds=(LOW, HIGH), x_scale=START, diff_step=1e-4).x)


def _prompt_line(data: Data) -> tuple[float, float] | None:
    """Seconds of a prompt on the CS-3 service, `a + b tokens`, weighted for relative errors; None: not measured."""
    if not data.rows(TEST):
        return None
    tokens, took = columns(data.rows(TEST), "prompt_tokens", "server_prompt_ms")
    slope, base = np.polyfit(tokens, took / 1e3, 1, w=1 / took)
    return float(base), float(slope)


def _compute(data: Data, chip: Accelerator) -> float:
    """Share of the dense FLOP/s in the prompts of the test, latency taken off; least squares on relative errors."""
    one = chip.model_copy(update={"wafer": chip.wafer.model_copy(update={"compute": 1.0, "token_floor": 0.0})})
    place = service_placement(one, models()[TESTED])
    latency, slot, pair = pipeline_latency(place), token_slot(place), pair_seconds(place)
    tokens, took = columns(data.rows(TEST), "prompt_tokens", "server_prompt_ms")
    work = (tokens * slot + tokens * (tokens + 1) / 2 * pair) / (took / 1e3)
    return float(work @ work / (work @ (1 - latency / (took / 1e3))))


def _floor(data: Data, chip: Accelerator) -> float:
    """Seconds per prompt token of models with few active parameters, the pipeline's latency taken off; 0: unknown."""
    times = []
    for row in data.rows("wafer_api_timings_calib.csv"):
        if row["provider"] == "Cerebras" and row["model"] == "gpt-oss-120b":
            through = pipeline_latency(service_placement(chip, models()[model_of(row["model"])]))
            times.append((float(row["prompt_s"]) - through) / float(row["prompt_tokens"]))
    return float(np.median(times)) if times else 0.0
