"""Whether the kernel's cost grows with requests, not with tokens."""

from __future__ import annotations

from bench.child import NotMeasured, worker
from bench.section import Section, spread, verdict


def measure(repeats: int) -> Section:
    section = Section(
        "Ten times longer outputs",
        "The same number of requests on 16 replicas at the same 70 % utilisation (the arrival rate is lowered to "
        "match), outputs of 100 and of 1,000 tokens in the mean, KV cache for all of them so that nothing "
        "but the length differs. The bar is on the ratio of the medians.",
        ["outputs", "requests", "iterations", "preemptions", "kernel s min", "median", "max", "ratio", "bar", "held"],
    )
    base: float | None = None
    for mean in (100, 1000):
        name = f"{mean:,} tokens"
        try:
            answer, _ = worker("steady", "500000", "16", str(mean), "1000000", str(repeats))
        except NotMeasured as reason:
            section.missing(name, reason)
            continue
        walls = answer["walls"]
        cells = [
            f"{answer['requests']:,}",
            f"{answer['iterations']:,}",
            f"{answer['preemptions']:,}",
            *spread(walls, ".3f"),
        ]
        median = sorted(walls)[len(walls) // 2]
        if base is None:
            base = median
            section.add(name, walls, *cells, "1.00", "", "")
        else:
            ratio = median / base
            section.add(name, walls, *cells, f"{ratio:.2f}", "< 1.5", verdict([ratio], at_most=1.5))
    return section
