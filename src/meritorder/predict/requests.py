"""Single requests of whole vLLM runs (the tables of LLMServingSim's examples): a run's rows are simulated together.

A run is named by its GPU and model. Kernel times are those that were profiled on that GPU (`catalog/data/layers.yaml`).
Times count from when the engine has read the request, as in the tables: the rest of the iteration that was running when
it came is no part of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.catalog.layers import LayerTimes, layer_times
from meritorder.catalog.load import Catalog
from meritorder.catalog.names import machine_of, model_of
from meritorder.fleet.schema import Engine, Pool
from meritorder.predict.cells import number, text, whole
from meritorder.predict.each import together
from meritorder.predict.form import Answer, Progress, Row
from meritorder.predict.vllm import BLOCK, Running, running, serve
from meritorder.workload.trace import make_trace

Floats = npt.NDArray[np.float64]

VERSION = "0.19.0"
TOKEN_BUDGET = 2048


@dataclass(frozen=True)
class Setting:
    """How a run was set up: chips that share every matrix, engines in step, seats of an engine, KV blocks if known."""

    tensor: int = 1
    ranks: int = 1
    max_sequences: int = 128
    kv_blocks: int | None = None


# As the files say of their runs; a run not named here has one GPU and 128 seats.
SETTINGS = {
    ("rtx-pro-6000", "qwen3-32b"): Setting(tensor=2),
    ("rtx-pro-6000", "qwen3-30b-a3b-2507"): Setting(ranks=2),
    ("rtx-4090", "llama-3.1-8b"): Setting(max_sequences=256, kv_blocks=2588),
}


class RequestsForm:
    """Requests of vLLM runs, one by one."""

    name = "requests of vLLM runs"
    needs = frozenset({"run", "req", "arrival_s", "input_tokens", "output_tokens"})
    adds = ("queue_ms", "ttft_ms", "tpot_ms", "e2e_ms")

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """Every run is simulated once."""
        return together(rows, progress, lambda row: text(row, "run"), lambda run, same: _run(run, same, catalog))


REQUESTS = RequestsForm()


def _run(run: str, rows: Sequence[Row], catalog: Catalog) -> list[Answer]:
    gpu, _, label = run.partition("/")
    key = machine_of(gpu), model_of(label)
    setting = SETTINGS.get(key, Setting())
    times = layer_times().get((*key, setting.tensor))
    if times is None:
        return [Answer({}, f"kernels of {label} on {setting.tensor} {gpu} were not profiled")] * len(rows)
    server = engine(times, setting, catalog)
    order = np.argsort([number(row, "arrival_s", least=0) for row in rows], kind="stable")
    arrival = np.array([number(rows[i], "arrival_s", least=0) for i in order])
    prompt, output = (
        np.array([float(whole(rows[i], name)) for i in order]) for name in ("input_tokens", "output_tokens")
    )
    served = serve(server, make_trace(arrival, prompt, output, source=run))
    # the iteration that ran when it came, at most one with a full budget
    unseen = np.minimum(served.queue_s, 0.5 * served.iteration_s)
    longest = server.replica.table.seconds(0, 0, TOKEN_BUDGET, 0.5 * TOKEN_BUDGET**2)
    unseen = np.where(served.queue_s <= longest, served.queue_s, unseen)
    values = {
        "queue_ms": 1e3 * (served.queue_s - unseen),
        "ttft_ms": 1e3 * (served.ttft_s - unseen),
        "tpot_ms": 1e3 * served.iteration_s,
        "e2e_ms": 1e3 * (served.e2e_s - unseen),
    }
    answers = [Answer()] * len(rows)
    for at, place in enumerate(order):
        answers[place] = Answer({name: float(column[at]) for name, column in values.items()}, times.note)
    return answers


def engine(times: LayerTimes, setting: Setting, catalog: Catalog) -> Running:
    """The engine of a run; engines in step are one with the seats of all."""
    pool = Pool(
        site="here",
        accelerator=times.accelerator,
        model=times.model,
        replicas=1,
        tensor=times.tensor,
        data_parallel=setting.ranks,
        expert_parallel=setting.ranks,
        weights="bf16",
        engine=Engine(
            name="vllm",
            version=VERSION,
            max_sequences=setting.max_sequences * setting.ranks,
            token_budget=TOKEN_BUDGET * setting.ranks,
            kv_block_tokens=BLOCK,
            kv_blocks=setting.kv_blocks,
            request_overhead=0.0,
        ),
    )
    return running(pool, catalog.models[times.model], catalog)
