"""One row of numbers per worker in memory that all processes share; each row has one writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from meritorder.fleet.schema import Fleet
from meritorder.serve.seen.layout import Layout


class MeterRows:
    """The rows of all workers (workers, size). The supervisor creates and unlinks them, workers attach by name."""

    def __init__(self, name: str, rows: npt.NDArray[np.float64]) -> None:
        self.name = name
        self._rows = rows

    @classmethod
    def create(cls, fleet: Fleet, *, workers: int, folder: Path) -> MeterRows:
        """New rows, all zero, in a file in `folder`."""
        path = folder / "metrics"
        return cls(str(path), np.memmap(path, np.float64, "w+", shape=(workers, Layout(fleet).size)))

    @classmethod
    def attach(cls, name: str, fleet: Fleet) -> MeterRows:
        """The rows that another process created for the same fleet. Raises ValueError where it was another fleet."""
        rows = np.memmap(name, np.float64, "r+")
        return cls(name, rows.reshape(-1, Layout(fleet).size))

    def row(self, worker: int) -> npt.NDArray[np.float64]:
        """The row of one worker (size), to write into."""
        row: npt.NDArray[np.float64] = self._rows[worker]
        return row

    def total(self) -> npt.NDArray[np.float64]:
        """The sum over all workers (size)."""
        return np.asarray(self._rows.sum(axis=0))

    def close(self) -> None:
        """Let go of the memory; whoever still holds a row keeps it."""
        self._rows = np.zeros((0, self._rows.shape[1]))
