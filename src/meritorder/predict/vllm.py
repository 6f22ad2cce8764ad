"""A vLLM server for the simulator: its replica, with what this version of the engine adds, and its requests' times.

What was fitted for a version stands in the catalog's section `setups`, under `vllm-0.15.1` and so on:

    host, layer          seconds of an iteration and of a layer in it, beside the kernels
    attention            factor on decode attention: the operator tables hold sequences of equal length
    expert_layer         seconds of routing and gaps in an expert layer
    narrow_layer         further seconds of a layer with 8-bit weights: activations are quantised before every product
    eager_layer          further seconds of a layer where an iteration has more tokens than the largest CUDA graph
    tensor_byte          seconds per byte that more than two tensor-parallel chips add to their all-reduces
    request              seconds of the front end per request

vLLM schedules an iteration while the one before it runs, so a request waits for the running iteration and for the
one that is already queued behind it: the first token comes one iteration later than the simulator's engine gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from meritorder.catalog.engine import EngineProfile
from meritorder.catalog.load import Catalog
from meritorder.catalog.model import ACTIVATION_BYTES, ModelSpec
from meritorder.catalog.names import model_of
from meritorder.fleet.dispatch import LeastRequest
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Site
from meritorder.perf.gpu import gpu_table
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable
from meritorder.problems import InputError, Problem
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace

Floats = npt.NDArray[np.float64]

GPUS = {"H100": "h100", "H200": "h200", "A100-80GB": "a100", "A100": "a100", "L40S": "l40s", "B200": "b200"}
WEIGHTS = {"FP16": "bf16", "BF16": "bf16", "FP8": "fp8"}
CAPTURED = 512  # tokens: the largest CUDA graph that vLLM captures
BLOCK = 16


@dataclass(frozen=True)
class Server:
    """What is known of a server: model and GPU as the table names them, and vLLM's arguments."""

    model: str
    gpu: str
    tensor: int
    replicas: int
    precision: str
    max_sequences: int
    token_budget: int
    memory_fraction: float
    longest: int  # tokens of prompt and answer


@dataclass(frozen=True)
class Running:
    """A server ready to be simulated."""

    fleet: Fleet
    replica: Replica
    request_s: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What its times lean on."""
        return self.replica.notes


@dataclass(frozen=True)
class Served:
    """Seconds of each request: until it was admitted, to the first token, to the last; and of its mean iteration."""

    queue_s: Floats
    ttft_s: Floats
    e2e_s: Floats
    iteration_s: Floats


def server(asked: Server, catalog: Catalog, version: str) -> Running:
    """The replica of a server. Raises InputError where its model or GPU is unknown, or the model does not fit."""
    name, gpu = model_of(asked.model), GPUS.get(asked.gpu)
    if gpu is None:
        raise InputError(Problem(f"the GPU {asked.gpu!r} is unknown", fix=f"known are {', '.join(GPUS)}"))
    setup = catalog.setups[version]
    place = Placement(
        chip=catalog.accelerators[gpu],
        model=_as_used(catalog.models[name], asked.longest),
        tensor=asked.tensor,
        pipeline=1,
        weights=WEIGHTS[asked.precision],
        kv="fp16",
        max_sequences=asked.max_sequences,
        token_budget=asked.token_budget,
        engine=profile(version, setup, WEIGHTS[asked.precision]),
    )
    held = memory(place, asked.memory_fraction, BLOCK)
    if not held.blocks:
        raise InputError(Problem(f"{asked.model} does not fit in {asked.tensor} {asked.gpu}", fix="take more GPUs"))
    replica = Replica(
        table=with_setup(gpu_table(place), place, setup),
        kv_blocks=held.blocks,
        block_tokens=BLOCK,
        max_context=min(place.model.max_context, held.blocks * BLOCK),
        accelerators=place.chips,
        weight_bytes=place.model.weight_bytes(place.weights),
        kv_bytes_per_token=place.model.kv_bytes_per_token(place.kv) * place.kv_copies,
        memory_bytes=place.chip.memory * place.chips,
        max_w=place.chip.max * place.chips,
        usd_per_hour=place.chip.usd_per_hour * place.chips,
        notes=place.chip.notes,
    )
    return Running(alone(catalog, gpu, name, asked.replicas, setup["request"]), replica, setup["request"])


def _as_used(model: ModelSpec, longest: int) -> ModelSpec:
    """A window that no request fills never binds: its layers read and keep their context whole, as full ones do."""
    if not model.window_layers or model.window < longest:
        return model
    return model.model_copy(update={"window_layers": 0, "window": 0, "chunked": False})


def profile(version: str, setup: Mapping[str, float], weights: str) -> EngineProfile:
    """The engine's part in the iteration table."""
    name, _, number = version.partition("-")
    return EngineProfile(
        name=name,
        version=number,
        host=setup["host"],
        host_sequence=0.0,
        layer=setup["layer"] + setup["narrow_layer"] * (weights == "fp8"),
        expert_layer=setup["expert_layer"],
        factors={"attention": setup["attention"]},
    )


def with_setup(table: IterationTable, place: Placement, setup: Mapping[str, float]) -> IterationTable:
    """The table with what the engine adds beyond its profile: padding, runs without CUDA graphs, slower links."""
    tokens = np.arange(len(table.step_s))
    eager = (tokens > CAPTURED) * setup["eager_layer"]
    linked = tokens * (2.0 * ACTIVATION_BYTES * place.model.hidden * setup["tensor_byte"] * (place.tensor > 2))
    padded = table.step_s[np.minimum(graph_size(tokens), len(tokens) - 1)]
    return replace(table, step_s=padded + place.model.layers * (eager + linked))


def graph_size(tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Tokens that are computed for so many: a CUDA graph serves the next size that was captured."""
    small = np.searchsorted([0, 1, 2, 4, 8], tokens)
    sizes = np.where(tokens <= 256, -(-tokens // 8) * 8, -(-tokens // 16) * 16)
    few = np.array([0, 1, 2, 4, 8])[np.minimum(small, 4)]
    return np.where(tokens <= 8, few, np.where(tokens <= CAPTURED, sizes, tokens))


def alone(catalog: Catalog, gpu: str, model: str, replicas: int = 1, request_s: float = 0.0) -> Fleet:
    """A fleet of nothing but this server; its data-parallel copies take requests as they have fewest.

    Times and limits of the engine come from the `Replica` that is simulated.
    """
    pool = Pool(site="here", accelerator=gpu, model=model, replicas=replicas, engine=Engine(request_overhead=request_s))
    return Fleet(
        name="vLLM",
        models={model: catalog.models[model]},
        accelerators={gpu: catalog.accelerators[gpu]},
        sites={"here": Site(usd_per_kwh=0.0, kg_per_kwh=0.0)},
        pools={"server": pool},
        services={"all": Service(model=model)},
        dispatch=LeastRequest(),
    )


def serve(running: Running, trace: Trace) -> Served:
    """The trace, simulated; all tokens come later by the iteration that was queued when the request was scheduled."""
    result = simulate(running.fleet, trace, replicas=(running.replica,))
    ttft, e2e = result.first_s - result.arrival_s, result.finish_s - result.arrival_s
    iteration = (e2e - ttft) / np.maximum(trace.output_tokens - 1, 1)
    later = np.zeros(len(trace))
    for index in np.unique(result.replica):
        of = result.replica == index
        later[of] = queued(
            running.replica.table, result.start_s[of], result.first_s[of], result.finish_s[of], iteration[of], trace, of
        )
    queue = result.start_s - result.arrival_s - running.request_s
    return Served(queue, ttft + later, e2e + later, iteration)


def queued(
    table: IterationTable,
    start: Floats,
    first: Floats,
    finish: Floats,
    iteration: Floats,
    trace: Trace,
    of: npt.NDArray[np.bool_],
) -> Floats:
    """Seconds of an iteration of those who decode on one replica at each `start`; none: 0."""
    began, ended = np.argsort(first), np.argsort(finish)
    here, gone = np.searchsorted(first[began], start, "right"), np.searchsorted(finish[ended], start, "right")

    def at(values: Floats) -> Floats:
        """Sums over those who decode, one for each start."""
        up, down = np.r_[0.0, np.cumsum(values[began])], np.r_[0.0, np.cumsum(values[ended])]
        total: Floats = up[here] - down[gone]
        return total

    speed = 1.0 / np.maximum(iteration, 1e-9)
    tokens = at(trace.prompt_tokens[of].astype(np.float64)) + start * at(speed) - at(first * speed)
    batch = np.minimum(here - gone, table.max_sequences)
    seconds = table.step_s[batch] + table.decode_s[batch] + table.decode_kv_s[batch] * np.maximum(tokens, 0.0)
    return np.where(batch > 0, seconds, 0.0)
