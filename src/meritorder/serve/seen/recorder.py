"""`Recorder`: the traffic itself as Parquet files that `merit simulate` reads: lengths, times, hashes, no text."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.serve.account import COUNT_TOKENS, Account
from meritorder.serve.seen.recording import Columns, write_recording

ROLL_S = 60.0  # a file for so long, at most
_MOST_REQUESTS = 50_000  # in a file
_MOST_BLOCKS = 4_000_000
# Overload: what was asked for and couldn't be served. Other refusals (wrong key, bad request) are no traffic.
_OVERLOAD = (429, 503, 504)


class Recorder:
    """A watcher. Files appear whole, about one a minute, in `folder` (by default the fleet's `gateway.record`).

    `salt` is the secret of the block hashes, the same for all workers. A request that was recorded less than `ROLL_S`
    ago is lost if the worker is killed. Raises InputError where the folder can't be made.
    """

    def __init__(self, fleet: Fleet, worker: int, salt: bytes, *, folder: str | Path | None = None) -> None:
        self._folder = Path(folder or fleet.gateway.record or "recordings")
        self._services = tuple(fleet.services)
        self._worker = worker
        self._key = hashlib.sha256(salt).digest()[:16]
        self._columns = Columns()
        self._began = time.monotonic()
        self._files = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._writing: Future[None] | None = None
        self._count = 0  # requests in it
        self.lost = 0  # requests not recorded since the start
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK):
                raise PermissionError(1, "permission denied")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            fix = "name a folder that can be written"
            raise InputError(Problem(f"can't be used: {reason}", str(self._folder), "gateway.record", fix)) from error

    def __call__(self, account: Account) -> None:
        """Record a request that has ended."""
        if account.service < 0 or (account.outcome == "refused" and account.status not in _OVERLOAD):
            return
        if account.api == COUNT_TOKENS:
            return
        columns = self._columns
        if len(columns) < _MOST_REQUESTS and len(columns.blocks) < _MOST_BLOCKS:
            columns.add(account)
        else:
            self.lost += 1  # the disk can't keep up

    def flush(self) -> None:
        """Begin a new file where the last is old or large enough; about twice a second."""
        columns = self._columns
        full = 2 * len(columns) >= _MOST_REQUESTS or 2 * len(columns.blocks) >= _MOST_BLOCKS
        if columns and (full or time.monotonic() - self._began >= ROLL_S):
            self._roll()

    def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._writing.exception()
        self._roll()
        self._thread.shutdown()
        self._settle()

    def _roll(self) -> None:
        if self._writing is not None and not self._writing.done():
            return  # one file at a time
        self._settle()
        self._began = time.monotonic()
        columns, self._columns = self._columns, Columns()
        if not columns:
            return
        began = datetime.fromtimestamp(min(columns.wall), UTC)
        self._files += 1
        name = f"traffic-{began:%Y%m%dT%H%M%S}-{self._worker}-{os.getpid()}-{self._files}.parquet"
        self._count = len(columns)
        self._writing = self._thread.submit(write_recording, self._folder / name, columns, self._services, self._key)

    def _settle(self) -> None:
        """Count what the last file lost, if it couldn't be written."""
        if self._writing is not None and self._writing.exception() is not None:
            self.lost += self._count
        self._writing = None
