"""Tables of the ML.ENERGY benchmark: power, energy and speed of a vLLM server that a closed loop keeps full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meritorder.catalog.engine import EngineProfile
from meritorder.catalog.formats import WEIGHT_BITS
from meritorder.catalog.load import Catalog
from meritorder.catalog.names import model_of
from meritorder.perf.energy import board_watts
from meritorder.perf.fit import check_parallelism
from meritorder.perf.gpu import gpu_table
from meritorder.perf.placement import Placement
from meritorder.predict.cells import choice, number, whole
from meritorder.predict.each import together
from meritorder.predict.form import Answer, Progress, Row
from meritorder.predict.steady import Loop, Steady, steady
from meritorder.problems import InputError, Problem

WEIGHTS = {"bfloat16": "bf16", "float16": "fp16", "fp8": "fp8", "mxfp4": "mxfp4"}
MACHINES = {"H100": "h100", "B200": "b200"}
BENCH = "mlenergy"  # the setup with the lengths of its tasks; `mlenergy-h100` and so on: its engine on a machine
BUDGET = 8192  # tokens of an iteration: vLLM's own choice on these machines
SEQUENCES = 4096  # most that any row asks for


class EnergyForm:
    """One row is one run: a model on so many GPUs, `max_num_seqs` requests under way."""

    name = "ML.ENERGY"
    needs = frozenset(("task", "model_id", "weight_precision", "gpu_model", "num_gpus", "max_num_seqs"))
    adds = (
        *("output_tok_s", "median_itl_ms", "gpu_power_w_total", "gpu_power_w_per_gpu"),
        *("j_per_output_token", "j_per_request"),
    )

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row, in order; rows on the same server are answered together."""

        def readable(row: Row) -> tuple[str, ...]:
            place = placement(row, catalog)
            check_parallelism(place, row["gpu_model"], "row")
            lengths(row, catalog.setups[BENCH])
            return server(row)

        return together(rows, progress, readable, lambda _, same: _answers(same, placement(same[0], catalog), catalog))


ENERGY = EnergyForm()


def server(row: Row) -> tuple[str, ...]:
    """What tells one server from another."""
    columns = ("model_id", "weight_precision", "gpu_model", "num_gpus", "expert_parallel", "data_parallel")
    return tuple(row.get(column, "") for column in columns)


def placement(row: Row, catalog: Catalog) -> Placement:
    """How the row's model lies on its chips: attention over all of them, or as many copies as the row says."""
    machine = choice(row, "gpu_model", MACHINES)
    weights = choice(row, "weight_precision", WEIGHTS)
    chips, data = whole(row, "num_gpus"), whole(row, "data_parallel", empty=1)
    if chips % data:
        raise InputError(Problem(f"is {data}, no divisor of {chips} GPUs", key="data_parallel", fix="give one"))
    chip, model = catalog.accelerators[machine], catalog.models[model_of(row["model_id"])]
    return Placement(
        chip=chip,
        model=model,
        tensor=chips // data,
        pipeline=1,
        weights=weights,
        kv="fp16",
        max_sequences=SEQUENCES,
        token_budget=BUDGET,
        data=data,
        expert=whole(row, "expert_parallel", empty=1),
        engine=engine(catalog.setups[f"{BENCH}-{machine}"], chip.compute_bits(WEIGHT_BITS[weights]), model.layers),
    )


def engine(setup: Mapping[str, float], width: int, layers: int) -> EngineProfile:
    """vLLM 0.11.1 as it ran in that benchmark; its expert kernels differ by the width of their arithmetic.

    Iterations with prompts run without whole graphs: each of the `layers` takes longer.
    """
    return EngineProfile(
        name="vllm",
        version="0.11.1",
        host=setup["host"],
        host_sequence=setup["sequence"],
        layer=setup["layer"],
        linear_layer=setup["linear_layer"],
        expert_layer=setup[f"expert_layer_{width}"],
        mixed=setup["mixed_layer"] * layers,
        factors={f"experts_{width}": setup[f"experts_{width}"], "link": setup["link"]},
    )


def lengths(row: Row, bench: Mapping[str, float]) -> tuple[float, float, float]:
    """Requests under way, prompt and output tokens. Prompts were never published: each task has one fitted length."""
    prompt = bench.get(f"prompt-{row['task']}")
    if prompt is None:
        known = ", ".join(sorted(key.removeprefix("prompt-") for key in bench))
        raise InputError(Problem(f"no task called {row['task']!r}", key="task", fix=f"known: {known}"))
    seats = whole(row, "max_num_seqs", most=SEQUENCES)
    batch = number(row, "avg_batch_size", empty=seats, most=SEQUENCES)
    return batch, prompt, number(row, "avg_output_len", empty=bench.get(f"output-{row['task']}"))


def loop(rows: Sequence[Row], place: Placement, bench: Mapping[str, float], setup: Mapping[str, float]) -> Loop:
    """The closed loops of rows on the same server. Hosts prepare pictures, and come with the chips."""
    batch, prompt, output = np.array([lengths(row, bench) for row in rows]).T
    picture = np.array([setup.get(f"front-{row['task']}", 0.0) for row in rows])
    return Loop(
        batch=batch,
        prompt=prompt,
        output=output,
        front=picture * batch / output / place.chips,
    )


def _answers(rows: Sequence[Row], place: Placement, catalog: Catalog) -> list[Answer]:
    machine = MACHINES[rows[0]["gpu_model"]]
    loops = loop(rows, place, catalog.setups[BENCH], catalog.setups[f"{BENCH}-{machine}"])
    found = steady(gpu_table(place), loops)
    return [Answer(_values(place, loops, found, i)) for i in range(len(rows))]


def _values(place: Placement, loops: Loop, found: Steady, i: int) -> dict[str, float]:
    speed = float(loops.batch[i] / found.period[i])
    watts = board_watts(place.chip, float(found.joules[i] / found.period[i]) / place.chips)
    energy = watts * place.chips / speed
    return {
        "output_tok_s": speed,
        "median_itl_ms": float(found.gap[i]) * 1e3,
        "gpu_power_w_total": watts * place.chips,
        "gpu_power_w_per_gpu": watts,
        "j_per_output_token": energy,
        "j_per_request": energy * float(loops.output[i]),
    }
