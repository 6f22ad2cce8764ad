"""A first look into a file or folder: what kind it is and which names it uses, for recognising its format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meritorder.problems import InputError, Problem
from meritorder.workload.reading.source import MAX_LINE_BYTES, Source, open_source, reading


@dataclass(frozen=True)
class Peek:
    """Kind ("csv", "json", "parquet" or "folder") and the names in it.

    `names` are the header's columns, the keys of the first JSON object, the Parquet columns, or the files' names.
    """

    kind: str
    names: frozenset[str]
    source: Source
    first: dict[str, Any] = field(default_factory=dict)  # the first JSON object

    def has(self, *names: str) -> bool:
        """Whether all these names are there."""
        return self.names.issuperset(names)


def peek(path: Path, progress: Callable[[float], None] | None = None) -> Peek:
    """Look into `path`. Raises InputError where it can't be read as text, JSON, Parquet or a folder."""
    if path.is_dir():
        names = frozenset(entry.name for entry in path.iterdir())
        if not names:
            raise InputError(Problem("is an empty folder", str(path)))
        return Peek("folder", names, Source(path, None, progress))
    source = open_source(path, progress)
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return _parquet(source)
    with source.stream() as stream:
        head: bytes = stream.read(1 << 16)
    return _text(source, head.removeprefix(b"\xef\xbb\xbf"))


def _parquet(source: Source) -> Peek:
    import pyarrow.parquet as pq

    with reading(source.path):
        return Peek("parquet", frozenset(pq.read_schema(source.path).names), source)


def _text(source: Source, head: bytes) -> Peek:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head:
        what = "is UTF-16 text" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "is neither text nor Parquet"
        raise InputError(Problem(what, source.name, fix="save it as UTF-8 text, packed with gzip or zstd if you like"))
    start = head.lstrip()
    if not start:
        raise InputError(Problem("holds nothing but blank lines", source.name, fix="a trace has at least one request"))
    if start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"[", b"]"):
        fix = "write one JSON object a line, without brackets around them"
        raise InputError(Problem("is a JSON array", source.name, fix=fix))
    if start[:1] == b"{":
        first = _first_object(source)
        return Peek("json", frozenset(first), source, first)
    header = start.split(b"\n", 1)[0].decode("utf-8", "replace")
    return Peek("csv", frozenset(name.strip().strip('"') for name in header.strip().split(",")), source)


def _first_object(source: Source) -> dict[str, Any]:
    """The object on the first line, or the whole file where that is one object over many lines."""
    import io

    import orjson

    with source.stream() as stream:
        buffered = io.BufferedReader(stream, 1 << 16)
        line = b""
        while not line.strip():
            line = buffered.readline(MAX_LINE_BYTES).removeprefix(b"\xef\xbb\xbf")
        buffered.detach()
    try:
        first = orjson.loads(line)
    except orjson.JSONDecodeError as line_error:
        try:
            first = orjson.loads(source.bytes())
        except orjson.JSONDecodeError:
            fix = "a trace in JSON has one object a line, or one object in all"
            raise InputError(Problem(f"is no JSON: {line_error.msg}", source.where(1), fix=fix)) from line_error
    if not isinstance(first, dict):
        raise InputError(Problem("doesn't start with a JSON object", source.where(1)))
    return first
