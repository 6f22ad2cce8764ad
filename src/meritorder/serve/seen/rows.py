"""One row of numbers per worker in memory that all processes share; each row has one writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from meritorder.fleet.schema import Fleet
from meritorder.serve.seen.layout import Layout


class MeterRows:
    """The rows of all workers (workers, size). The supervisor creates and unlinks them, workers attach by name."""

    def __init__(self, name: str, rows: npt.NDArray[np.float64], fleet: Fleet) -> None:
        self.name = name
        self._rows = rows
        self._layout = Layout(fleet)
        self._before: MeterRows | None = None  # what is counted there counts here, too
        self._ended: npt.NDArray[np.float64] = np.zeros(rows.shape[1])  # counted before those

    @classmethod
    def create(cls, fleet: Fleet, *, workers: int, folder: Path) -> MeterRows:
        """New rows, all zero, in a file in `folder`."""
        path = folder / "metrics"
        return cls(str(path), np.memmap(path, np.float64, "w+", shape=(workers, Layout(fleet).size)), fleet)

    @classmethod
    def attach(cls, name: str, fleet: Fleet) -> MeterRows:
        """The rows that another process created for the same fleet. Raises ValueError where it was another fleet."""
        rows = np.memmap(name, np.float64, "r+")
        return cls(name, rows.reshape(-1, Layout(fleet).size), fleet)

    def row(self, worker: int) -> npt.NDArray[np.float64]:
        """The row of one worker (size), to write into."""
        row: npt.NDArray[np.float64] = self._rows[worker]
        return row

    def follow(self, before: MeterRows) -> None:
        """Go on counting from rows that are still written to, if they are of the same services and pools."""
        if (before._layout.services, before._layout.pools) == (self._layout.services, self._layout.pools):
            self._before = before

    def waiting(self) -> list[int]:
        """Requests that wait in the gateway, by service."""
        return [int(number) for number in self.total()[self._layout.waiting : self._layout.counters]]

    def total(self) -> npt.NDArray[np.float64]:
        """The sum over all workers (size)."""
        total = self._rows.sum(axis=0) + self._ended
        return np.asarray(total if self._before is None else total + self._before.total())

    def close(self) -> None:
        """Let go of the memory, but keep what was counted; whoever still holds a row keeps it."""
        self._ended, self._before = self.total(), None
        self._ended[self._layout.gauges : self._layout.counters] = 0.0  # nothing is there any more
        self._rows = np.zeros((0, self._rows.shape[1]))
