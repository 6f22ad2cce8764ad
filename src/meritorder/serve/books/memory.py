"""A block of memory that several processes map: a file that lives in memory."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from meritorder.serve.books.view import Block


def open_block(path: Path, size: int = 0) -> tuple[int, Block]:
    """Map a file, made with `size` bytes of zeros, or one that is there (0). Returns its descriptor and the block."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if size else 0), 0o600)
    try:
        if size:
            os.ftruncate(descriptor, size)
        return descriptor, np.frombuffer(mmap.mmap(descriptor, 0), np.uint8)
    except BaseException:
        os.close(descriptor)
        raise
