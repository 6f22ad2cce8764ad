"""A fleet file with a plan for tests of the input side, and capacities that nothing was simulated for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import assemble
from meritorder.plan.capacity import Capacity, Key, cases_of
from meritorder.plan.demand import demand_of
from meritorder.plan.horizon import of
from meritorder.plan.instance import Instance
from meritorder.plan.sites import site_hours

TEXT = """\
sites:
  south: {pue: 1.2, usd_per_kwh: 0.06, kg_per_kwh: 400 g/kWh, rtt: {east: 20 ms, west: 90 ms}}
  north: {pue: 1.1, usd_per_kwh: 0.03, kg_per_kwh: 50 g/kWh, rtt: {east: 120 ms, default: 60 ms}}
services:
  chat: {model: llama-3.1-8b, slo: {ttft: 500 ms, token_rate: 30 tok/s}}
  batch: {model: llama-3.1-70b, flexible: {within: 6 h}}
plan:
  horizon: {start: 2026-01, periods: 8, length: 1 quarter, discount_rate: 0.08}
  demand:
    chat:
      traffic: azure-2023-conv
      requests_per_s: 100
      regions: {east: 0.75, west: 0.25}
      growth: {per_year: {low: 1.5, best: 2, high: 3}}
    batch: {traffic: azure-2023-code, requests_per_s: 10, unmet_usd_per_mtok: 20}
  offers:
    wafer:
      {accelerator: cs-3, runs: {llama-3.1-8b: {}}, price: {low: 500 kUSD, best: 800 kUSD, high: 1 MUSD}, supply: 10}
    node:
      accelerator: h100
      chips: 8
      runs: {llama-3.1-8b: {}, llama-3.1-70b: {tensor: 4}}
      rent_per_month: 12 kUSD
      term: 36 months
      supply: {2026-01: 4, 2026-07: 12}
      lead: 4 months
    rack:
      {accelerator: gb300, chips: 72, runs: {llama-3.1-70b: {tensor: 8}}, price: 3.8 MUSD,
       supply: 2, standing: {south: 1}}
  sites:
    south:
      blocks:
        air: {power: 200 kW, coolant: air, standing: 1, most: 3, lead: 6 months, price: 10 USD/W}
        cold: {power: 1 MW, coolant: liquid-21c, standing: 1, most: 4, rent: 200 USD/kW-month}
        warm: {power: 1 MW, coolant: liquid-45c, most: 4, most_per_quarter: 2, price: 10 USD/W, standing: 1}
      grid: {2026-01: 3 MW, 2026-05: 6 MW}
    north: {blocks: {cold: {power: 2 MW, coolant: liquid-21c, most: 3, price: 12 USD/W}}, first: 2026-06}
"""

Change = Callable[[dict[str, Any]], None]


def small_fleet(change: Change | None = None) -> Fleet:
    """The fleet, after `change` of its file's content."""
    data = yaml.safe_load(TEXT)
    if change is not None:
        change(data)
    return loads(yaml.safe_dump(data, sort_keys=False))


def made_up(fleet: Fleet, rate: float = 10.0, **fields: Any) -> dict[Key, Capacity]:
    """A capacity of each case: `rate` of a replica alone, twice that in large pools, 0 from 100 ms of round trip on."""
    assert fleet.plan is not None
    found = {}
    for case in cases_of(fleet):
        chips = case.run.tensor * case.run.pipeline * case.run.data_parallel
        capacity = Capacity(
            key=case.key,
            model=case.model,
            sizes=(1, 256),
            rtts=(0.0, 0.099, 0.1, 0.4),
            simulated=((rate, rate, 0.0, 0.0), (2 * rate, 2 * rate, 0.0, 0.0)),
            ttft_s=fleet.services[case.service].slo.ttft,
            replica_systems=chips / fleet.plan.offers[case.offer].chips,
            joules=50.0,
        )
        if capacity.ttft_s is None:  # as simulated ones: no round trip matters
            capacity = replace(capacity, rtts=(0.0,), simulated=((rate,), (2 * rate,)))
        if case.decode:
            capacity = replace(capacity, decode=replace(capacity, joules=70.0))
        found[case.key] = replace(capacity, **fields)
    return found


def small_instance(change: Change | None = None, **options: Any) -> Instance:
    """Its full instance."""
    fleet = small_fleet(change)
    horizon = of(fleet.plan)
    return assemble(fleet, horizon, demand_of(fleet), made_up(fleet), site_hours(fleet, horizon), **options)
