"""What a row of the InferenceX table says: engine, machine, model, how it is split, and the closed loop that ran.

The table records sizes in two habits. SemiAnalysis's rows give the product of tensor and expert parallel sizes where
both are set on the same chips (`tp 64, moe 8 x 8` are 8 chips), NVIDIA's own rows give plain sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.predict.form import Row

MODELS = {
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "Qwen/Qwen3-32B": "qwen3-32b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
    "Qwen/Qwen3.5-397B-A17B": "qwen3.5-397b-a17b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "meta-llama/Llama-3.1-8B": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
    "deepseek-ai/DeepSeek-R1": "deepseek-r1",
    "nvidia/DeepSeek-R1-NVFP4": "deepseek-r1",
    "deepseek-ai/DeepSeek-V3": "deepseek-v3",
    "nvidia/DeepSeek-V3.1-NVFP4": "deepseek-v3.1",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    "MiniMaxAI/MiniMax-M2.5": "minimax-m2.5",
    "moonshotai/Kimi-K2.5": "kimi-k2.5",
    "zhipuai/GLM-5": "glm-5",
}
SYSTEMS = {"h100_sxm": "h100", "h200_sxm": "h200", "b200_sxm": "b200", "b300_sxm": "b300", "a100_sxm": "a100"}
PRECISIONS = {"": "bf16", "bf16": "bf16", "fp8": "fp8", "fp4": "fp4", "int4": "int4"}

# InferenceX draws lengths evenly from 80 to 100 % of the nominal ones.
SHORTEST, LONGEST = 0.8, 1.0
# A server has eight; "aggregated" rows with more are disaggregated racks.
SERVER_CHIPS = 8


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
    """The row's operating point. Raises KeyError with what is not known: a model, a system, a precision."""
    model, machine = MODELS[row["model_path"]], SYSTEMS.get(row["system"], row["system"])
    weights = "mxfp4" if model.startswith("gpt-oss") else PRECISIONS[row.get("precision", "")]
    common: dict[str, object] = {
        "engine": row["backend"],
        "version": row.get("backend_version", "") or row.get("measured", "")[:7],
        "machine": machine,
        "model": model,
        "weights": weights,
        "kv": "fp8" if _narrow_cache(row, weights) else "fp16",
        "prompt": float(row["isl"]),
        "output": float(row["osl"]),
        "month": row.get("measured", "")[:7],
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


def _number(row: Row, name: str) -> int:
    return int(float(row.get(name) or 0))


def _together(row: Row) -> tuple[Split, int, float]:
    tensor, pipeline, data, moe_tensor, moe_expert = (
        max(1, _number(row, name)) for name in ("tp_size", "pp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    rank = float(row.get("batch_size") or 0)
    asked = float(row.get("concurrency") or 0)
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
        sizes = [max(1, _number(row, f"{side}_{name}")) for name in names]
        splits.append(squared(*sizes))
    prefill, decode = splits
    workers = max(1, _number(row, "decode_num_workers"))
    batch = float(row.get("decode_batch_size") or 0) * decode.data * workers
    return Point(
        **common,  # type: ignore[arg-type]
        split=decode,
        workers=workers,
        concurrency=float(row.get("concurrency") or 0) or batch,
        prefill=prefill,
        prefill_workers=max(1, _number(row, "prefill_num_workers")),
    )
