"""A small fleet file that tests bend."""

from __future__ import annotations

import pytest

SMALL = """\
sites:
  north:
    usd_per_kwh: 0.05
    kg_per_kwh: 50 g/kWh
    rtt: {default: 20 ms}
pools:
  fast:
    site: north
    accelerator: h100
    model: llama-3.1-8b
    replicas: 2
services:
  chat:
    model: llama-3.1-8b
    slo: {ttft: 1 s, token_rate: 30 tok/s}
"""


@pytest.fixture
def small() -> str:
    """Text of a valid fleet file: line 1 `sites:`, 6 `pools:`, 12 `services:`."""
    return SMALL
