"""A vLLM server for the simulator: the fleet that it is, and its requests' times.

The replica is that of a fleet file whose pool names vLLM in this version (`catalog.engine.WholeEngine`); only what
follows comes on top.

vLLM schedules an iteration while the one before it runs, so a request waits for the running iteration and for the
one that is already queued behind it: the first token comes one iteration later than the simulator's engine gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.catalog.load import Catalog
from meritorder.catalog.model import ModelSpec, Precision
from meritorder.catalog.names import machine_of, model_of
from meritorder.fleet.dispatch import LeastRequest
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Site
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace

Floats = npt.NDArray[np.float64]

WEIGHTS: dict[str, Precision] = {"FP16": "bf16", "BF16": "bf16", "FP8": "fp8"}
BLOCK = 16
NOT_TIMES = ("idle", "typical", "max", "usd_per_hour")
FITTED_ON = ("h100", "rtx-pro-6000")  # machines whose runs the engine's times were fitted to


@dataclass(frozen=True)
class Server:
    """What is known of a server: model and GPU as the table names them, and vLLM's arguments."""

    model: str
    gpu: str
    tensor: int
    replicas: int
    weights: Precision
    max_sequences: int
    token_budget: int
    memory_fraction: float
    longest: int  # tokens of prompt and answer


@dataclass(frozen=True)
class Running:
    """A server ready to be simulated."""

    fleet: Fleet
    replica: Replica

    @property
    def notes(self) -> tuple[str, ...]:
        """What its times lean on; doubts about watts and prices don't concern them."""
        machine = self.fleet.pools["server"].accelerator
        aside = tuple(f"{machine}: {figure} " for figure in NOT_TIMES)
        notes = [note for note in self.replica.notes if not note.startswith((*aside, "request_overhead"))]
        return (*notes, *(() if machine in FITTED_ON else (f"engine times are those of vLLM on {FITTED_ON[0]}",)))


@dataclass(frozen=True)
class Served:
    """Seconds of each request: until it was admitted, to the first token, to the last; and of its mean iteration."""

    queue_s: Floats
    ttft_s: Floats
    e2e_s: Floats
    iteration_s: Floats


def server(asked: Server, catalog: Catalog, version: str) -> Running:
    """The replica of a server. Raises InputError where its model or GPU is unknown, or the model does not fit."""
    name, gpu = model_of(asked.model), machine_of(asked.gpu)
    pool = Pool(
        site="here",
        accelerator=gpu,
        model=name,
        tensor=asked.tensor,
        replicas=asked.replicas,
        weights=asked.weights,
        engine=Engine(
            name="vllm",
            version=version,
            max_sequences=asked.max_sequences,
            token_budget=asked.token_budget,
            memory_fraction=asked.memory_fraction,
            kv_block_tokens=BLOCK,
        ),
    )
    return running(pool, _as_used(catalog.models[name], asked.longest), catalog)


def running(pool: Pool, model: ModelSpec, catalog: Catalog) -> Running:
    """A fleet of nothing but this pool, whose replicas take requests as they have fewest, and its replica."""
    assert pool.accelerator is not None
    fleet = Fleet(
        name="vLLM",
        models={pool.model: model},
        accelerators={pool.accelerator: catalog.accelerators[pool.accelerator]},
        sites={pool.site: Site(usd_per_kwh=0.0, kg_per_kwh=0.0)},
        pools={"server": pool},
        services={"all": Service(model=pool.model)},
        dispatch=LeastRequest(),
    )
    return Running(fleet, compile_replica(fleet, "server", catalog.engines))


def _as_used(model: ModelSpec, longest: int) -> ModelSpec:
    """A window that no request fills never binds: its layers read and keep their context whole, as full ones do."""
    if not model.window_layers or model.window < longest:
        return model
    return model.model_copy(update={"window_layers": 0, "window": 0, "chunked": False})


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
    queue = result.start_s - result.arrival_s - running.replica.request_s
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
