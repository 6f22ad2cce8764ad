"""Simulated requests per wall second of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from bench.child import ROOT, NotMeasured, worker
from bench.section import Section, spread, verdict
from bench.steady import KV_TOKENS

SHARED = Path(os.environ.get("MERIT_SHARED", ROOT.parent / "shared")) / "traces"


def measure(repeats: int) -> Section:
    section = Section(
        "Kernel throughput",
        "One core, merit order, kernel time alone (`wall_s`), after one warm-up run in the same process. Steady load: "
        "Poisson arrivals at 70 % of the rate that the replicas sustain at their largest batch, prompts of 955 and "
        "outputs of 200 tokens in the mean. Recorded traces run at their own rate with prefix caching.",
        ["run", "requests", "busy", "requests/s min", "median", "max", "µs per iteration", "bar", "held"],
    )
    cases = (
        ("1,000 replicas, steady", 500_000, ("steady", "1000000", "1000", "200", str(KV_TOKENS))),
        ("16 replicas, steady", 1_500_000, ("steady", "1000000", "16", "200", str(KV_TOKENS))),
        (
            "Mooncake conversation, 8 replicas, prefix ids",
            100_000,
            _recorded("mooncake_conversation_trace.jsonl.gz", 8),
        ),
        ("Weka coding agents, 8 replicas, prefix ids", 5_000, _recorded("weka_claude_code.parquet", 8)),
    )
    for name, bar, arguments in cases:
        try:
            if arguments is None:
                raise NotMeasured("the recorded trace is not here")
            answer, _ = worker(*arguments, str(repeats))
        except NotMeasured as reason:
            section.missing(name, reason)
            continue
        rates = [answer["requests"] / wall for wall in answer["walls"]]
        per_step = 1e6 * min(answer["walls"]) / max(1, answer["iterations"])
        count = f"{answer['requests']:,}"
        if answer["completed"] < answer["requests"]:
            count = f"{answer['completed']:,} completed of {count}"
        cells = [count, f"{answer['busy']:.0%}", *spread(rates), f"{per_step:.3f}"]
        section.add(name, rates, *cells, f">= {bar:,}", verdict(rates, at_least=bar))
    return section


def _recorded(file: str, replicas: int) -> tuple[str, ...] | None:
    path = SHARED / file
    return ("recorded", str(path), str(replicas)) if path.exists() else None
