"""A file of traffic opened by content: compression told by its first bytes, every fault of reading said clearly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meritorder.problems import InputError, Problem

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_UTF8_MARK = b"\xef\xbb\xbf"
# One line longer than this is no record of a trace (the largest agent sessions have a few MB).
MAX_LINE_BYTES = 256 << 20


@dataclass(frozen=True)
class Source:
    """A file that exists, is not empty, and its compression ("gzip", "zstd" or none)."""

    path: Path
    compression: str | None = None
    progress: Callable[[float], None] | None = field(default=None, compare=False)  # told the share of the file read

    @property
    def name(self) -> str:
        """The file as messages name it."""
        return str(self.path)

    def where(self, line: int) -> str:
        """`file:line`."""
        return f"{self.path}:{line}"

    @contextmanager
    def stream(self) -> Iterator[Any]:
        """The unpacked bytes as an Arrow stream, a byte-order mark left out."""
        import pyarrow as pa

        with reading(self.path), pa.OSFile(str(self.path)) as packed:
            if self.compression is None:
                if packed.read(3) != _UTF8_MARK:
                    packed.seek(0)
                yield packed
            else:
                with pa.CompressedInputStream(packed, self.compression) as unpacked:
                    yield unpacked

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line that is not blank with its number (from 1)."""
        import io

        size = max(self.path.stat().st_size, 1)
        with self.stream() as stream:
            buffered = io.BufferedReader(stream, 1 << 20)
            number = 0
            try:
                while line := buffered.readline(MAX_LINE_BYTES):
                    number += 1
                    if number == 1:
                        line = line.removeprefix(_UTF8_MARK)
                    if len(line) >= MAX_LINE_BYTES:
                        raise InputError(Problem("the line has more than 256 MB", self.where(number)))
                    if self.progress and number % 4096 == 0 and self.compression is None:
                        self.progress(buffered.tell() / size)
                    if line.strip():
                        yield number, line
            finally:
                buffered.detach()

    def bytes(self) -> bytes:
        """Everything, unpacked."""
        with self.stream() as stream:
            content: bytes = stream.read()
        return content.removeprefix(_UTF8_MARK)


def open_source(path: Path, progress: Callable[[float], None] | None = None) -> Source:
    """The file at `path`, ready to read. Raises InputError where there is none, or nothing in it."""
    if path.is_dir():
        raise InputError(Problem("is a folder", str(path), fix="name a file in it"))
    with reading(path):
        with path.open("rb") as file:
            start = file.read(4)
        if not start:
            raise InputError(Problem("is empty", str(path), fix="a trace has at least one request"))
        compression = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
        return Source(path, compression, progress)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what goes wrong while a file is read into one InputError."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise InputError(Problem("there is no such file", str(path))) from error
    except (OSError, EOFError, pa.ArrowException) as error:
        raise InputError(_fault(path, error)) from error


def _fault(path: Path, error: BaseException) -> Problem:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "runcated compressed" in text:
        return Problem("ends in the middle of its compressed data", str(path), fix="fetch or copy it again")
    if "zlib" in text.lower() or "zstd" in text.lower() or "ZSTD" in text:
        return Problem(f"its compressed data are damaged ({text})", str(path), fix="fetch or copy it again")
    if isinstance(error, OSError) and error.strerror:
        return Problem(f"can't be read: {error.strerror.lower()}", str(path))
    return Problem(f"can't be read: {text}", str(path), fix="fetch or copy it again")
