"""`python -m bench.plan_baselines FLEET.yaml ...`: the table of each fleet file, as Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.plan_baselines.table import HEADER, instance_of, judged, row


def main() -> int:
    for name in sys.argv[1:]:
        fleet, full = instance_of(Path(name))
        assert fleet.plan is not None
        print(f"\n{name}\n\n| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
        first = None
        for one in judged(full, fleet, hours=fleet.plan.horizon.hours):
            first = first or one
            print(f"| {' | '.join(row(one, first))} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
