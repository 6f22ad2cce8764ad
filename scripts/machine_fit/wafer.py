"""Wafers: the array of cores from a research port, then the service that runs on the newer one."""

from __future__ import annotations

from scripts.machine_fit.data import Data
from scripts.machine_fit.wafer_array import fit_array
from scripts.machine_fit.wafer_rival import fit_rival
from scripts.machine_fit.wafer_service import fit_service
from scripts.machine_fit.write import Fitted


def fit_wafer(data: Data, fitted: Fitted) -> None:
    """Fit CS-2 to WaferLLM, CS-3 to its service on top of that; CS-4 is CS-3 at twice the clock."""
    array = fit_array(data, fitted)
    fit_service(data, fitted, array)
    fit_rival(data, fitted, array)
