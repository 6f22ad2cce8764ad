"""Time, memory and errors of the planner at the size of a large programme."""

from __future__ import annotations

from bench.child import NotMeasured, worker
from bench.section import Section, spread, verdict

MEMORY_MB = 2000
CASES = {
    "12 quarters, 8 sites, 10 systems, 8 services, 6 h, 5 scenarios": ("0", 30.0),
    "the same, any one site lost at each year's end": ("0.85", 60.0),
}


def measure(repeats: int) -> Section:
    section = Section(
        "Planning",
        "The instance of `bench/planning_instance.py`, one synthetic seed. `solve` is choosing six of 24 hours, "
        "writing the program and solving it to a gap of 0.5 % with whole power blocks, `round` rounding 960 deliveries "
        "to whole systems, `check` the rounded plan in all 24 hours of five scenarios on two threads. CPU seconds are "
        "of the whole process while it solves. `hours` is the cost of that plan on the chosen hours against its cost "
        "on all. With a site lost, 85 % of the busiest hour's demand must be served in the middle scenario. Every "
        "repeat must give the same plan.",
        [
            "instance",
            "solve s min",
            "median",
            "max",
            "CPU s",
            "round s",
            "check s",
            "gap",
            "hours",
            "MB",
            "bar",
            "held",
        ],
    )
    for name, (share, bar) in CASES.items():
        try:
            runs = [worker("planning", share) for _ in range(repeats)]
        except NotMeasured as reason:
            section.missing(name, reason)
            continue
        answers = [answer for answer, _ in runs]
        if len({answer["plan"] for answer in answers}) != 1:
            raise RuntimeError(f"{name}: repeats gave different plans")
        solve = [answer["solve_s"] for answer in answers]
        memory = max(ended.rss_bytes for _, ended in runs) / 1e6
        last = answers[-1]
        good = (
            verdict(solve, at_most=bar) == "yes"
            and verdict([answer["check_s"] for answer in answers], at_most=5.0) == "yes"
            and last["gap"] <= 0.005
            and abs(last["hours_error"]) < 0.01
            and memory < MEMORY_MB
        )
        section.add(
            name,
            solve,
            *spread(solve, ".1f"),
            f"{last['solve_cpu_s']:.1f}",
            f"{last['round_s']:.1f}",
            f"{last['check_s']:.1f}",
            f"{last['gap']:.2%}",
            f"{last['hours_error']:+.3%}",
            f"{memory:.0f}",
            f"< {bar:.0f} s, check < 5 s, 0.5 %, 1 %, {MEMORY_MB} MB",
            "yes" if good else "**no**",
        )
    return section
