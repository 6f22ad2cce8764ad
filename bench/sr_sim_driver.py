"""Runs inside vllm-sr-sim's own environment: `python sr_sim_driver.py TRACE.csv REPLICAS`; prints one JSON line."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()


def main(trace: Path, replicas: int) -> None:
    from fleet_sim.core.fleet import Fleet, FleetConfig, PoolConfig
    from fleet_sim.core.request import Request
    from fleet_sim.gpu_profiles.profiles import A100_80GB

    with trace.open(newline="") as file:
        rows = [
            (float(r["Time"]), int(r["PromptTokenCount"]), int(r["CompletionTokenCount"])) for r in csv.DictReader(file)
        ]
    arrivals = [(at, Request(i, at, prompt, output)) for i, (at, prompt, output) in enumerate(rows)]
    pools = [PoolConfig("p", A100_80GB, replicas, 4096, lb_strategy="round_robin")]
    fleet = Fleet(FleetConfig(pools=pools, router_type="RandomRouter"))
    begun = time.perf_counter()
    fleet.run(arrivals)
    ended = time.perf_counter()
    print(json.dumps({"core_s": ended - begun, "start_s": begun - STARTED}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
