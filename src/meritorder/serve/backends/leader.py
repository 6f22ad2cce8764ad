"""One of several processes leads: the one that holds a lock which the kernel takes back when it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class Leadership:
    """A claim to lead. All who claim with the same file are candidates; the file stays for others when it is closed."""

    def __init__(self, path: Path) -> None:
        # never through somebody else's link, never readable by others
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
        """Stop leading, and claiming."""
        self.held = False
        os.close(self._file)
