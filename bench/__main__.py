"""`python -m bench [NAME ...] [--repeats N]`: measure all bars, or those named; writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from datetime import date
from pathlib import Path

from bench import section
from bench.child import ROOT

NAMES = (
    *("throughput", "growth", "memory", "start", "facility", "site", "power_control", "planning"),
    *("comparison", "gateway", "streams", "plan_baselines"),
)
PAGE = ROOT / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Written by `make bench` (`python -m bench`), never by hand. Measured {day} on {machine}, Python {python}; {repeats}
repeats unless said otherwise. `held` says whether the median keeps the bar that the project sets itself.
"""


def machine() -> str:
    """Processor and number of cores."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {models[0] if models else platform.machine()}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all when none is named")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each figure (3)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"no such bar: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        print(f"measuring {name}", file=sys.stderr)
        measured = importlib.import_module(f"bench.{name}").measure(arguments.repeats)
        section.save(measured, name)
        print("\n" + measured.markdown())
    kept = [section.load(name) for name in NAMES]
    if any(part is None for part in kept):
        missing = [name for name, part in zip(NAMES, kept, strict=True) if part is None]
        print(f"\n{PAGE.name} not written: {', '.join(missing)} not measured yet", file=sys.stderr)
        return 0
    head = HEAD.format(
        day=date.today().isoformat(),
        machine=machine(),
        python=platform.python_version(),
        repeats=arguments.repeats,
    )
    PAGE.write_text("\n\n".join([head.strip(), *(part.markdown() for part in kept if part is not None)]) + "\n")
    print(f"\nwrote {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
