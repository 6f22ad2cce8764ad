"""The workload on which simulators are compared: lognormal lengths, Poisson arrivals, one generator for all."""

from __future__ import annotations

import csv
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workload:
    """`requests` at `rate` per second for `replicas` replicas of Llama-3.1-8B on one A100-80GB each."""

    name: str
    replicas: int
    requests: int
    rate: float

    def rows(self) -> list[tuple[float, int, int]]:
        """(arrival in seconds, prompt tokens, output tokens), the same for every simulator."""
        draw = random.Random(1)
        now, rows = 0.0, []
        for _ in range(self.requests):
            now += draw.expovariate(self.rate)
            prompt = int(min(max(draw.lognormvariate(math.log(700), 0.9), 16), 3072))
            output = int(min(max(draw.lognormvariate(math.log(160), 0.7), 8), 1024))
            rows.append((now, prompt, output))
        return rows


WORKLOADS = (Workload("w1", 1, 2_000, 4), Workload("w16", 16, 10_000, 64), Workload("w64", 64, 20_000, 256))


def write_mooncake(workload: Workload, path: Path) -> None:
    """The rows as Mooncake JSON lines; every block id is its own, so nothing is shared."""
    block = 0
    with path.open("w") as file:
        for arrival, prompt, output in workload.rows():
            blocks = -(-prompt // 512)
            row = {
                "timestamp": round(arrival * 1000, 3),
                "input_length": prompt,
                "output_length": output,
                "hash_ids": list(range(block, block + blocks)),
            }
            block += blocks
            file.write(json.dumps(row) + "\n")


def write_vidur(workload: Workload, path: Path, date: str = "2023-08-21") -> None:
    """The rows as the CSV that Vidur 0.0.26 replays."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Date", "Time", "PromptTokenCount", "CompletionTokenCount"])
        writer.writerows((date, f"{arrival:.6f}", prompt, output) for arrival, prompt, output in workload.rows())
