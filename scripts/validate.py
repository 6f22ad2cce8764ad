"""Cross-validate every cost model on the measured data and write docs/accuracy.md.

    python -m scripts.validate DATA             every study; writes the page
    python -m scripts.validate DATA blis wafer  these modules of scripts/validation only; prints their part

DATA is the folder of calibration files. Files of scoring sets are never read.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

from scripts.machine_fit.data import Data
from scripts.validation.report import accuracy_page
from scripts.validation.run import Verdict, run

from meritorder.files import write_text

PAGE = Path(__file__).parent.parent / "docs/accuracy.md"

# The order of the page: whole servers first, then the parts.
MODULES = (
    *("blis", "inferencex", "llmservingsim", "mlenergy", "mlperf", "splitwise", "wafer"),
    *("operators", "kernel_power"),
)


def main() -> None:
    """Run the studies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the calibration files")
    parser.add_argument("only", nargs="*", choices=[[], *MODULES], help="modules of scripts/validation")
    arguments = parser.parse_args()
    data, began = Data(arguments.data), time.perf_counter()

    def tell(line: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {line}", file=sys.stderr, flush=True)

    verdicts: list[Verdict] = []
    for name in arguments.only or MODULES:
        for study in import_module(f"scripts.validation.{name}").studies():
            verdicts += run(study, data, tell)
    page = accuracy_page(verdicts)
    if arguments.only:
        print(page)
    else:
        write_text(PAGE, page)
        tell(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
