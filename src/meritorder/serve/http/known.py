"""`Known`: a head that comes again and again on one connection, so that it need not be parsed again.

Clients and backends that keep a connection say the same in every message but for its length (and backends the date,
once a second). Only a head that the parser has accepted is known, and only its very bytes are recognised: whatever
differs in more than the digits of its length goes to the parser.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar

T = TypeVar("T")

_LENGTH = re.compile(rb"\r\ncontent-length: *([1-9][0-9]{0,8})(?=\r\n)", re.IGNORECASE)


class Known(Generic[T]):
    """A head as bytes, with a place for its length, and what it was parsed to."""

    __slots__ = ("_form", "_least", "_most", "_size", "parsed")

    def __init__(self, head: bytes, digits: tuple[int, int], parsed: T) -> None:
        start, end = digits  # where its length stands in it
        self._form = head[:start].replace(b"%", b"%%") + b"%d" + head[end:].replace(b"%", b"%%")
        self._size = len(head)
        self._least, self._most = 10 ** (end - start - 1), 10 ** (end - start) - 1  # lengths with as many digits
        self.parsed = parsed

    def body(self, data: bytes) -> bytes | None:
        """The body, if `data` is one whole message with this head and nothing else."""
        size = len(data) - self._size
        if self._least <= size <= self._most and data.startswith(self._form % size):
            return data[self._size :]
        return None


def know(data: bytes, body: bytes, parsed: T) -> Known[T] | None:
    """Remember the head of a message with this body that was read as `data`; None: it can't be recognised."""
    end = data.find(b"\r\n\r\n") + 4
    if len(data) - end != len(body):
        return None  # something else came with it, or before it
    lengths = list(_LENGTH.finditer(data, 0, end - 2))
    if len(lengths) != 1 or int(lengths[0][1]) != len(body):
        return None
    return Known(data[:end], lengths[0].span(1), parsed)
