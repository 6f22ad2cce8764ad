"""Runs things in fresh processes and keeps what they took. The parent stays small: its memory would count as theirs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meritorder-bench"


class NotMeasured(Exception):
    """A figure can't be measured here; says why."""


@dataclass(frozen=True)
class Ended:
    """A process that ended well: its output, wall seconds from start to end, and peak resident memory."""

    output: str
    wall_s: float
    rss_bytes: int


def run(command: Sequence[str | Path], folder: Path = ROOT, env: Mapping[str, str] | None = None) -> Ended:
    """Run `command` to its end. Raises NotMeasured with the end of its error output where it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begun = time.perf_counter()
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(env or {})},
            )
        except OSError as error:
            raise NotMeasured(f"{Path(command[0]).name} can't be started: {error.strerror}") from error
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            lines = [line for line in err.read().splitlines() if line.strip()]
            reason = lines[-1].strip() if lines else "no message"
            raise NotMeasured(f"{Path(command[0]).name} ended with {process.returncode}: {reason[:300]}")
        return Ended(out.read(), wall, usage.ru_maxrss * 1024)


def worker(*arguments: str) -> tuple[dict[str, Any], Ended]:
    """Run `python -m bench.worker ARGUMENTS` in a fresh process; its last line of output is JSON."""
    ended = run([sys.executable, "-m", "bench.worker", *arguments])
    answer: dict[str, Any] = json.loads(ended.output.strip().splitlines()[-1])
    return answer, ended
