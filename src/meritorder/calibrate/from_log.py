"""A machine profile from an engine's iteration log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

ENGINES = ("vllm", "sglang", "trtllm", "llamacpp")

_PARTS = 8  # of the log, in order of time; each is held out once
_LEAST = 30  # iterations
_MOST = 4000  # iterations with prompts that are fitted to: more would only take longer


def calibrate_log(
    path: Path, engine: str, kv_tokens: int | None, inputs: Mapping[str, float], seed: int = 0
) -> dict[str, Any]:
    """The profile. What the front end takes is in no log: it stays 0. Raises InputError where the log doesn't do."""
    from meritorder.calibrate.fit import fit
    from meritorder.calibrate.logs import Logged
    from meritorder.calibrate.profile import profile_of
    from meritorder.calibrate.rows import Row, Rows, averaged, noise
    from meritorder.problems import InputError, Problem

    where = str(path)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            log: Logged = import_module(f"meritorder.calibrate.logs.{engine}").read(lines, kv_tokens)
    except OSError as error:
        raise InputError(Problem(f"can't be read: {(error.strerror or str(error)).lower()}", where)) from None
    if len(log.iterations) < _LEAST:
        what = f"tells of {len(log.iterations)} iterations, {_LEAST} are needed"
        fix = f"can't be read: {log.unread[:120]}" if log.unread else f"is it a log of {engine} with its iterations?"
        raise InputError(Problem(what, where, fix=fix))
    if log.kv_tokens is None:
        fix = "give --kv-tokens; engines log it when they start"
        raise InputError(Problem("does not say how many tokens of KV cache there are", where, fix=fix))
    each = math.ceil(len(log.iterations) / _PARTS)
    found = [Row(seconds, (iteration,), part=i // each) for i, (seconds, iteration) in enumerate(log.iterations)]
    floor = noise(found)
    few = averaged(found)
    prompts = [row for row in few if row.iterations[0].prompt_tokens]
    kept = set(map(id, prompts[:: math.ceil(len(prompts) / _MOST) or 1]))
    rows = Rows.of(row for row in few if not row.iterations[0].prompt_tokens or id(row) in kept)
    source: dict[str, object] = {"log": path.name, "engine": engine, "iterations": len(log.iterations)}
    notes = list(log.notes)
    if not log.kv_known:
        notes.append("KV tokens are not in the log: their time is in that of the sequences")
    if log.unread:
        notes.append(f"lines that could not be read, the first: {log.unread[:120]}")
    if notes:
        source["notes"] = notes
    return profile_of(
        fit(rows, floor[0], seed),
        rows,
        floor,
        kv_tokens=log.kv_tokens,
        engine=_engine(rows),
        source=source,
        inputs=inputs,
    )


def _engine(rows: Any) -> dict[str, int]:
    """The least limits that allow what was seen."""
    sequences = max(int(rows.decoding.max()), 1)
    return {"max_sequences": sequences, "token_budget": max(int((rows.decoding + rows.prompt_tokens).max()), sequences)}
