"""One process at a time may change the books, and a change that was broken off is noticed by the next one."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable
from types import TracebackType


class Lock:
    """A context in which nobody else changes the books.

    The file's lock is the kernel's, which frees it when its holder is killed. `mark` is a word in the shared memory
    that is 1 during a change: where it is found set, `repair` is called first. `shared`: other processes change the
    books, too. Threads of one process take turns.
    """

    def __init__(self, descriptor: int, mark: memoryview, repair: Callable[[], None], *, shared: bool) -> None:
        self._descriptor = descriptor
        self._mark = mark
        self._repair = repair
        self._shared = shared
        self._turn = threading.Lock()

    def __enter__(self) -> None:
        self._turn.acquire()
        if self._shared:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        if self._mark[0]:
            self._repair()
        self._mark[0] = 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._mark[0] = 0
        if self._shared:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._turn.release()
