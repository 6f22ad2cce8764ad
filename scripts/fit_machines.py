"""Fit the machines' coefficients to measured data and write them, with provenance, into the catalog.

    python -m scripts.fit_machines DATA               fit everything
    python -m scripts.fit_machines DATA --only PART   fit one part, keep the others as they are committed

DATA is the folder of calibration files (`op_gemm.csv` and the others; its README says where they come from).
Files of scoring sets (`*_heldout*`, `*_eval*`) are never read. Errors of the result: `make validate`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from scripts.machine_fit.committed import FITTED, whole
from scripts.machine_fit.data import Data
from scripts.machine_fit.engines import fit_engines, write_engines
from scripts.machine_fit.kernels import fit_kernels, write_kernels
from scripts.machine_fit.layers import write_layers
from scripts.machine_fit.memory import fit_memory
from scripts.machine_fit.power import fit_power
from scripts.machine_fit.rooflines import fit_rooflines
from scripts.machine_fit.turns import in_turn
from scripts.machine_fit.vllm import fit_vllm
from scripts.machine_fit.vllm_requests import fit_vllm_requests
from scripts.machine_fit.wafer import fit_wafer
from scripts.machine_fit.write import Fitted, write

CATALOG = FITTED.parent


def operators(data: Data, fitted: Fitted) -> None:
    """Kernels by shape, those of profiled models, and the plain rooflines of machines without tables."""
    write_kernels(fit_kernels(data), CATALOG / "operators.json")
    write_layers(data)
    fit_rooflines(data, fitted)
    fit_memory(data, fitted)


def engines(data: Data, fitted: Fitted) -> None:
    """What engines add."""
    write_engines(fit_engines(data), CATALOG / "engines.yaml")


def vllm(data: Data, fitted: Fitted) -> None:
    """vLLM servers under open load."""
    fit_vllm(data, fitted)
    fit_vllm_requests(data, fitted)


# In order: a part leans on what those before it have written.
PARTS: dict[str, Callable[[Data, Fitted], None]] = {
    "operators": operators,
    "engines": engines,
    "vllm": vllm,
    "power": fit_power,
    "wafer": fit_wafer,
}


def main() -> None:
    """Fit all parts, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the calibration files")
    parser.add_argument("--only", choices=PARTS, help="the part to fit")
    arguments = parser.parse_args()
    in_turn(partial(fit_part, name, arguments.data) for name in PARTS if arguments.only in (None, name))


def fit_part(name: str, folder: Path) -> None:
    """Fit one part and write the catalog's files."""
    fitted = whole(Fitted())
    PARTS[name](Data(folder), fitted)
    write(fitted, FITTED)
    print(f"fitted: {name}", flush=True)


if __name__ == "__main__":
    main()
