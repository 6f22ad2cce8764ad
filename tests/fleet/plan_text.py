"""A small fleet file with a plan that tests bend."""

PLAN = """\
sites:
  iowa: {usd_per_kwh: 0.06, kg_per_kwh: 340 g/kWh, rtt: {us: 30 ms}}
  oslo: {usd_per_kwh: 0.04, kg_per_kwh: 20 g/kWh}
services:
  chat: {model: llama-3.1-8b}
  code: {model: llama-3.1-70b}
plan:
  horizon: {start: 2026-01, periods: 8}
  demand:
    chat: {traffic: azure-2023-conv, requests_per_s: 20, regions: {us: 1}}
    code: {traffic: azure-2023-code, requests_per_s: 2}
  scenarios:
    slow: {probability: 0.5, growth: low}
    fast: {probability: 0.5, growth: high, demand: {code: 2}, speed: {gpu: 0.9}, late: {gpu: 3 months}}
  offers:
    gpu: {accelerator: h100, chips: 8, runs: {llama-3.1-8b: {}, llama-3.1-70b: {tensor: 4}}, price: 280 kUSD, supply: 4}
    wafer: {accelerator: cs-3, runs: {llama-3.1-70b: {}}, rent_per_month: 60 kUSD, supply: {2026-01: 2, 2026-07: 6}}
  pairs:
    split: {prefill: gpu, decode: wafer, models: [llama-3.1-70b]}
  apis:
    cloud:
      {model: llama-3.1-8b, supplier: C, usd_per_mtok_prompt: 1, usd_per_mtok_output: 2, ttft: 1 s, token_rate: 9 tok/s}
  sites:
    iowa: {blocks: {row: {power: 1 MW, coolant: air, most: 4}, cold: {power: 1 MW, coolant: liquid-21c, most: 2}}}
  contracts:
    due: {supplier: Cerebras, power: {2026-07: 1 MW}}
  policy:
    supplier_share: {NVIDIA: 0.8}
    survive: {site: {chat: 0.5, default: 0}, when: last}
"""


def bent(*changes: tuple[str, str]) -> str:
    """The file with texts replaced; each must be there."""
    text = PLAN
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return text
