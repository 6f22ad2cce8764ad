"""A small fleet to find capacities for: one model on two machines, steady traffic written out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet

TRAFFIC = """\
name: steady
duration: 30 min
clients:
  chat:
    per_s: 30
    prompt_tokens: {lognormal: {median: 600, sigma: 0.6}, maximum: 8000}
    output_tokens: {exponential: 120}
"""

FLEET = """\
sites:
  x: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
services:
  chat: {model: llama-3.1-8b, slo: {ttft: 400 ms, token_rate: 60 tok/s}}
plan:
  horizon: {start: 2027-01, periods: 2}
  demand:
    chat: {traffic: TRAFFIC, requests_per_s: 8}
  offers:
    node: {accelerator: h100, chips: 8, runs: {llama-3.1-8b: {}}, price: 300 kUSD, supply: 100}
  sites:
    x: {blocks: {air: {power: 1 MW, coolant: air, most: 4}, cold: {power: 1 MW, coolant: liquid-21c, most: 4}}}
"""

Change = Callable[[dict[str, Any]], None]


def capacity_fleet(folder: Path, change: Change | None = None) -> Fleet:
    """The fleet, with its traffic as a file in `folder`, after `change` of its data."""
    traffic = folder / "steady.yaml"
    traffic.write_text(TRAFFIC)
    data = yaml.safe_load(FLEET.replace("TRAFFIC", str(traffic)))
    if change is not None:
        change(data)
    return loads(yaml.safe_dump(data, sort_keys=False))
