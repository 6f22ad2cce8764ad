"""Peak memory per simulated request beyond the trace."""

from __future__ import annotations

import tempfile

from bench.child import NotMeasured, worker
from bench.section import Section, spread, verdict

SIZES = (1_000_000, 3_000_000)


def measure(repeats: int) -> Section:
    section = Section(
        "Memory",
        "Peak resident memory of a fresh process that holds nothing but the trace, at two sizes; the slope between "
        "them less the trace's own bytes is what a request costs. The result's per-request columns are in it.",
        ["run", "trace bytes/request", "bytes/request beyond it, min", "median", "max", "bar", "held"],
    )
    slopes, own = [], 0.0
    try:
        for _ in range(repeats):
            peaks = []
            for size in SIZES:
                with tempfile.TemporaryDirectory() as folder:
                    worker("columns", str(size), "64", folder)
                    answer, _ = worker("memory", "64", folder)
                peaks.append(answer["peak_bytes"])
                own = answer["trace_bytes"] / size
            slopes.append((peaks[1] - peaks[0]) / (SIZES[1] - SIZES[0]) - own)
    except NotMeasured as reason:
        section.missing("64 replicas, steady", reason)
        return section
    section.add("64 replicas, steady", slopes, f"{own:.0f}", *spread(slopes), "<= 200", verdict(slopes, at_most=200))
    return section
