"""Writing files so that a reader sees the old one or the whole new one, never half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, EISDIR
from pathlib import Path

from meritorder.problems import InputError, Problem


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed over it on success and removed on any failure.

    Raises InputError where the file can't be written (no such folder, no permission, disk full).
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, "is a directory", str(path))
        if path.exists() and not path.is_file():
            raise OSError(EINVAL, "is a device, not a file", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            Problem(f"can't be written: {reason.lower()}", where=str(path), fix="name another place with room")
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as a whole (see `replacing`)."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
