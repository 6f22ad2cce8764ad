"""`Tally`: what each worker counted against the limits per minute, in a file that all of them have mapped.

Every worker writes its own cells only and adds up the others', so no lock is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from meritorder.serve.doors.caller import Caller
from meritorder.serve.doors.window import WINDOW_S, Window

KEYS = (
    1 << 20
)  # keys with a higher number are limited by each worker alone; the file has holes where nothing is counted

# Two cells per worker, for the minute that runs and the one before; `minute` is written last and says that it is true.
_CELL = np.dtype([("requests", "f8"), ("tokens", "f8"), ("minute", "f8")])


class Tally:
    """One worker's hand on the file, which is made where it is not there. Beside it only workers of one generation."""

    def __init__(self, path: Path, *, workers: int, worker: int) -> None:
        shape = (KEYS, 2, workers)
        with path.open("ab") as file:
            file.truncate(KEYS * 2 * workers * _CELL.itemsize)
        self._cells = np.memmap(path, _CELL, "r+", shape=shape)
        self._worker = worker

    def share(self, callers: Sequence[Caller], time: float) -> None:
        """Write what these callers used here, and put what they used elsewhere into their windows."""
        minute = time // WINDOW_S
        known = [caller for caller in callers if caller.number < KEYS]
        for caller in known:
            for window in (caller.requests, caller.tokens):
                if window.minute != minute:
                    window.roll(minute)
        rows = np.array([caller.number for caller in known], dtype=np.int64)
        for back in (0, 1):
            self._write(known, rows, minute - back, back)
            cells = self._cells[rows, int(minute - back) & 1]
            counted = cells["minute"] == minute - back + 1.0
            counted[:, self._worker] = False
            requests = np.where(counted, cells["requests"], 0.0).sum(axis=1).tolist()
            tokens = np.where(counted, cells["tokens"], 0.0).sum(axis=1).tolist()
            for caller, used_requests, used_tokens in zip(known, requests, tokens, strict=True):
                _hear(caller.requests, back, used_requests)
                _hear(caller.tokens, back, used_tokens)

    def _write(self, callers: Sequence[Caller], rows: np.ndarray, minute: float, back: int) -> None:
        place = (rows, int(minute) & 1, self._worker)
        name = "before" if back else "now"
        self._cells["requests"][place] = [getattr(caller.requests, name) for caller in callers]
        self._cells["tokens"][place] = [getattr(caller.tokens, name) for caller in callers]
        self._cells["minute"][place] = minute + 1.0  # 0 is what a fresh file says: nothing counted


def _hear(window: Window, back: int, used: float) -> None:
    if back:
        window.others_before = used
    else:
        window.others_now = used
