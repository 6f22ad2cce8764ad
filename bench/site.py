"""What a site model costs: ticks beside a large fleet, and a day of a very large one of which a part is simulated."""

from __future__ import annotations

from bench.child import NotMeasured, worker
from bench.section import Section, spread, verdict

REPLICAS, REQUESTS = 2_000, 1_000_000
SYSTEMS, PART, HOURS = 22_000, 1_100, 24


def measure(repeats: int) -> Section:
    section = Section(
        "Sites in virtual time",
        f"One core. First {REPLICAS:,} replicas under steady load with and without a building that is stepped each "
        "second (runs alternate; the bar is on what the building adds). Then a site of "
        f"{SYSTEMS:,} rack-sized systems, {HOURS} hours at 1 s, of which one in {PART:,} is simulated with the "
        "requests that it gets; all rows, loops and plants are there. `grown` is peak memory of the second half of the "
        "virtual time beyond that of the first, requests aside.",
        ["run", "requests", "ticks", "min", "median", "max", "bar", "held"],
    )
    try:
        answer, _ = worker("site_overhead", str(REQUESTS), str(REPLICAS), str(repeats))
        added = [100 * (a / b - 1) for a, b in zip(answer["with"], answer["without"], strict=True)]
        cells = [f"{answer['requests']:,}", f"{answer['ticks']:,}", *spread(added, ".1f")]
        section.add("added by ticks, %", added, *cells, "< 10", verdict(added, at_most=10))
    except NotMeasured as reason:
        section.missing("added by ticks, %", reason)
    try:
        walls, grown = [], []
        for _ in range(repeats):
            answer, _ = worker("site_day", str(SYSTEMS), str(PART), str(HOURS))
            walls.append(answer["wall_s"])
            grown.append(answer["grown_bytes"] / 1e6)
        cells = [f"{answer['requests']:,}", f"{answer['ticks']:,}"]
        name = f"a day of {answer['it_mw']:,.0f} MW IT ({answer['facility_mw']:,.0f} MW facility), s"
        section.add(name, walls, *cells, *spread(walls, ".1f"), "< 60", verdict(walls, at_most=60))
        section.add("its memory, MB grown", grown, *cells, *spread(grown, ".1f"), "< 16", verdict(grown, at_most=16))
    except NotMeasured as reason:
        section.missing("a day", reason)
    return section
