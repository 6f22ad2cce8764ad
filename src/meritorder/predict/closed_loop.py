"""A closed loop on one server: seconds per output token by kind of work, and what its first tokens wait for.

`N` clients send a request each at once, and the next when the last has ended. With `T` seconds of an iteration that
decodes `N` sequences and `P` seconds that the work of a prompt adds to iterations, a token takes `T + P (N - 1) / out`:
every sequence sees the prompts of all others once in its life.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.engine import EngineProfile, conditions
from meritorder.catalog.load import Catalog
from meritorder.fleet.schema import Engine, Fleet, Pool, Service, Site
from meritorder.fleet.speculation import Speculation
from meritorder.perf import gpu
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement
from meritorder.perf.replica import Replica
from meritorder.perf.speculative import machine_table
from meritorder.perf.table import IterationTable
from meritorder.predict.inferencex import LONGEST, SHORTEST, Point, Split
from meritorder.simulate.columns import columns, latency
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace, make_trace

Floats: TypeAlias = npt.NDArray[np.float64]

# Tokens of an iteration of one attention copy, and the share of the memory that serving benchmarks let engines use.
TOKEN_BUDGET = 8192
MEMORY_SHARE = 0.95
BLOCK = 16
FEWEST = 4  # requests in memory: where our count holds fewer, it is wrong, as the runs were made
# The common start is a tenth of the requests of a run.
WAVES = 10
MOST_REQUESTS = 5000
# DeepSeek's own head for further tokens, three deep: 2.2 tokens a pass fits the runs that are known to use it.
MTP = Speculation(draft_tokens=3, acceptance=(0.68, 0.5, 0.5), draft_cost=0.03)


@dataclass(frozen=True)
class Server:
    """A placement with its load: mean lengths in tokens, concurrency per server, and how much of it fits in memory."""

    place: Placement
    prompt: float
    output: float
    clients: float
    fits: float
    speculation: Speculation | None = None
    prompts_here: bool = True

    @property
    def batch(self) -> float:
        """Sequences that decode at a time. Where memory holds hardly any by our count, that is wrong, not the run."""
        return min(self.clients, self.fits) if self.fits >= FEWEST else self.clients


def told(point: Point, catalog: Catalog) -> dict[str, str]:
    """The conditions that pick the engine's terms."""
    more = {"origin": "drawn" if point.drawn else "fixed"}
    if point.speculates:
        more["speculation"] = "mtp"
    chip = catalog.accelerators[point.machine]
    return conditions(point.engine, point.version, chip, point.model, point.weights, **more)


def server(point: Point, catalog: Catalog, engine: EngineProfile, split: Split | None = None) -> Server:
    """The point's server under `engine`; `split`: of its prompt workers, where those are apart."""
    mean = (SHORTEST + LONGEST) / 2 if point.drawn else 1.0
    prompt, output = point.prompt * mean, point.output * mean
    used = split or point.split
    clients = max(1.0, point.concurrency / point.workers)
    place = Placement(
        chip=catalog.accelerators[point.machine],
        model=catalog.models[point.model],
        tensor=used.tensor,
        pipeline=used.pipeline,
        weights=point.weights,
        kv=point.kv,
        max_sequences=math.ceil(clients),
        token_budget=max(TOKEN_BUDGET * min(used.data, 4), math.ceil(clients)),
        data=used.data,
        expert=used.expert,
        engine=engine,
    )
    held = memory(replace(place, max_sequences=1), MEMORY_SHARE, BLOCK)
    fits = held.blocks * BLOCK / (prompt + output / 2)
    return Server(place, prompt, output, clients, fits, MTP if point.speculates else None, point.prefill is None)


def token_parts(server: Server) -> dict[str, float]:
    """Seconds of an output token by kind of work, the engine's factors not applied."""
    place, batch = server.place, server.batch
    deeper = server.speculation.draft_tokens + 1 if server.speculation else 1
    found = _iteration(server, batch, deeper)
    if server.speculation:
        found = _scaled(found, 1 / server.speculation.tokens_per_pass)
    if server.prompts_here:
        chunks = max(1, math.ceil(server.prompt / TOKEN_BUDGET))
        part = server.prompt / chunks
        both = _sum(gpu.step_work(place, np.array([batch + part])), gpu.prefill_work(place, np.array([part])))
        alone = _sum(gpu.step_work(place, np.array([batch])))
        pairs = _sum(gpu.pair_work(place))
        share = (batch - 1) / server.output
        for kind in {*both, *pairs}:
            added = chunks * (both.get(kind, 0.0) - alone.get(kind, 0.0)) + pairs.get(kind, 0.0) * server.prompt**2 / 2
            found[kind] = found.get(kind, 0.0) + share * added
    return found


def token_seconds(server: Server) -> float:
    """Seconds of an output token."""
    return sum(value * server.place.engine.factor(kind) for kind, value in token_parts(server).items())


def first_token_parts(server: Server, table: IterationTable) -> dict[str, float]:
    """What a first token waits for, by the names of `FirstToken`; the waits are those of the simulated server."""
    ttft = simulated_ttft(server, table)
    clients = round(server.clients)
    alone = prompt_seconds(table, round(server.prompt))
    batch = int(min(max(server.batch, 1), table.max_sequences))
    iteration = table.seconds(batch, batch * (server.prompt + server.output / 2))
    late = ttft[clients:] if len(ttft) > clients else ttft
    return {
        "request": 1.0,
        "prompt_token": server.prompt,
        "prefill": alone,
        "lookahead": iteration,
        "burst": max(float(np.mean(ttft[:clients])) - alone, 0.0),
        "queue": max(float(np.mean(late)) - alone, 0.0),
        "crowd": clients * alone,
    }


def first_token_seconds(engine: EngineProfile, parts: Mapping[str, float]) -> float:
    """Seconds to the first token, as a client measures them."""
    first = engine.first_token
    return float(sum(getattr(first, name) * value for name, value in parts.items()))


def server_table(server: Server) -> IterationTable:
    """The server's iteration table."""
    return machine_table(server.place, server.speculation)


def prompt_seconds(table: IterationTable, prompt: int) -> float:
    """Seconds of a prompt that runs alone, in chunks."""
    left, cached, total = prompt, 0, 0.0
    while left > 0:
        chunk = min(left, table.token_budget)
        total += table.seconds(0, 0, chunk, chunk * cached + chunk * (chunk + 1) / 2)
        left, cached = left - chunk, cached + chunk
    return total


def simulated_ttft(server: Server, table: IterationTable) -> Floats:
    """Seconds to the first token of each request of the loop, in order of sending, by the simulator."""
    clients = round(server.clients)
    needed = math.ceil((server.prompt + server.output) * 1.3 / BLOCK) * 2
    blocks = max(int(server.fits * (server.prompt + server.output / 2) / BLOCK), needed)
    if server.fits < FEWEST:
        blocks = needed * clients
    replica = Replica(table, blocks, BLOCK, 1 << 30, 1, 0.0, 0.0, 0.0, 0.0, 0.0)
    chip, model = server.place.chip, server.place.model
    settings = Engine(max_sequences=clients, token_budget=table.token_budget, prefix_caching=False)
    fleet = Fleet(
        name="closed loop",
        models={"model": model},
        accelerators={"chip": chip},
        sites={"site": Site(usd_per_kwh=0.0, kg_per_kwh=0.0)},
        pools={"server": Pool(site="site", accelerator="chip", model="model", replicas=1, engine=settings)},
        services={"all": Service(model="model")},
    )
    result = simulate(fleet, loop_trace(server), replicas=(replica,))
    return np.nan_to_num(latency(columns(result), "ttft_s"))


def loop_trace(server: Server) -> Trace:
    """The loop's requests: lengths drawn as the benchmark draws them, each client's next one after its last."""
    clients = round(server.clients)
    requests = clients * max(2, min(WAVES, MOST_REQUESTS // clients))
    draw = np.random.default_rng(0)
    spread = (LONGEST - SHORTEST) / (LONGEST + SHORTEST)
    prompts, outputs = (
        np.maximum(1, np.rint(mean * draw.uniform(1 - spread, 1 + spread, requests))).astype(int)
        for mean in (server.prompt, server.output)
    )
    after = np.arange(requests) - clients
    return make_trace(np.where(after < 0, 0.0, np.nan), prompts, outputs, after=np.maximum(after, -1))


def _iteration(server: Server, batch: float, deeper: int) -> dict[str, float]:
    """An iteration that decodes `batch` sequences, by kind; `deeper`: tokens of each that it computes."""
    place, context = server.place, server.prompt + server.output / 2
    sequences = np.array([batch])
    step = _sum(gpu.step_work(place, sequences * deeper))
    found = _joined(step, _sum(gpu.decode_work(place, sequences)))
    found = _joined(found, _scaled(_sum(gpu.kv_work(place, sequences)), batch * context))
    if server.speculation:
        drafts = server.speculation.draft_tokens * server.speculation.draft_cost
        found = _joined(found, _scaled({k: v for k, v in step.items() if k != "host"}, drafts))
    return found


def _sum(*works: gpu.Work) -> dict[str, float]:
    found: dict[str, float] = {}
    for work in works:
        for kind, cost in work.items():
            found[kind] = found.get(kind, 0.0) + float(cost.seconds[-1])
    return found


def _joined(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {kind: one.get(kind, 0.0) + other.get(kind, 0.0) for kind in {*one, *other}}


def _scaled(parts: dict[str, float], times: float) -> dict[str, float]:
    return {kind: value * times for kind, value in parts.items()}
