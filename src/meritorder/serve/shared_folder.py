"""A folder in memory for what the processes of one gateway share; it goes with the supervisor, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "meritorder-"
_HELD = "held"
_YOUNG_S = 60.0  # a folder without a holder may just be in the making


def memory() -> Path:
    """Where files live in memory, on systems that have such a place."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else Path(tempfile.gettempdir())


class SharedFolder:
    """Held by this process until `remove`. Making one clears away those whose holder was killed."""

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory()))
        self._held = (self.path / _HELD).open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Let go of it; whoever has mapped a file in it keeps that."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()


def _sweep() -> None:
    for folder in memory().glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if not folder.is_dir() or time.time() - folder.stat().st_mtime < _YOUNG_S:
                continue
            with (folder / _HELD).open("a") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
