"""What a row of the InferenceX table says: engine, machine, model, how it is split, and the closed loop that ran.

The table records sizes in two habits. SemiAnalysis's rows give the product of tensor and expert parallel sizes where
both are set on the same chips (`tp 64, moe 8 x 8` are 8 chips), NVIDIA's own rows give plain sizes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meritorder.catalog.names import machine_of, model_of
from meritorder.predict.cells import choice, number, text, whole
from meritorder.predict.form import Row
from meritorder.problems import InputError, Problem, said

PRECISIONS = {"": "bf16", "bf16": "bf16", "fp8": "fp8", "fp4": "fp4", "int4": "int4"}

# InferenceX draws lengths evenly from 80 to 100 % of the nominal ones.
SHORTEST, LONGEST = 0.8, 1.0
# A server has eight; "aggregated" rows with more are disaggregated racks.
SERVER_CHIPS = 8
# Beyond these nothing was ever run, and a loop has a line for each client.
MOST_CLIENTS, MOST_TOKENS = 100_000, 10_000_000


@dataclass(frozen=True)
class Split:
    """How the chips of one worker share a model (as in `Placement`)."""

    tensor: int
    data: int
    expert: int
    pipeline: int

    @property
    def chips(self) -> int:
        """Chips of the worker."""
        return self.tensor * self.data * self.pipeline


@dataclass(frozen=True)
class Point:
    """A closed loop of `concurrency` requests on `workers` equal servers; `prefill`: those of prompts, if apart."""

    engine: str
    version: str
    machine: str
    model: str
    weights: str
    kv: str
    split: Split
    workers: int
    concurrency: float
    prompt: float  # nominal tokens
    output: float
    drawn: bool  # lengths are drawn, not fixed
    month: str = ""  # of the measurement, `2026-03`
    prefill: Split | None = None
    prefill_workers: int = 0

    @property
    def speculates(self) -> bool:
        """Whether DeepSeek's further-token head was on: no column says so, but two TensorRT-LLM versions and a change
        between two months of a third make the same configurations 1.3 to 2 times faster, most at small batch."""
        if self.engine != "trtllm" or not self.model.startswith("deepseek"):
            return False
        return self.version == "1.2.0rc6.post3" or (self.version == "1.1.0rc2.post2" and self.month >= "2026-01")


def point(row: Row) -> Point:
    """The row's operating point. Raises InputError for what is not known: a model, a system, a precision, a number."""
    model, machine = model_of(text(row, "model_path")), machine_of(text(row, "system"))
    precision = choice(row, "precision", PRECISIONS)
    weights = "mxfp4" if model.startswith("gpt-oss") else precision
    month = row.get("measured", "")[:7]
    if month and not re.fullmatch(r"\d{4}-\d{2}", month):
        raise InputError(Problem(f"is {said(row['measured'])}", key="measured", fix="give a date, 2026-04-22"))
    common: dict[str, object] = {
        "engine": text(row, "backend"),
        "version": row.get("backend_version", "") or month,
        "machine": machine,
        "model": model,
        "weights": weights,
        "kv": "fp8" if _narrow_cache(row, weights) else "fp16",
        "prompt": float(whole(row, "isl", most=MOST_TOKENS)),
        "output": float(whole(row, "osl", least=2, most=MOST_TOKENS)),
        "month": month,
        "drawn": row.get("origin", "inferencex") == "inferencex",
    }
    if row.get("mode") == "disagg":
        return _apart(row, common)
    split, workers, concurrency = _together(row)
    if split.chips > SERVER_CHIPS and common["drawn"]:
        return _rack(split, concurrency, common)
    return Point(**common, split=split, workers=workers, concurrency=concurrency)  # type: ignore[arg-type]


def _narrow_cache(row: Row, weights: str) -> bool:
    return weights in ("fp8", "fp4") or (weights == "mxfp4" and row["system"] in ("b200_sxm", "b300_sxm", "gb200"))


def _sizes(row: Row, *names: str) -> list[int]:
    """Sizes of which an empty cell or 0 says that there is no such split."""
    return [max(1, whole(row, name, least=0, empty=1)) for name in names]


def _clients(row: Row, name: str) -> float:
    """Requests under way; 0: the row doesn't say."""
    return number(row, name, least=0, most=MOST_CLIENTS, empty=0.0)


def _known(clients: float) -> float:
    if not clients:
        fix = "give concurrency, or the batch size of a copy of attention"
        raise InputError(Problem("is empty, and so is the batch size", key="concurrency", fix=fix))
    return clients


def _together(row: Row) -> tuple[Split, int, float]:
    tensor = whole(row, "tp_size")
    pipeline, data, moe_tensor, moe_expert = _sizes(row, "pp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    rank, asked = _clients(row, "batch_size"), _clients(row, "concurrency")
    _known(asked or rank)
    if row.get("origin", "inferencex") == "inferencex":
        split = squared(tensor, data, moe_tensor, moe_expert, pipeline)
        return split, 1, asked or rank * split.data
    copies = round(asked / rank) if asked and rank else 1
    chips = max(tensor, moe_tensor * moe_expert)
    if copies > 1 and copies == tensor:  # one copy of attention on each chip
        return Split(1, tensor, min(moe_expert, tensor), pipeline), 1, asked
    if copies > 1:
        return Split(tensor, chips // tensor, moe_expert, pipeline), copies, asked
    data = chips // tensor
    return Split(tensor, data, moe_expert, pipeline), 1, (asked or rank) * data


def squared(tensor: int, data: int, moe_tensor: int, moe_expert: int, pipeline: int) -> Split:
    """Sizes from SemiAnalysis's rows: see the top of this module."""
    if moe_tensor == moe_expert and moe_expert > 1:
        chips = moe_expert
    elif data > 1:
        chips = max(moe_tensor, moe_expert if tensor == 1 else tensor)
    else:
        chips = tensor
    expert = min(moe_expert, chips)
    return Split(1 if data > 1 else chips, chips if data > 1 else 1, expert, pipeline)


def _rack(split: Split, concurrency: float, common: dict[str, object]) -> Point:
    """Rows of a rack: all that is known is how many chips there were, and that prompts had chips of their own.

    Taken: a third of them for prompts, four to a worker; the rest decodes together, attention copied to each chip.
    """
    workers = max(1, split.chips // 12)
    decode = split.chips - 4 * workers
    return Point(
        **common,  # type: ignore[arg-type]
        split=Split(1, decode, decode, 1),
        workers=1,
        concurrency=concurrency,
        prefill=Split(1, 4, 4, 1),
        prefill_workers=workers,
    )


def _apart(row: Row, common: dict[str, object]) -> Point:
    splits = []
    for side in ("prefill", "decode"):
        names = ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size", "pp_size")
        splits.append(squared(*_sizes(row, *(f"{side}_{name}" for name in names))))
    prefill, decode = splits
    (workers,) = _sizes(row, "decode_num_workers")
    batch = _clients(row, "decode_batch_size") * decode.data * workers
    return Point(
        **common,  # type: ignore[arg-type]
        split=decode,
        workers=workers,
        concurrency=_known(_clients(row, "concurrency") or batch),
        prefill=prefill,
        prefill_workers=_sizes(row, "prefill_num_workers")[0],
    )
