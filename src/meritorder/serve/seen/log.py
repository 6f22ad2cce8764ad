"""`RequestLog`: one JSON line per request. It never holds a request up: lines that can't be written are dropped."""

from __future__ import annotations

import os
import queue
import stat
import sys
import threading
import time
from pathlib import Path

import orjson

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.serve.account import Account
from meritorder.serve.seen.story import Stories

# Lines of several workers don't mix: a file takes a write whole, a pipe up to 4096 bytes of it.
_FILE_BYTES, _PIPE_BYTES = 1 << 16, 4096
_MOST_BATCHES = 4  # that wait for a slow reader
_MOST_BYTES = 8 << 20  # between two flushes


class RequestLog:
    """A watcher. `target` is a file that is appended to, or "-" for standard error. Raises InputError."""

    def __init__(self, fleet: Fleet, target: str) -> None:
        self._tell = Stories(fleet).tell
        self._lines = bytearray()
        self.lost = 0  # lines dropped since the start
        self._file = _open(target)
        self._at_once = _FILE_BYTES if stat.S_ISREG(os.fstat(self._file).st_mode) else _PIPE_BYTES
        self._batches: queue.Queue[bytearray | None] = queue.Queue(_MOST_BATCHES)
        self._writer = threading.Thread(target=self._write, name="request-log", daemon=True)
        self._writer.start()

    def __call__(self, account: Account) -> None:
        """Note a request that has ended."""
        if len(self._lines) < _MOST_BYTES:
            self._lines += orjson.dumps(self._tell(account), option=orjson.OPT_APPEND_NEWLINE)
        else:
            self.lost += 1

    def prompt(self, request_id: str, body: bytes) -> None:
        """Note the body of a request; only for `gateway.log_prompts`."""
        if len(self._lines) < _MOST_BYTES:
            line = {"time": time.time(), "id": request_id, "body": body.decode("utf-8", "replace")}
            self._lines += orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        else:
            self.lost += 1

    def flush(self) -> None:
        """Hand what was noted to the writer; a few times a second."""
        if self._lines:
            lines, self._lines = self._lines, bytearray()
            try:
                self._batches.put_nowait(lines)
            except queue.Full:
                self.lost += lines.count(b"\n")

    def close(self) -> None:
        """Write what is left; waits two seconds at most."""
        self.flush()
        try:
            self._batches.put(None, timeout=1.0)
        except queue.Full:
            return
        self._writer.join(timeout=1.0)

    def _write(self) -> None:
        while (lines := self._batches.get()) is not None:
            start = 0
            while start < len(lines):
                end = lines.rfind(b"\n", start, start + self._at_once) + 1
                end = end or lines.find(b"\n", start) + 1  # a line that is longer than that
                self._put(lines[start:end])
                start = end

    def _put(self, lines: bytearray) -> None:
        try:
            while lines:
                del lines[: os.write(self._file, lines)]
        except OSError:  # disk full, reader gone
            self.lost += lines.count(b"\n")


def _open(target: str) -> int:
    if target == "-":
        return sys.stderr.fileno()
    try:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Problem(f"can't be written: {reason}", target, fix="name another file")) from error
