"""A small plan with its fleet file, for tests of the proof: 2 sites, 2 machines, 2 services, 2 periods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
from tiny_plan import tiny_instance

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build, Operation
from meritorder.plan.proof.schedule import Schedule
from meritorder.plan.proof.traffic import Traffic
from meritorder.workload.trace import make_trace

TEXT = """
name: Two sites to build
sites:
  dallas:
    weather: dallas
    usd_per_kwh: 0.06 USD/kWh
    kg_per_kwh: 317 g/kWh
    rtt: {default: 10 ms}
    facility: {}
  oslo:
    weather: toronto
    usd_per_kwh: 0.04 USD/kWh
    kg_per_kwh: 30 g/kWh
    rtt: {default: 30 ms}
    facility: {}
services:
  chat: {model: llama-3.1-8b, slo: {ttft: 1 s, token_rate: 30 tok/s}}
  batch: {model: llama-3.1-70b, priority: 1, slo: {ttft: 60 s}}
pools:
  placeholder: {site: dallas, accelerator: h100, model: llama-3.1-70b, tensor: 4, replicas: 1}
  another: {site: dallas, accelerator: h100, model: llama-3.1-8b, replicas: 1}
plan:
  horizon: {start: 2026-01, periods: 2, length: 6 months}
  demand:
    chat: {traffic: azure-2023-conv, requests_per_s: 40}
    batch: {traffic: azure-2023-code, requests_per_s: 5}
  offers:
    node:
      accelerator: h100
      chips: 8
      runs: {llama-3.1-8b: {}, llama-3.1-70b: {tensor: 4}}
      price: 250 kUSD
      supply: 100
    big:
      accelerator: h200
      chips: 8
      supplier: Somebody
      power: 9 kW
      runs: {llama-3.1-8b: {}, llama-3.1-70b: {tensor: 4}}
      rent_per_month: 15 kUSD
      supply: 100
  sites:
    dallas: {blocks: {hall: {power: 200 kW, coolant: air, most: 4, standing: 1}}, grid: 1 MW}
    oslo: {blocks: {hall: {power: 200 kW, coolant: air, most: 4}}}
"""
CHAT, BATCH = 0, 1
DALLAS, OSLO = 0, 1
NODE, BIG = 0, 1
SMALL, LARGE = 0, 1


@cache
def proof_fleet() -> Fleet:
    """The fleet file."""
    return loads(TEXT, "two")


def proof_instance(rates: tuple[float, float] = (320.0, 20.0), hours: int = 25) -> Instance:
    """What the file would become: `rates` of a node for chat and batch, requests/s; a big one carries 1.2 times."""
    tiny = tiny_instance(hours)
    small = slice(0, 2)  # of periods, systems
    names = replace(
        tiny.names,
        periods=("2026-H1", "2026-H2"),
        systems=("node", "big"),
        suppliers=("NVIDIA", "Somebody"),
        blocks=("dallas/hall", "oslo/hall"),
        models=("llama-3.1-8b", "llama-3.1-70b"),
    )
    ways = [(k, s, h) for k in (CHAT, BATCH) for s in (DALLAS, OSLO) for h in (NODE, BIG)]
    cls, site, system = (np.array(column, np.int64) for column in zip(*ways, strict=True))
    count = len(ways)
    stock, ground, demand, policy = tiny.stock, tiny.ground, tiny.demand, tiny.policy
    requests = demand.requests[small].copy()
    requests[:, CHAT] *= 400.0 / requests[0, CHAT, -1]
    requests[:, BATCH] *= 16.0 / requests[0, BATCH, -1]
    return replace(
        tiny,
        names=names,
        years=np.full(2, 0.5),
        discount=tiny.discount[small],
        ways=replace(
            tiny.ways,
            cls=cls,
            site=site,
            system=system,
            rate=np.array(rates)[cls] * np.where(system == BIG, 1.2, 1.0),
            joules=np.array([400.0, 5000.0])[cls],
            **{name: np.full(count, -1, np.int64) for name in ("decoder", "api")},
            **{name: np.zeros(count) for name in ("decoder_rate", "decoder_joules", "usd")},
        ),
        stock=replace(
            stock,
            supplier=np.array([0, 1]),
            nameplate_w=np.array([10.2e3, 9e3]),
            idle_w=np.array([3e3, 3e3]),
            availability=np.full(2, 0.97),
            model_of=((0, 1), (0, 1)),
            block=np.array([[0, 0], [1, 1]]),
            replica=np.array([[0.125, 0.5], [0.125, 0.5]]),
            life=stock.life[small],
            lead=stock.lead[small],
            lot=stock.lot[small],
            standing=stock.standing[small, :, small],
        ),
        ground=replace(
            ground,
            block_site=np.array([0, 1]),
            block_w=np.full(2, 200e3),
            grid_w=np.array([[1e6, np.inf]] * 2),
            cooled=np.ones((2, hours, 2)),
            usd_per_j=ground.usd_per_j[small],
            kg_per_j=ground.kg_per_j[small],
            pieces=ground.pieces[small, :, :2],
        ),
        demand=replace(
            demand,
            requests=requests,
            seconds=demand.seconds[small] * 2.0,
            speed=np.ones((1, 2)),
            late=np.zeros((1, 2), np.int64),
        ),
        policy=replace(policy, api_rate=policy.api_rate[small]),
        decided=tiny.decided[small],
    )


def proof_build(instance: Instance, systems: np.ndarray | None = None) -> Build:
    """As many systems as the rates ask for in the design hour, half at each site; chat runs on nodes, batch on big."""
    periods, sites, kinds = 2, 2, 2
    placed = np.zeros((periods, sites, kinds, 2))
    peak = instance.demand.requests[:, :, -1, 0]
    ways = instance.ways
    for k, h, m in ((CHAT, NODE, SMALL), (BATCH, BIG, LARGE)):
        for s in range(sites):
            rate = ways.rate[(ways.cls == k) & (ways.site == s) & (ways.system == h)][0]
            placed[:, s, h, m] = 0.5 * peak[:, k] / (rate * instance.stock.availability[h])
    size = instance.stock.replica
    placed = np.ceil(placed / size - 1e-9) * size
    whole = np.ceil(placed.sum(axis=3)) if systems is None else systems
    return Build(
        blocks=np.ones((periods, 2)),
        open=np.ones((periods, sites), bool),
        delivered=np.diff(whole, axis=0, prepend=0.0),
        option=np.zeros((periods, kinds)),
        systems=whole,
        placed=placed,
        battery_j=np.zeros((periods, sites)),
        untaken=np.zeros(kinds),
    )


@dataclass(frozen=True)
class Solution:
    """As an optimisation gives it."""

    plan: Schedule


def solve(instance: Instance) -> Solution:
    """The build of `proof_build`, and traffic where it stands."""
    build = proof_build(instance)
    size, ways = instance.shape, instance.ways
    served = np.zeros((2, size["R"], 1, size["F"]))
    for k, h in ((CHAT, NODE), (BATCH, BIG)):
        for s in (DALLAS, OSLO):
            f = np.flatnonzero((ways.cls == k) & (ways.site == s) & (ways.system == h))[0]
            served[:, :, 0, f] = 0.5 * instance.demand.requests[:, k, :, 0]
    idle = (build.systems * instance.stock.idle_w).sum(axis=2)[:, None, None]
    it = idle + np.stack([(served * ways.joules)[..., ways.site == s].sum(axis=3) for s in (DALLAS, OSLO)], axis=3)
    operation = Operation(
        served=served,
        unmet=np.zeros((2, size["K"], size["R"], 1)),
        it_w=it,
        facility_w=1.2 * it,
        grid_w=1.2 * it,
    )
    return Solution(SimpleNamespace(builds=(build,), operation=operation))  # type: ignore[arg-type]


@cache
def proof_traffic() -> Traffic:
    """Requests that come independently: some 1,000 tokens in and 200 out; of batch 2,000 and 30."""
    bases = {}
    for name, prompt, output in (("chat", 1000, 200), ("batch", 2000, 30)):
        rng = np.random.default_rng(len(name))
        count = 20_000
        bases[name] = make_trace(
            np.cumsum(rng.exponential(0.1, count)),
            np.clip(rng.lognormal(np.log(prompt), 0.5, count), 1, 8000).astype(int),
            np.clip(rng.lognormal(np.log(output), 0.5, count), 1, 1500).astype(int),
        )
    return Traffic(bases, ("chat", "batch"), (CHAT, BATCH), ("default", "default"))
