"""Steps of a site's power train, loops and plants per second, and whether their memory is flat."""

from __future__ import annotations

from bench.child import NotMeasured, worker
from bench.section import Section, spread, verdict

LOOPS = (50, 250, 1000)
STEPS = 86_400
BAR = 10_000  # x real time at 250 loops


def measure(repeats: int) -> Section:
    section = Section(
        "Facility step",
        "CPU seconds of one core, after a day to warm up: a day of 1 s steps of one building with so many rows, a "
        "third each on air, 21 C and 45 C loops, under a load that changes at every step and weather that changes by "
        "the hour. Every step has power train, three lumped masses a loop, three plants, limits, prices, totals and "
        "series. Calls come from Python, one a step. `bytes` is the growth of peak memory over the repeats.",
        ["rows (loops)", "us per step", "x real time min", "median", "max", "bytes", "bar", "held"],
    )
    for loops in LOOPS:
        try:
            answer, _ = worker("facility", str(loops), str(STEPS), str(repeats))
        except NotMeasured as reason:
            section.missing(str(loops), reason)
            continue
        speeds = [STEPS / seconds for seconds in answer["seconds"]]
        bar = (f">= {BAR:,}", verdict(speeds, at_least=BAR)) if loops == 250 else ("", "")
        each = 1e6 * min(answer["seconds"]) / STEPS
        section.add(str(loops), speeds, f"{each:.1f}", *spread(speeds), f"{answer['grown_bytes']:,}", *bar)
    return section
