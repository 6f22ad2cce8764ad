"""`Outbox`: what is to be sent, until the loop has handled what it read in this turn.

A write wakes the process that waits for it, which costs more than the write itself. Several writes in a row wake it
once.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

_MOST = 16  # that wait: the first of them shall not be late for the sake of the others


class Outbox:
    """One loop's. Everything for a connection goes through it, or is written after `flush`, to keep its order."""

    __slots__ = ("_loop", "_pending", "_scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: list[tuple[asyncio.Transport, bytes]] = []
        self._scheduled = False

    def put(self, transport: asyncio.Transport, data: bytes) -> None:
        """Send this soon."""
        pending = self._pending
        pending.append((transport, data))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn_ended)
        elif len(pending) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Send it now: before a connection is closed, or written to otherwise."""
        pending = self._pending
        if not pending:
            return
        self._pending = []
        for transport, data in pending:
            if not transport.is_closing():
                transport.write(data)

    def _turn_ended(self) -> None:
        self._scheduled = False
        self.flush()


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def outbox_of(loop: asyncio.AbstractEventLoop) -> Outbox:
    """The outbox of a loop."""
    outbox = _outboxes.get(loop)
    if outbox is None:
        outbox = _outboxes[loop] = Outbox(loop)
    return outbox
