"""One file of recorded traffic: requests in order of arrival, block hashes under a secret key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.serve.seen.siphash import siphash

# arrival (Unix), service, prompt tokens, output tokens, seconds until the client left (0: it stayed), whether the
# output is as long as the client let it be, hashes of the prompt's blocks
Row: TypeAlias = tuple[float, int, int, int, float, bool, Sequence[int]]


def write_recording(path: Path, rows: Sequence[Row], services: tuple[str, ...], block_tokens: int, key: bytes) -> None:
    """Write `rows` (at least one) to `path` as a whole. Raises InputError where it can't be written."""
    from meritorder.workload.formats import recorded
    from meritorder.workload.trace import make_trace

    rows = sorted(rows, key=lambda row: row[0])
    wall, service, prompt, output, left, whole = (np.array(column) for column in list(zip(*rows, strict=True))[:6])
    prompt = np.maximum(prompt, 1)
    output, guessed = _lengths(output, service, whole, len(services))
    trace = make_trace(
        wall - wall[0],
        prompt,
        output,
        service=service,
        services=services,
        cancel_s=np.where(left > 0.0, left, np.inf),
        source="traffic recorded by merit serve",
    )
    if guessed:
        what = f"{guessed:,} requests were refused or failed: their output is the mean of their service's"
        trace = trace.with_warnings(what)
    start, hashes = _blocks([row[6] for row in rows], prompt, block_tokens)
    recorded.write(trace, path, float(wall[0]), start, siphash(hashes, key).view(np.int64), block_tokens)


def _lengths(
    output: npt.NDArray[np.int64], service: npt.NDArray[np.int64], whole: npt.NDArray[np.bool_], services: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Output tokens, at least 1; of requests that got no whole answer the mean of their service's, if that is more."""
    count = np.bincount(service[whole], minlength=services)
    total = np.bincount(service[whole], output[whole], services)
    mean = np.round(total / np.maximum(count, 1)).astype(np.int64)
    return np.maximum(np.where(whole, output, np.maximum(output, mean[service])), 1), int((~whole).sum())


def _blocks(
    lists: Sequence[Sequence[int]], prompt: npt.NDArray[np.int64], block_tokens: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Offsets (n+1) into the hashes of all requests, and the hashes behind one another.

    A block is so many bytes of text; where its tokens are longer than usual there are more blocks than the prompt's
    tokens have room for, and the last ones are left out.
    """
    if not block_tokens:
        return np.zeros(len(lists) + 1, np.int64), np.zeros(0, np.uint64)
    room = -(-prompt // block_tokens)
    kept = [np.asarray(blocks[:most], np.uint64) for blocks, most in zip(lists, room.tolist(), strict=True)]
    return np.cumsum([0, *(len(blocks) for blocks in kept)]), np.concatenate(kept)
