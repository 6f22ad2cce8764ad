"""A fleet of nodes, wafer pipelines and rack-scale systems at two sites, with made-up replicas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from meritorder.facility.halls.seats import Placement, placement
from meritorder.facility.parts import parts_of
from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.simulate.faults.outage import Outages
from meritorder.simulate.faults.schedule import outages

FLEET = """
sites:
  dallas: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
  toronto: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
pools:
  nodes: {site: dallas, accelerator: h100, model: llama-3.1-8b, tensor: 2, replicas: 8}
  wafers: {site: dallas, accelerator: cs-3, model: llama-3.1-8b, pipeline: 4, replicas: 3}
  racks: {site: toronto, accelerator: gb200, model: llama-3.1-8b, tensor: 4, replicas: 36}
  wide: {site: toronto, accelerator: mi300x, model: llama-3.1-8b, tensor: 8, pipeline: 2, replicas: 2}
services:
  chat: {model: llama-3.1-8b}
"""
SIZES = {"nodes": 2, "wafers": 4, "racks": 4, "wide": 16}
FIRST = {"nodes": 0, "wafers": 8, "racks": 11, "wide": 47}

Drawn = Callable[..., Outages]


def standing(one_replica: Replica, faults: str, more: str = "") -> tuple[Fleet, tuple[Replica, ...], Placement]:
    """The fleet with `faults:` (YAML in braces), perhaps with `more` pools; its replicas, and where they stand.

    Faults only read how many chips and weights a replica has, so that one stands for all.
    """
    fleet = loads(FLEET.replace("services:\n", more + "services:\n") + f"faults: {faults}\n")
    made = {
        name: replace(one_replica, accelerators=SIZES.get(name, 8), weight_bytes=16e9, max_w=5000.0)
        for name in fleet.pools
    }
    return fleet, tuple(made.values()), placement(fleet, made)


def draw(one_replica: Replica, faults: str, duration_s: float, seed: int = 0, more: str = "") -> Outages:
    """The outages of that fleet."""
    fleet, made, placed = standing(one_replica, faults, more)
    return outages(fleet, made, placed, parts_of(fleet, placed), duration_s, seed)
