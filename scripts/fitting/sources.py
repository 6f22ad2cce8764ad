"""The published files as traces, and a trace cut in two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as parquet

from meritorder.workload.read import read
from meritorder.workload.rows import gather_blocks
from meritorder.workload.statistics.prefix import reuse
from meritorder.workload.trace import Trace

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def azure(folder: Path, name: str) -> Trace:
    """The Azure 2023 hour `conv` or `code`."""
    return read(folder / f"AzureLLMInferenceTrace_{name}.csv.gz")


def mooncake(folder: Path) -> Trace:
    """The Mooncake conversation hour; timestamps on their 3 s grid."""
    return read(folder / "mooncake_conversation_trace.jsonl.gz")


def spread(trace: Trace, step_s: float, seed: int) -> Trace:
    """The trace with arrivals spread uniformly inside a grid of `step_s`, order kept (only good for arrivals)."""
    jitter = np.random.default_rng(seed).uniform(0, step_s, len(trace))
    return replace(trace, arrival_s=np.sort(trace.arrival_s + jitter))


def between(trace: Trace, start_s: float, end_s: float) -> Trace:
    """The requests with start_s <= arrival < end_s, with their blocks."""
    return pick(trace, np.flatnonzero((trace.arrival_s >= start_s) & (trace.arrival_s < end_s)))


def pick(trace: Trace, kept: Places) -> Trace:
    """These requests in this order, without links between them."""
    start, blocks = gather_blocks(trace.block_start, trace.blocks, kept)
    return replace(
        trace,
        arrival_s=trace.arrival_s[kept],
        prompt_tokens=trace.prompt_tokens[kept],
        output_tokens=trace.output_tokens[kept],
        service=trace.service[kept],
        region=trace.region[kept],
        session=trace.session[kept],
        turn=trace.turn[kept],
        after=np.full(len(kept), -1, np.int32),
        think_s=trace.think_s[kept],
        cancel_s=trace.cancel_s[kept],
        block_start=start,
        blocks=blocks,
    )


@dataclass(frozen=True)
class Links:
    """Which earlier request each request grew out of: the one that touched its deepest cached block last."""

    parent: Places  # -1: none
    shared_tokens: Places  # cached tokens in front
    whole: npt.NDArray[np.bool_]  # whether (nearly) all of the parent's prompt is in front

    @property
    def linked(self) -> npt.NDArray[np.bool_]:
        """Requests that have a parent."""
        return self.parent >= 0


def links(trace: Trace, common_blocks: int) -> Links:
    """Links of a trace with block ids; sharing no more than `common_blocks` in front is no link."""
    found = reuse(trace)
    shared = np.bincount(found.request, found.blocks, len(trace)).astype(np.int64)
    parent = np.full(len(trace), -1, np.int64)
    parent[found.request] = found.earlier  # runs stand in prompt order: the deepest stays
    parent[shared <= common_blocks] = -1
    before = np.diff(trace.block_start)[parent]
    return Links(parent, shared * trace.block_tokens, (parent >= 0) & (shared >= before - 1))


@dataclass(frozen=True)
class Agents:
    """The agent sessions of Weka: a trace in session order with what the original API needed for each call."""

    trace: Trace
    service_s: Numbers  # NaN where not recorded
    group: Places  # sessions that repeat parts of each other have one group


def weka(folder: Path) -> Agents:
    """The Claude Code sessions, calls of a session by absolute time."""
    table = parquet.read_table(folder / "weka_claude_code.parquet")
    _, session = np.unique(table["trace_id"].to_numpy(zero_copy_only=False), return_inverse=True)
    time, number = table["t"].to_numpy(), table["req"].to_numpy()
    order = np.lexsort((number, time, session))
    lists = table["hash_ids"].combine_chunks()
    sizes = np.diff(lists.offsets.to_numpy())
    n = len(session)
    everything = Trace(
        arrival_s=time,
        prompt_tokens=table["in"].to_numpy(),
        output_tokens=table["out"].to_numpy(),
        service=np.zeros(n, np.int16),
        region=np.zeros(n, np.int16),
        session=session.astype(np.int32),
        turn=np.zeros(n, np.int32),
        after=np.full(n, -1, np.int32),
        think_s=np.nan_to_num(table["think_time"].to_numpy()).astype(np.float32),
        cancel_s=np.full(n, np.inf, np.float32),
        block_start=lists.offsets.to_numpy().astype(np.int64),
        blocks=_global(lists.values.to_numpy(), np.repeat(session, sizes)),
        block_tokens=64,
    )
    service = table["api_time"].to_numpy(zero_copy_only=False).astype(np.float64)
    triples = np.rec.fromarrays([everything.prompt_tokens, everything.output_tokens, np.nan_to_num(service)])
    return Agents(pick(everything, order), service[order], _groups(session, triples))


def _global(local: npt.NDArray[np.int32], session: Places) -> npt.NDArray[np.int32]:
    """Ids that are local to a session as ids of the whole trace, dense."""
    size = np.zeros(int(session[-1]) + 1, np.int64)
    np.maximum.at(size, session, local + 1)
    raw = local + (np.cumsum(size) - size)[session]
    used = np.zeros(int(size.sum()), np.int32)
    used[raw] = 1
    result: npt.NDArray[np.int32] = (np.cumsum(used, dtype=np.int32) - 1)[raw]
    return result


def _groups(session: Places, triples: npt.NDArray[np.void]) -> Places:
    """Sessions that share at least 3 (in, out, latency) triples and 30 % of the smaller one, joined."""
    owners: dict[bytes, set[int]] = {}
    sets: dict[int, set[bytes]] = {}
    for s, triple in zip(session.tolist(), triples, strict=True):
        key = triple.tobytes()
        owners.setdefault(key, set()).add(s)
        sets.setdefault(s, set()).add(key)
    group = list(range(int(session.max()) + 1))

    def top(s: int) -> int:
        while group[s] != s:
            s = group[s]
        return s

    for together in owners.values():
        members = sorted(together)
        for other in members[1:]:
            common = len(sets[members[0]] & sets[other])
            if common >= 3 and common > 0.3 * min(len(sets[members[0]]), len(sets[other])):
                group[top(other)] = top(members[0])
    return np.array([top(s) for s in range(len(group))])
