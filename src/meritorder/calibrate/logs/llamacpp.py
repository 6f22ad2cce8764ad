"""llama.cpp's server log at verbosity 5: what is put into each batch, and when it is computed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from meritorder.calibrate.logs import Logged
from meritorder.calibrate.rows import Iteration

_STAMP = re.compile(r"(?=\b\d+\.\d\d\.\d{3}\.\d{3} [A-Z] )")  # a line's end can be missing before the next stamp
_LINE = re.compile(r"(?P<min>\d+)\.(?P<s>\d\d)\.(?P<ms>\d{3})\.(?P<us>\d{3}) [A-Z] (?P<text>.*)", re.DOTALL)
_DECODE = re.compile(r"id +(\d+) .*slot decode token,.* n_tokens = (\d+)")
_CHUNK = re.compile(r"id +(\d+) .*cached n_tokens = (\d+), memory_seq_rm")
_ENDS = re.compile(r"id +(\d+) .*init sampler,.* total = (\d+)")
_IDLE_S = 0.02  # a longer pause after an iteration is no work of the engine


@dataclass
class _Batch:
    """What is in an iteration; chunks of prompts by slot, from where to where (None: not said yet)."""

    decoding: int = 0
    kv_tokens: int = 0
    chunks: dict[int, tuple[int, int | None]] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0


def read(lines: Iterable[str], kv_tokens: int | None) -> Logged:
    """An iteration's time is that from its start to the start of the next, where that follows at once."""
    log = Logged(kv_tokens=kv_tokens)
    done: list[_Batch] = []
    batch = _Batch()
    open_chunks: dict[int, _Batch] = {}  # by slot, the batch whose chunk has no end yet
    for line in lines:
        for part in _STAMP.split(line):
            found = _LINE.match(part)
            if found is None:
                continue
            now = 60.0 * int(found["min"]) + int(found["s"]) + int(found["ms"]) / 1e3 + int(found["us"]) / 1e6
            text = found["text"]
            if held := _DECODE.search(text):
                batch.decoding += 1
                batch.kv_tokens += int(held.group(2))
            elif chunk := _CHUNK.search(text):
                slot, start = int(chunk.group(1)), int(chunk.group(2))
                if (before := open_chunks.pop(slot, None)) is not None and start > before.chunks[slot][0]:
                    before.chunks[slot] = (before.chunks[slot][0], start)
                batch.chunks[slot] = (start, None)
                open_chunks[slot] = batch
            elif ends := _ENDS.search(text):
                slot, total = int(ends.group(1)), int(ends.group(2))
                if open_chunks.pop(slot, None) is batch:
                    batch.chunks[slot] = (batch.chunks[slot][0], total)
            elif "done yielding to queue" in text:
                batch.ended = now
                done.append(batch)
                batch = _Batch()
            elif "yielding to queue" in text:
                batch.began = now
    _times(done, log)
    return log


def _times(done: list[_Batch], log: Logged) -> None:
    gaps = [after.began - batch.ended for batch, after in pairwise(done)]
    busy = [gap for gap in gaps if gap <= _IDLE_S]
    usual = median(busy) if busy else 0.0
    # Nothing follows the last batch; where there is none, the infinite gap is left over.
    for batch, gap in zip(done, [*gaps, math.inf], strict=False):
        tokens, pairs = 0, 0.0
        known = batch.began > 0.0
        for start, stop in batch.chunks.values():
            if stop is None:
                known = False
            else:
                tokens += stop - start
                pairs += (stop - start) * start + 0.5 * (stop - start) * (stop - start + 1.0)
        if known and tokens + batch.decoding:
            seconds = batch.ended - batch.began + (gap if gap <= _IDLE_S else usual)
            log.iterations.append((seconds, Iteration(batch.decoding, float(batch.kv_tokens), tokens, pairs)))
