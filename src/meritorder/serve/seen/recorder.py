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
from meritorder.serve.account import Account
from meritorder.serve.seen.recording import Row, write_recording

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
        self._rows: list[Row] = []
        self._blocks = 0
        self._block_tokens = 0
        self._began = time.monotonic()
        self._files = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._writing: Future[None] | None = None
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
        rows = self._rows
        if len(rows) >= _MOST_REQUESTS or self._blocks >= _MOST_BLOCKS:
            self.lost += 1  # the disk can't keep up
            return
        outcome = account.outcome
        rows.append(
            (
                account.wall,
                account.service,
                account.prompt_tokens,
                account.output_tokens,
                account.ended - account.received if outcome == "cancelled" else 0.0,
                outcome == "ok" or outcome == "cancelled",
                account.blocks,
            )
        )
        if account.block_tokens:
            self._block_tokens = account.block_tokens
            self._blocks += len(account.blocks)

    def flush(self) -> None:
        """Begin a new file where the last is old or large enough; about twice a second."""
        full = 2 * len(self._rows) >= _MOST_REQUESTS or 2 * self._blocks >= _MOST_BLOCKS
        if self._rows and (full or time.monotonic() - self._began >= ROLL_S):
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
        if not self._rows:
            return
        rows, self._rows, self._blocks = self._rows, [], 0
        began = datetime.fromtimestamp(min(row[0] for row in rows), UTC)
        self._files += 1
        name = f"traffic-{began:%Y%m%dT%H%M%S}-{self._worker}-{os.getpid()}-{self._files}.parquet"
        path = self._folder / name
        self._count = len(rows)
        self._writing = self._thread.submit(write_recording, path, rows, self._services, self._block_tokens, self._key)

    def _settle(self) -> None:
        """Count what the last file lost, if it couldn't be written."""
        if self._writing is not None and self._writing.exception() is not None:
            self.lost += self._count
        self._writing = None
