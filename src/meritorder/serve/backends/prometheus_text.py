"""The few samples that are wanted out of a Prometheus text.

prometheus_client has a parser, but the event loop would stand still while it reads every line of a server's metrics;
these look for names as bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

_LABEL = re.compile(rb'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')


def samples(text: bytes, name: bytes) -> Iterator[tuple[dict[bytes, bytes], float]]:
    """(labels, value) of each sample of that very name; values that are no finite numbers are left out."""
    start = 0
    while (at := text.find(name, start)) >= 0:
        start = at + len(name)
        # else it is in a comment, or part of a longer name
        if (at == 0 or text[at - 1 : at] == b"\n") and text[start : start + 1] in (b"{", b" "):
            end = text.find(b"\n", start)
            labels, _, rest = text[start : end if end >= 0 else len(text)].rpartition(b"}")
            value = _number(rest)
            if math.isfinite(value):
                yield dict(_LABEL.findall(labels)), value


def total(text: bytes, name: bytes) -> float | None:
    """Sum over all label sets (ranks, models); None if the name isn't there."""
    values = [value for _, value in samples(text, name)]
    return sum(values) if values else None


def mean(text: bytes, name: bytes) -> float | None:
    """Mean of a gauge over all label sets; None if the name isn't there."""
    values = [value for _, value in samples(text, name)]
    return sum(values) / len(values) if values else None


def _number(text: bytes) -> float:
    """The value that stands first (a time stamp may follow); nan if there is none."""
    try:
        return float(text.split()[0])
    except (IndexError, ValueError):
        return math.nan
