"""`Headers`: the headers of one message, shared by all messages that came with the very same ones."""

from __future__ import annotations

from typing import Any


class Headers(list[tuple[bytes, bytes]]):
    """(name in lower case, value) in the sender's order; not changed once the message is handed on.

    `notes` is for whoever reads them: what it found, to be used again with the next message. None: nothing yet.
    """

    __slots__ = ("notes",)

    def __init__(self) -> None:
        self.notes: Any = None
