"""Recorded requests as plain columns, and one file of them: in order of arrival, block hashes under a secret key."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meritorder.serve.account import Account
from meritorder.serve.seen.siphash import siphash

Longs = npt.NDArray[np.int64]


class Columns:
    """Requests in order of their end. Typed arrays: nothing for the garbage collector, and quick to hand to NumPy."""

    __slots__ = ("block_tokens", "blocks", "counts", "left", "output", "prompt", "service", "wall", "whole")

    def __init__(self) -> None:
        self.wall = array("d")  # Unix time of arrival
        self.service = array("q")
        self.prompt = array("q")  # tokens
        self.output = array("q")
        self.left = array("d")  # the client left so long after it asked; inf: it stayed
        self.whole = array("b")  # 1: the output is all that the client let it be
        self.counts = array("q")  # of blocks
        self.blocks = array("Q")  # hashes of all requests behind one another
        self.block_tokens = 0

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.wall)

    def add(self, account: Account) -> None:
        """Another request."""
        outcome = account.outcome
        self.wall.append(account.wall)
        self.service.append(account.service)
        self.prompt.append(account.prompt_tokens)
        self.output.append(account.output_tokens)
        self.left.append(account.ended - account.received if outcome == "cancelled" else float("inf"))
        self.whole.append(outcome == "ok" or outcome == "cancelled")
        count = len(account.blocks)
        self.counts.append(count)
        if count:
            self.blocks.frombytes(np.asarray(account.blocks, np.uint64).tobytes())
            self.block_tokens = account.block_tokens


def write_recording(path: Path, columns: Columns, services: tuple[str, ...], key: bytes) -> None:
    """Write `columns` (at least one request) to `path` as a whole. Raises InputError where it can't be written."""
    from meritorder.workload.formats import recorded
    from meritorder.workload.trace import make_trace

    wall = np.frombuffer(columns.wall)
    service = np.frombuffer(columns.service, np.int64)
    prompt = np.maximum(np.frombuffer(columns.prompt, np.int64), 1)
    output, guessed = _lengths(columns, service, len(services))
    order = np.argsort(wall, kind="stable")
    began = float(wall[order[0]])
    trace = make_trace(
        (wall - began)[order],
        prompt[order],
        output[order],
        service=service[order],
        services=services,
        cancel_s=np.frombuffer(columns.left)[order],
        source="traffic recorded by merit serve",
    )
    if guessed:
        what = f"{guessed:,} requests were refused or failed: their output is the mean of their service's"
        trace = trace.with_warnings(what)
    start, hashes = _blocks(columns, prompt, order)
    recorded.write(trace, path, began, start, siphash(hashes, key).view(np.int64), columns.block_tokens)


def _lengths(columns: Columns, service: Longs, services: int) -> tuple[Longs, int]:
    """Output tokens, at least 1; of requests that got no whole answer the mean of their service's, if that is more.

    And how many of those there were.
    """
    output = np.frombuffer(columns.output, np.int64)
    whole = np.frombuffer(columns.whole, np.bool_)
    count = np.bincount(service[whole], minlength=services)
    total = np.bincount(service[whole], output[whole], services)
    mean = np.round(total / np.maximum(count, 1)).astype(np.int64)
    return np.maximum(np.where(whole, output, np.maximum(output, mean[service])), 1), int((~whole).sum())


def _blocks(columns: Columns, prompt: Longs, order: Longs) -> tuple[Longs, npt.NDArray[np.uint64]]:
    """Offsets (n+1) into the hashes of the requests in `order`, and the hashes behind one another.

    A block is so many bytes of text; where its tokens are longer than usual there are more blocks than the prompt's
    tokens have room for, and the last ones are left out.
    """
    counts = np.frombuffer(columns.counts, np.int64)
    first = np.cumsum(counts) - counts
    kept = np.minimum(counts, -(-prompt // max(columns.block_tokens, 1)))[order]
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(kept)))
    at = np.repeat(first[order] - start[:-1], kept) + np.arange(start[-1])
    return start, np.frombuffer(columns.blocks, np.uint64)[at]
