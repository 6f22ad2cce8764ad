"""MLPerf Inference: tokens per second of a whole tuned system, and what it draws at the wall."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from meritorder.catalog.engine import EngineProfile
from meritorder.catalog.load import Catalog
from meritorder.perf.gpu import gpu_table
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement
from meritorder.predict.cells import choice, whole
from meritorder.predict.each import each
from meritorder.predict.form import Answer, Progress, Row
from meritorder.predict.steady import Loop, steady
from meritorder.predict.wall_power import wall_watts
from meritorder.problems import InputError, Problem, said

SETUP = "mlperf"  # factors of tuned engines over the model of this project
MACHINES = (
    *(("GB300", "gb300"), ("GB200", "gb200"), ("B200", "b200"), ("H200-NVL", "h200-nvl"), ("H200", "h200")),
    *(("H100", "h100"), ("MI355X", "mi355x"), ("MI325X", "mi325x"), ("MI300X", "mi300x"), ("L40S", "l40s")),
    *(("RTX PRO 6000", "rtx-pro-6000"), ("RTX 4090", "rtx-4090")),
)
WEIGHTS = {"fp8": "fp8", "fp4": "fp4", "mxfp4": "mxfp4", "INT8": "int8", "INT4": "int4", "UINT4": "int4"}


@dataclass(frozen=True)
class Task:
    """A benchmark: the model, its mean lengths (rules of MLPerf v5.1), and seconds per token at p99 by scenario."""

    model: str
    prompt: float
    output: float
    limits: Mapping[str, float]


TASKS = {
    "llama2-70b": Task("llama-2-70b", 294, 280, {"Server": 0.2, "Interactive": 0.04}),
    "llama3.1-405b": Task("llama-3.1-405b", 9400, 655, {"Server": 0.175, "Interactive": 0.08}),
    "llama3.1-8b": Task("llama-3.1-8b", 870, 128, {"Server": 0.1, "Interactive": 0.03}),
    "mixtral-8x7b": Task("mixtral-8x7b", 280, 145, {"Server": 0.2}),
    "deepseek-r1": Task("deepseek-r1", 800, 3800, {"Server": 0.08}),
}
BATCHES = np.unique(np.rint(2.0 ** np.arange(0, 12.25, 0.25)))
FRACTION, BLOCK = 0.92, 32  # memory that tuned engines fill, tokens of a KV block
# Tuned engines hide their own work behind the kernels; what is left of it is in the factors.
TUNED = EngineProfile(name="tuned", host=0.0, host_sequence=0.0, layer=0.0)
TAIL = 1.25  # p99 of the time per token over its mean


@dataclass(frozen=True)
class Point:
    """The operating point of one replica."""

    chips: int
    speed: float  # output tokens/s
    joules: float  # above idle, per second of the replica
    place: Placement


class MlperfForm:
    """One row: a system, a benchmark and a scenario."""

    name = "MLPerf"
    needs = frozenset(("system", "accelerator", "accelerators_total", "model", "scenario", "weight_dtype"))
    adds = ("tokens_per_s", "power_result")

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row, in order."""
        points: dict[tuple[str, ...], Point] = {}

        def answer(row: Row) -> Answer:
            whole(row, "accelerators_total")
            key = machine(row), benchmark(row), scenario(row), row["weight_dtype"]
            if key not in points:
                points[key] = operating_point(row, catalog)
            return _answer(row, points[key], catalog)

        return each(rows, progress, answer)


MLPERF = MlperfForm()


def machine(row: Row) -> str:
    """The catalog's name of the row's accelerator; of several kinds the first."""
    for part, name in MACHINES:
        if part in row["accelerator"]:
            return name
    what = f"no model of {row['accelerator']!r}" if row["accelerator"] else "a system without accelerators"
    raise InputError(Problem(what, key="accelerator", fix=f"known: {', '.join(part for part, _ in MACHINES)}"))


def benchmark(row: Row) -> str:
    """The benchmark without its accuracy target."""
    name = re.sub(r"-(99(\.9)?|edge)$", "", row["model"])
    if name not in TASKS:
        raise InputError(Problem(f"no benchmark called {name!r}", key="model", fix=f"known: {', '.join(TASKS)}"))
    return name


def scenario(row: Row) -> str:
    """`Offline`, `Server` or `Interactive`."""
    return choice(row, "scenario", {name: name for name in ("Offline", "Server", "Interactive")})


def operating_point(row: Row, catalog: Catalog) -> Point:
    """The replica with the most tokens/s per chip within the scenario's limit, over tensor degrees and batches."""
    name, task = machine(row), TASKS[benchmark(row)]
    if name not in catalog.accelerators:
        raise InputError(Problem(f"the catalog can't simulate {name}", key="accelerator", fix="none"))
    limit = task.limits.get(row["scenario"], np.inf) / TAIL
    found = [
        point for tensor in (1, 2, 4, 8) if (point := _fastest(row, catalog, name, task, tensor, limit)) is not None
    ]
    if not found:
        raise InputError(Problem(f"{task.model} does not fit or misses the limit on {name}", key="model", fix="none"))
    return max(found, key=lambda point: point.speed / point.chips)


def _fastest(row: Row, catalog: Catalog, name: str, task: Task, tensor: int, limit: float) -> Point | None:
    chip, model = catalog.accelerators[name], catalog.models[task.model]
    if tensor > min(chip.domain, whole(row, "accelerators_total")):
        return None
    weights = WEIGHTS.get(row["weight_dtype"], "fp8" if chip.flops_8 else "bf16")
    kv = "fp8" if chip.flops_8 else "fp16"
    expert = tensor if model.experts > 32 else 1
    place = Placement(chip, model, tensor, 1, weights, kv, int(BATCHES[-1]), 8192, expert=expert, engine=TUNED)
    held = memory(place, FRACTION, BLOCK)
    most = held.blocks * BLOCK / (task.prompt + task.output) if not held.missing else 0.0
    batches = BATCHES[most >= BATCHES]
    if not len(batches):
        return None
    loop = Loop(batches, np.full(len(batches), task.prompt), np.full(len(batches), task.output))
    state = steady(gpu_table(place), loop)
    allowed = np.flatnonzero(state.period <= limit)
    if not len(allowed):
        return None
    best = allowed[np.argmax(batches[allowed] / state.period[allowed])]
    return Point(
        place.chips, float(batches[best] / state.period[best]), float((state.joules / state.period)[best]), place
    )


def terms(row: Row) -> tuple[str, ...]:
    """The factors that apply to a row: scenario, engine, benchmark, pairs of them, and the number format."""
    engine, name, scenario = (
        "tensorrt" if "TensorRT" in row.get("engine", "") else "other",
        benchmark(row),
        row["scenario"].lower(),
    )
    pairs = (f"{engine}-{name}", f"{scenario}-{name}", f"{engine}-{scenario}")
    return (scenario, engine, name, *pairs, f"bits-{row['weight_dtype'].lower()}")


def factor(row: Row, setup: Mapping[str, float]) -> float:
    """How much faster the tuned engine is than the model."""
    return float(np.prod([setup.get(term, 1.0) for term in terms(row)]))


def _answer(row: Row, point: Point, catalog: Catalog) -> Answer:
    chips = whole(row, "accelerators_total")
    tuned = factor(row, catalog.setups[SETUP])
    values = {"tokens_per_s": point.speed / point.chips * chips * tuned}
    chip = point.place.chip
    if row.get("has_power", "") == "True":
        # A factor says how fast the kernels are, not how long the chip waits: it draws what busy kernels draw. Under
        # a limit on latency chips wait too: half of what is lost against Offline, a guess.
        full = factor({**row, "scenario": "Offline"}, catalog.setups[SETUP])
        drawn = min(point.joules / point.chips, chip.max - chip.idle) * min(1.0, tuned / full) ** 0.5
        values["power_result"] = wall_watts(chip, drawn, chips, row["system"])
    notes = [] if machine(row) in ("b200", "h200", "h100", "mi300x", "mi325x") else ["kernels or factors of a relative"]
    if row["weight_dtype"] not in WEIGHTS:
        notes.append(f"weight_dtype {said(row['weight_dtype'])} taken as {point.place.weights}")
    if "power_result" in values:
        notes.append("host, fans and losses are assumptions")
    return Answer(values, "; ".join(notes))
