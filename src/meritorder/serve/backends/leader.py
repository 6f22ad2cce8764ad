"""One of several processes leads: the one that holds a lock which the kernel takes back when it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class Leadership:
    """A claim to lead; all who claim with the same file are candidates."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # never through somebody else's link, never for others to lock
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.held = False

    def claim(self) -> bool:
        """Whether this process leads now; takes over if nobody does. Never waits."""
        if not self.held:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.held = True
        return self.held

    def close(self) -> None:
        """Stop leading, and claiming. A leader takes the file away: it leaves last, or others hold on to theirs."""
        if self.held:
            self.held = False
            self._path.unlink(missing_ok=True)
        os.close(self._file)
