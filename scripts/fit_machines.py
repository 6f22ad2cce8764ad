"""Fit the machines' coefficients to measured data and write them, with provenance, into the catalog.

    python -m scripts.fit_machines DATA

DATA is the folder of calibration files (`op_gemm.csv` and the others; its README says where they come from).
Files of scoring sets (`*_heldout*`, `*_eval*`) are never read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.machine_fit.data import Data
from scripts.machine_fit.engine import fit_engine
from scripts.machine_fit.operators import fit_operators
from scripts.machine_fit.power import fit_power
from scripts.machine_fit.wafer import fit_wafer
from scripts.machine_fit.write import Fitted, write

FITTED = Path(__file__).parent.parent / "src/meritorder/catalog/data/fitted.yaml"


def main() -> None:
    """Run the fits and write their coefficients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the calibration files")
    arguments = parser.parse_args()
    data, fitted = Data(arguments.data), Fitted()
    fit_operators(data, fitted)
    fit_engine(data, fitted)
    fit_power(data, fitted)
    fit_wafer(data, fitted)
    write(fitted, FITTED)


if __name__ == "__main__":
    main()
