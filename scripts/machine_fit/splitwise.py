"""The engine of Splitwise's table: what it adds to the kernels, and how a power cap slows prompts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq, least_squares
from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.mlenergy import robust
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import Catalog, catalog
from meritorder.perf.gpu import gpu_table
from meritorder.perf.placement import Placement
from meritorder.perf.power_cap import capped
from meritorder.predict.splitwise import CAP, CAPPED, SETUP, Batch, batch_of, machine, seconds, server, shares, work

FILE = "splitwise_steps_power_calib.csv"
STRANGE = 8192  # prompts of this length have a mean power below that of a waiting GPU with decode in between

# Name -> start, least, most; times in seconds, `prompt`, `token`: factors, `joined`: a share.
ENGINE = {
    "prompt": (1.3, 0.7, 3.0),
    "token": (1.2, 0.7, 3.0),
    "floor_prompt": (6e-4, 1e-4, 2e-3),
    "floor_token": (5e-4, 1e-4, 2e-3),
    "joined": (0.1, 1e-3, 1.0),
    "slow_sum": (1e-13, 1e-16, 1e-11),
    "sequence": (2e-4, 1e-6, 1e-3),
}


def fit_splitwise(data: Data, fitted: Fitted) -> None:
    """Fit the engine on A100 and H100, and the exponent of the clock under a cap."""
    base = catalog(laid_over(fitted))
    rows = data.rows(FILE)
    _clock(rows, base, fitted)
    for name in ("a100", "h100"):
        _engine([row for row in rows if row["hardware"] == f"{name}-80gb"], base, fitted)
    _power(rows, base, fitted)


def _engine(rows: list[Row], base: Catalog, fitted: Fitted) -> None:
    servers = {key: server(*key, base) for key in {(r["model"], r["hardware"], r["tensor_parallel"]) for r in rows}}
    known: list[tuple[Batch, Placement, tuple[float, float]]] = []
    for row in rows:
        place, table = servers[row["model"], row["hardware"], row["tensor_parallel"]]
        prompt, token = work(batch_of(row), table)
        known.append((batch_of(row), place, (prompt[0], token[0])))
    truth = np.array([[float(row["prompt_ms"]) / 1e3, float(row["token_ms"]) / 1e3] for row in rows])
    start, low, high = np.log(np.array(list(ENGINE.values()))).T

    def errors(x: Floats) -> Floats:
        fit = dict(zip(ENGINE, map(float, np.exp(x)), strict=True))
        return np.asarray(np.log(np.array([seconds(*entry, fit) for entry in known]) / truth))

    found = least_squares(lambda x: robust(errors(x)).ravel(), start, bounds=(low, high), diff_step=1e-3).x
    size = np.median(np.abs(np.expm1(errors(found))), axis=0)
    note = f"{len(rows)} rows, median error of prompts {size[0]:.1%}, of tokens {size[1]:.1%}"
    for name, value in zip(ENGINE, np.exp(found), strict=True):
        fitted.setup(f"{SETUP}-{machine(rows[0]['hardware'])}", name, float(value), "splitwise", "medium", note=note)


def _power(rows: list[Row], base: Catalog, fitted: Fitted) -> None:
    """How much more power the kernels of each phase drew; measured on A100 only, whose factors H100 takes."""
    used = [row for row in rows if row["peak_power_frac_tdp"] and int(row["prompt_size"]) < STRANGE]
    if not used:
        return
    fit = {key: float(figure["value"]) for key, figure in fitted.setups[f"{SETUP}-a100"].items()}
    known = []
    for row in used:
        place, table = server(row["model"], row["hardware"], row["tensor_parallel"], base)
        (prompt, drawn), (token, held) = work(batch_of(row), table)
        took = seconds(batch_of(row), place, (prompt, token), fit)
        known.append((batch_of(row), place, (drawn, held), took))
    truth = np.array([[float(row["peak_power_frac_tdp"]), float(row["avg_power_frac_tdp"])] for row in used])

    def errors(x: Floats) -> Floats:
        factors = {"drawn_prompt": float(x[0]), "drawn_token": float(x[1])}
        return np.asarray(np.array([shares(*entry, factors) for entry in known]) / truth - 1)

    found = least_squares(lambda x: robust(errors(x)).ravel(), [1.3, 1.3], bounds=(0.5, 4.0), diff_step=1e-3).x
    size = np.median(np.abs(errors(found)), axis=0)
    note = f"{len(used)} rows of A100, median error of peaks {size[0]:.1%}, of means {size[1]:.1%}"
    for name, confidence in (("a100", "medium"), ("h100", "low")):
        for key, value in zip(("drawn_prompt", "drawn_token"), found, strict=True):
            fitted.setup(f"{SETUP}-{name}", key, float(value), "splitwise", confidence, note=note)


def _clock(rows: list[Row], base: Catalog, fitted: Fitted) -> None:
    """The exponent with which prompts take as much longer under the cap as the table says (it has one factor)."""
    free = {_configuration(row): float(row["prompt_ms"]) for row in rows if row["hardware"] == "h100-80gb"}
    ratios = [
        float(row["prompt_ms"]) / free[_configuration(row)]
        for row in rows
        if row["hardware"].endswith(CAPPED) and _configuration(row) in free
    ]
    if not ratios:
        return
    slower = float(np.median(ratios))
    chip = base.accelerators["h100"]
    place = Placement(chip, base.models["llama-2-70b"], 4, 1, "fp16", "fp16", 64, 4096)

    def excess(clock: float) -> float:
        power = chip.gpu.power.model_copy(update={"clock": clock})
        own = chip.model_copy(update={"gpu": chip.gpu.model_copy(update={"power": power})})
        at = replace(place, chip=own)
        table = gpu_table(at)
        limited = capped(table, at, CAP * chip.board[1])
        work = (0, 0.0, 4096, 4096 * 4097 / 2)
        return limited.seconds(*work) / table.seconds(*work) - slower

    clock = float(brentq(excess, 0.02, 1.0))
    note = f"prompts take {slower:.2f} times as long at half the power limit on H100; {len(ratios)} rows"
    for name in ("a100", "h100", "h200", "b200", "gb200", "b300", "gb300"):
        held = fitted.machines.get(name, {}).get("power")
        value = {**(held["value"] if held else base.accelerators[name].gpu.power.model_dump()), "clock": clock}
        figure = held or {"source": "splitwise", "confidence": "low"}
        text = f"{figure.get('note', '')}; clock: {note}".removeprefix("; ")
        fitted.add(name, "power", value, figure["source"], figure["confidence"], note=text)


def _configuration(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("model", "tensor_parallel", "prompt_size", "batch_size", "token_size"))
