"""The one columnar form of traffic that everything else reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """Requests in order of arrival; every column has one entry per request (n).

    A request starts by the clock (`arrival_s`, seconds from the start of the trace, sorted among such requests)
    or, in a closed loop, `think_s` seconds after the request `after` has ended; it then stands behind that
    request in the file and its `arrival_s` is only where it stood in the recording (NaN where unknown).
    Columns that a trace does not have are filled with the neutral value given below.
    """

    arrival_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    service: npt.NDArray[np.int16]  # index into `services`
    region: npt.NDArray[np.int16]  # index into `regions`
    session: Ints  # -1: a request of its own
    turn: Ints  # 0 for the first of a session
    after: Ints  # request that must have ended before this one starts; -1: starts by the clock
    think_s: npt.NDArray[np.float32]  # pause between the end of `after` and this request; 0 where open loop
    cancel_s: npt.NDArray[np.float32]  # the client gives up so long after its request; inf: never
    block_start: Longs  # n+1 offsets into `blocks`: request i owns blocks[block_start[i]:block_start[i+1]]
    blocks: Ints  # prefix-chained ids, dense from 0: equal id means equal text up to and with that block
    block_tokens: int = 0  # tokens per prefix block; 0: the trace has no prefix ids
    services: tuple[str, ...] = ("default",)
    regions: tuple[str, ...] = ("default",)
    source: str = ""  # what was read, in words
    warnings: tuple[str, ...] = field(default=())  # what a careful reader should know

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)

    @cached_property
    def closed_loop(self) -> bool:
        """Whether any request waits for the end of another."""
        return bool((self.after >= 0).any())

    @property
    def has_blocks(self) -> bool:
        """Whether prompts carry prefix block ids."""
        return self.block_tokens > 0

    @cached_property
    def unique_blocks(self) -> int:
        """Number of distinct prefix blocks."""
        return int(self.blocks.max()) + 1 if len(self.blocks) else 0

    @cached_property
    def duration_s(self) -> float:
        """Seconds from the first to the last arrival that the clock knows."""
        known = self.arrival_s[~np.isnan(self.arrival_s)]
        return float(known.max() - known.min()) if len(known) else 0.0

    def with_warnings(self, *warnings: str) -> Trace:
        """The same trace that also carries these warnings."""
        return replace(self, warnings=(*self.warnings, *warnings))


def make_trace(
    arrival_s: npt.ArrayLike,
    prompt_tokens: npt.ArrayLike,
    output_tokens: npt.ArrayLike,
    *,
    service: npt.ArrayLike | None = None,
    region: npt.ArrayLike | None = None,
    session: npt.ArrayLike | None = None,
    turn: npt.ArrayLike | None = None,
    after: npt.ArrayLike | None = None,
    think_s: npt.ArrayLike | None = None,
    cancel_s: npt.ArrayLike | None = None,
    block_start: npt.ArrayLike | None = None,
    blocks: npt.ArrayLike | None = None,
    block_tokens: int = 0,
    services: tuple[str, ...] = ("default",),
    regions: tuple[str, ...] = ("default",),
    source: str = "",
    warnings: tuple[str, ...] = (),
) -> Trace:
    """A `Trace` from the columns that there are; the others get their neutral value.

    `blocks` may hold any integers: they are renumbered densely in order of first appearance.
    Raises ValueError where columns differ in length.
    """
    arrivals = np.ascontiguousarray(arrival_s, np.float64)
    n = len(arrivals)

    def column(values: npt.ArrayLike | None, neutral: float, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        result = np.full(n, neutral, dtype) if values is None else np.ascontiguousarray(values, dtype)
        if len(result) != n:
            raise ValueError(f"a column of {len(result)} entries in a trace of {n} requests")
        return result

    ids = np.zeros(0, np.int32) if blocks is None else renumber(np.asarray(blocks))
    starts = np.zeros(n + 1, np.int64) if block_start is None else np.ascontiguousarray(block_start, np.int64)
    if len(starts) != n + 1 or starts[-1] != len(ids):
        raise ValueError("block_start must have one entry more than there are requests and end at len(blocks)")
    return Trace(
        arrival_s=arrivals,
        prompt_tokens=column(prompt_tokens, 0, np.int32),  # type: ignore[arg-type]
        output_tokens=column(output_tokens, 0, np.int32),  # type: ignore[arg-type]
        service=column(service, 0, np.int16),  # type: ignore[arg-type]
        region=column(region, 0, np.int16),  # type: ignore[arg-type]
        session=column(session, -1, np.int32),  # type: ignore[arg-type]
        turn=column(turn, 0, np.int32),  # type: ignore[arg-type]
        after=column(after, -1, np.int32),  # type: ignore[arg-type]
        think_s=column(think_s, 0, np.float32),  # type: ignore[arg-type]
        cancel_s=column(cancel_s, np.inf, np.float32),  # type: ignore[arg-type]
        block_start=starts,
        blocks=ids,
        block_tokens=block_tokens,
        services=services,
        regions=regions,
        source=source,
        warnings=warnings,
    )


def renumber(ids: npt.NDArray[np.generic]) -> Ints:
    """Any integer ids as 0, 1, 2 ... in order of first appearance, so that they can index arrays."""
    if not len(ids):
        return np.zeros(0, np.int32)
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids) + 1024:
        # A table instead of sorting: ids are nearly dense, as they are in every public trace.
        first = np.full(high - low + 1, -1, np.int64)
        offset = (ids if low == 0 else ids - low).astype(np.int64, copy=False)
        first[offset[::-1]] = np.arange(len(ids) - 1, -1, -1)  # the last assignment stays: the first appearance
        present = np.flatnonzero(first >= 0)
        rank = np.empty(len(first), np.int32)
        rank[present[np.argsort(first[present], kind="stable")]] = np.arange(len(present), dtype=np.int32)
        return rank[offset]
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]
