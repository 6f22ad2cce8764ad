"""`RequestLog`: one JSON line per request. It never holds a request up: lines that can't be written are dropped."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.serve.account import Account
from meritorder.serve.seen.story import Stories

_AT_ONCE = 4096  # a write of so many bytes goes into a pipe whole, whatever other workers write
_MOST_BATCHES = 64  # that wait for a slow reader
_MOST_LINES = 20_000  # between two flushes


class RequestLog:
    """A watcher. `target` is a file that is appended to, or "-" for standard error. Raises InputError."""

    def __init__(self, fleet: Fleet, target: str) -> None:
        self._tell = Stories(fleet).tell
        self._lines: list[bytes] = []
        self.lost = 0  # lines dropped since the start
        self._file = _open(target)
        self._batches: queue.Queue[list[bytes] | None] = queue.Queue(_MOST_BATCHES)
        self._writer = threading.Thread(target=self._write, name="request-log", daemon=True)
        self._writer.start()

    def __call__(self, account: Account) -> None:
        """Note a request that has ended."""
        self._add(self._tell(account))

    def prompt(self, request_id: str, body: bytes) -> None:
        """Note the body of a request; only for `gateway.log_prompts`."""
        self._add({"time": time.time(), "id": request_id, "body": body.decode("utf-8", "replace")})

    def flush(self) -> None:
        """Hand what was noted to the writer; a few times a second."""
        if self._lines:
            lines, self._lines = self._lines, []
            try:
                self._batches.put_nowait(lines)
            except queue.Full:
                self.lost += len(lines)

    def close(self) -> None:
        """Write what is left; waits a second at most."""
        self.flush()
        try:
            self._batches.put(None, timeout=1.0)
        except queue.Full:
            return
        self._writer.join(timeout=1.0)

    def _add(self, line: dict[str, Any]) -> None:
        if len(self._lines) < _MOST_LINES:
            self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        else:
            self.lost += 1

    def _write(self) -> None:
        while (lines := self._batches.get()) is not None:
            block = b""
            for line in lines:
                if block and len(block) + len(line) > _AT_ONCE:
                    self._put(block)
                    block = line
                else:
                    block += line
            self._put(block)

    def _put(self, block: bytes) -> None:
        try:
            view = memoryview(block)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:  # disk full, reader gone
            self.lost += block.count(b"\n")


def _open(target: str) -> int:
    if target == "-":
        return sys.stderr.fileno()
    try:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Problem(f"can't be written: {reason}", target, fix="name another file")) from error
