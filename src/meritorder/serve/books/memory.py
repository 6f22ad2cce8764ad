"""The arrays of a `LiveState` in a file in memory that several processes map.

The file begins with a page of 64-bit words: what the rest looks like, and who is changing it just now.
"""

from __future__ import annotations

import mmap
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.serve.books.state import LiveState

HEADER_BYTES = 4096
MARK, WORKERS, ROWS, PREFIX_SLOTS, SIZE = range(5)  # words of the header

_LINE = 64  # bytes of a cache line
_PRIVATE = ("held",)
_EMPTY = ("rows", "prefixes")  # zero at first, as fresh memory is; its untouched pages cost nothing


def new_path() -> Path:
    """A name nobody has, in memory where the system has a place for that."""
    shared = Path("/dev/shm")
    folder = shared if shared.is_dir() else Path(tempfile.gettempdir())
    return folder / f"meritorder-{secrets.token_hex(8)}"


def size_of(live: LiveState) -> int:
    """Bytes of the file that holds these arrays."""
    return HEADER_BYTES + sum(_padded(array) for _, array in _arrays(live))


def open_file(path: Path, size: int = 0) -> tuple[int, mmap.mmap]:
    """Map a file: made with `size` bytes, or one that is there (0)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if size else 0), 0o600)
    try:
        if size:
            os.ftruncate(descriptor, size)
        return descriptor, mmap.mmap(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise


def header_of(memory: mmap.mmap) -> npt.NDArray[np.int64]:
    """The words of the header."""
    return np.ndarray(HEADER_BYTES // 8, np.int64, memory)


def mapped(live: LiveState, memory: mmap.mmap, *, fill: bool) -> LiveState:
    """The same arrays in shared memory; `fill`: with the contents of `live`, else as they are there."""
    offset = HEADER_BYTES
    shared: dict[str, Any] = {}
    for name, array in _arrays(live):
        place = np.ndarray(array.shape, array.dtype, memory, offset).view(type(array))
        if fill and name not in _EMPTY:
            place[...] = array
        shared[name] = place
        offset += _padded(array)
    fleet = live.fleet._replace(**{name: shared.pop(name) for name in live.fleet._fields})
    return live._replace(fleet=fleet, **shared)


def _arrays(live: LiveState) -> list[tuple[str, Any]]:
    mine = live._asdict()
    return [*mine.pop("fleet")._asdict().items(), *((name, a) for name, a in mine.items() if name not in _PRIVATE)]


def _padded(array: npt.NDArray[Any]) -> int:
    return -(-array.nbytes // _LINE) * _LINE
