"""The fleet file that stands for the tiny instance: the same names, dates and leads."""

from __future__ import annotations

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet

TEXT = """\
name: tiny
sites:
  dallas: {usd_per_kwh: 0.08, kg_per_kwh: 0.4}
  oslo: {usd_per_kwh: 0.04, kg_per_kwh: 0.03}
services:
  chat: {model: llama-3.1-8b, slo: {ttft: 1 s}}
  batch: {model: llama-3.3-70b}
plan:
  horizon: {start: 2026-01, periods: 3}
  demand:
    chat: {traffic: azure-2023-conv, requests_per_s: 400}
    batch: {traffic: azure-2023-code, requests_per_s: 60}
  offers:
    wafer:
      {accelerator: cs-3, supplier: Wafers, runs: {llama-3.1-8b: {}}, supply: 60,
       price: {low: 600 kUSD, best: 900 kUSD, high: 2 MUSD}}
    node: {accelerator: h100, chips: 8, supplier: Chips, runs: {llama-3.1-8b: {}, llama-3.3-70b: {tensor: 4}},
      price: 300 kUSD, supply: 300, coolant: liquid-45c}
    rack: {accelerator: gb200, chips: 72, supplier: Chips, runs: {llama-3.1-8b: {}, llama-3.3-70b: {tensor: 4}},
      price: 3800 kUSD, supply: 20, lead: 3 months, coolant: liquid-45c}
  sites:
    dallas:
      blocks:
        cold: {power: 2 MW, coolant: liquid-21c, standing: 1, most: 3, price: 6 USD/W}
        warm: {power: 2 MW, coolant: liquid-45c, standing: 1, most: 6, price: 5 USD/W}
    oslo:
      blocks:
        cold: {power: 2 MW, coolant: liquid-21c, most: 3, lead: 3 months, price: 9 USD/W}
      open_price: 1 MUSD
"""


def tiny_fleet() -> Fleet:
    """The fleet of `TEXT`."""
    return loads(TEXT, "tiny.yaml")
