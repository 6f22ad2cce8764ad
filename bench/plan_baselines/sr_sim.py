"""`vllm-sr-sim optimize` (PyPI), where its scope allows: services on H100, each a fleet of its own.

It sizes a pool for short and one for long requests by M/G/c and verifies them by simulation. It knows A100, H100 and
A10G, each with one set of coefficients, and no model: so its H100 is taken for whatever model the service has. It is
asked for the busiest hour of every period at the service's TTFT (its own is a P99); what it answers in GPUs becomes
whole nodes. Services without a TTFT below a minute are sized at one minute. Sites, hours, power and other machines
are not in it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from bench.comparison import SR_SIM, environment
from bench.plan_baselines.orders import peak
from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.traffic import traffic_of
from meritorder.plan.instance import Floats, Instance
from meritorder.workload.trace import Trace

GPU = "h100"
LONGEST_TTFT_S = 60.0
POINTS = 50  # of a distribution of lengths


def sr_sim(fleet: Fleet, full: Instance) -> Floats | None:
    """[T,H] systems in service; None: no offer is of a GPU that it knows."""
    assert fleet.plan is not None
    offers = [name for name, offer in fleet.plan.offers.items() if offer.accelerator == GPU]
    if not offers:
        return None
    system = full.names.systems.index(offers[0])
    chips = fleet.plan.offers[offers[0]].chips
    demand = peak(full)
    gpus = np.zeros(len(demand))
    for index, service in enumerate(full.names.services):
        lengths = _lengths(traffic_of(fleet, service, 0))
        ttft = min(fleet.services[service].slo.ttft or LONGEST_TTFT_S, LONGEST_TTFT_S)
        asked = demand[:, full.demand.service == index].sum(axis=1)
        gpus += [_gpus(lengths, rate, ttft) for rate in asked]
    wanted = np.zeros((len(demand), full.shape["H"]))
    wanted[:, system] = np.ceil(gpus / chips)
    return wanted


def _lengths(trace: Trace) -> list[list[float]]:
    """Distribution of prompt and output tokens together, as it wants it."""
    total = np.sort(trace.prompt_tokens + trace.output_tokens)
    shares = np.linspace(1.0 / POINTS, 1.0, POINTS)
    return [[int(np.quantile(total, share)), float(share)] for share in shares]


def _gpus(lengths: list[list[float]], rate: float, ttft_s: float) -> int:
    """GPUs of the cheapest fleet that it finds."""
    program = environment("vllm-sr-sim", SR_SIM).parent / "vllm-sr-sim"
    with tempfile.TemporaryDirectory() as folder:
        table, answer = Path(folder) / "cdf.json", Path(folder) / "answer.json"
        table.write_text(json.dumps(lengths))
        asked = ["--cdf", table, "--lam", f"{rate:g}", "--slo", f"{ttft_s * 1e3:g}", "--out", answer]
        command = [program, "optimize", *asked, "--gpu-short", GPU, "--gpu-long", GPU]
        subprocess.run([str(part) for part in command], check=True, capture_output=True, cwd=folder)
        rows = json.loads(answer.read_text())
    kept = [row for row in rows if row["slo_met"]] or rows
    return int(min(kept, key=lambda row: row["annualised_cost_kusd"])["total_gpus"])
