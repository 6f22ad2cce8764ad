"""Seconds from starting the process to its end."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.child import NotMeasured, run
from bench.section import Section, spread, verdict

MERIT = Path(sys.executable).parent / "merit"


def measure(repeats: int) -> Section:
    section = Section(
        "Start",
        "Wall seconds of the whole process, start to end, machine code already on disk. The simulation reads the "
        "Azure 2023 conversation hour, runs merit order on the bundled mixed fleet, and writes results and report.",
        ["command", "s min", "median", "max", "peak MB", "bar", "held"],
    )
    with tempfile.TemporaryDirectory() as folder:
        simulate = ["simulate", "examples/mixed.yaml", "azure-2023-conv", "--output", f"{folder}/run"]
        for arguments, bar in ((["--help"], 0.3), (simulate, 3.0)):
            name = "`merit " + " ".join(arguments[:3]) + "`"
            try:
                run([MERIT, *arguments])
                ended = [run([MERIT, *arguments]) for _ in range(max(5, repeats))]
            except NotMeasured as reason:
                section.missing(name, reason)
                continue
            walls = [e.wall_s for e in ended]
            megabytes = f"{max(e.rss_bytes for e in ended) / 1e6:.0f}"
            section.add(name, walls, *spread(walls, ".2f"), megabytes, f"< {bar}", verdict(walls, at_most=bar))
    return section
