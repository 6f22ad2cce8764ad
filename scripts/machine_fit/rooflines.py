"""Plain rooflines of the kernels, for machines whose own kernels nobody measured by shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scripts.machine_fit.data import Data, Fit, Floats, Row, columns, fit, with_gpu
from scripts.machine_fit.write import Fitted, seconds

from meritorder.catalog.accelerator import Accelerator, Roofline
from meritorder.catalog.load import accelerators
from meritorder.catalog.names import SYSTEMS
from meritorder.catalog.operators import Operators
from meritorder.perf import kernels
from meritorder.perf.operators.experts import ExpertLayer
from meritorder.predict.operators import FORMATS, expert_layer

BITS = {"bfloat16": 16, "fp8": 8, "nvfp4": 4}
EXPERT_BITS = {"bfloat16": 16, "fp8_block": 8, "nvfp4": 4}

# Where a machine's tables lack an expert precision: whose table stands in.
EXPERTS_FROM = {
    ("h100", 16): ("h100", 8),
    ("h200", 16): ("h200", 8),
    ("b200", 4): ("gb200", 4),
    ("gb200", 16): ("b200", 16),
    ("b300", 16): ("b200", 16),
}


def fit_rooflines(data: Data, fitted: Fitted) -> None:
    """Fit all kernels of all systems that have tables."""
    for system, name in SYSTEMS.items():
        if name == "gb300":
            continue
        chip = accelerators()[name].model_copy(update={"operators": Operators()})

        def rows(file: str, system: str = system) -> list[Row]:
            return [row for row in data.rows(file) if row["system"] == system]

        _gemm(name, chip, rows("op_gemm.csv"), fitted)
        _experts(name, chip, rows("op_moe.csv"), fitted)
        _decode(name, chip, rows("op_attention_decode.csv"), fitted)
        _prefill(name, chip, rows("op_attention_prefill.csv"), fitted)
        _all_reduce(name, chip, rows("op_collectives.csv"), fitted)
    for (name, bits), (other, other_bits) in EXPERTS_FROM.items():
        # The same FLOP/s are another share of another precision's peak.
        peaks = accelerators()[other].flops(other_bits) / accelerators()[name].flops(bits)
        value = dict(fitted.machines[other][f"experts_{other_bits}"]["value"])
        value["flops"] = min(1.0, value["flops"] * peaks)
        fitted.add(name, f"experts_{bits}", value, "nearest", "low", note=f"of {other} in {other_bits} bit")
    measured = ("gemm_", "experts_", "decode_", "prefill_", "allreduce_")
    for key, figure in fitted.machines["b300"].items():
        if key.startswith(measured):
            fitted.machines.setdefault("gb300", {})[key] = dict(figure)
    chip = accelerators()["gb300"].model_copy(update={"operators": Operators()})
    _all_reduce("gb300", chip, [row for row in data.rows("op_collectives.csv") if row["system"] == "gb300"], fitted)


def _roofline(x: Floats) -> Roofline:
    names = ("fixed", "bandwidth", "flops", "blend", "traffic")
    return Roofline.model_construct(**dict(zip(names, (*x, 0.0), strict=False)))


def _add(fitted: Fitted, name: str, key: str, found: Fit, medium: float = 0.2) -> None:
    kernel = _roofline(found.x).model_dump()
    value = {**{part: float(number) for part, number in kernel.items()}, "fixed": seconds(found.x[0])}
    confidence = "high" if found.median < medium / 2 else "medium" if found.median < medium else "low"
    fitted.add(name, key, value, "operators", confidence, note=found.note)


def _gemm(name: str, chip: Accelerator, table: Sequence[Row], fitted: Fitted) -> None:
    for dtype, bits in BITS.items():
        # Smaller and longer shapes than models have are left out.
        used = [r for r in table if r["gemm_dtype"] == dtype and 512 <= float(r["k"]) <= 32768 and float(r["n"]) >= 512]
        if not used:
            continue
        m, n, k, took = columns(used, "m", "n", "k", "latency_ms")

        def model(x: Floats, bits: int, m: Floats, n: Floats, k: Floats, size: float) -> Floats:
            changed = with_gpu(chip, **{f"gemm_{bits}": _roofline(x)})
            return kernels.gemm(changed, m, n, k, size, bits).seconds  # type: ignore[arg-type]

        traffic = 100.0 if bits < 16 else 1e-3
        start = [4e-6, 0.75, 0.6, 3.0, traffic / 50]
        found = fit(
            partial(model, bits=bits, m=m, n=n, k=k, size=FORMATS[dtype][2]),
            start,
            [1e-7, 0.05, 0.02, 1, 0],
            [3e-5, 1.5, 1.5, 10, traffic],
            took / 1e3,
        )
        if bits == 16:
            found = Fit(found.x[:4], found.rows, found.median, found.mean)
        _add(fitted, name, f"gemm_{bits}", found)


def _experts(name: str, chip: Accelerator, table: Sequence[Row], fitted: Fitted) -> None:
    for dtype, bits in EXPERT_BITS.items():
        # Tokens are never spread evenly over experts: the skewed rows are the real case.
        used = [r for r in table if r["moe_dtype"] == dtype and r["distribution"].startswith("power_law")]
        if used:
            found = fit(
                _expert_model(chip, used, bits, FORMATS[dtype][2]),
                [3e-5, 0.6, 0.4, 3.0],
                [1e-7, 0.02, 0.02, 1],
                [3e-4, 1.5, 1.5, 10],
                columns(used, "latency_ms")[0] / 1e3,
            )
            _add(fitted, name, f"experts_{bits}", found, medium=0.3)


def _expert_model(chip: Accelerator, used: Sequence[Row], bits: int, size: float) -> Callable[[Floats], Floats]:
    tokens = columns(used, "num_tokens")[0]
    members: dict[ExpertLayer, list[int]] = {}
    for number, row in enumerate(used):
        members.setdefault(expert_layer(row), []).append(number)

    def model(x: Floats) -> Floats:
        changed = with_gpu(chip, **{f"experts_{bits}": _roofline(x)})
        took = np.empty(len(tokens))
        for layer, rows in members.items():
            took[rows] = kernels.experts(changed, tokens[rows], layer, size, bits).seconds
        return took

    return model


def _prefill(name: str, chip: Accelerator, table: Sequence[Row], fitted: Fitted) -> None:
    used = [r for r in table if r["kv_cache_dtype"] == "bfloat16"]
    batch, length, heads, took = columns(used, "batch_size", "isl", "num_heads", "latency_ms")

    def prompt(x: Floats) -> Floats:
        pairs = batch * length * ((length + 1) / 2 + x[2])
        changed = with_gpu(chip, prefill_flops=x[1])
        return np.asarray(x[0] + kernels.prefill_attention(changed, 4 * heads * 128 * pairs).seconds)

    found = fit(prompt, [1.4e-5, 0.6, 400.0], [1e-7, 0.02, 0.0], [1e-4, 1.5, 1e4], took / 1e3)
    fitted.add(name, "prefill_fixed", seconds(found.x[0]), "operators", "medium", note=found.note)
    fitted.add(name, "prefill_flops", float(found.x[1]), "operators", "medium", note=found.note)
    fitted.add(name, "prefill_lead", float(found.x[2]), "operators", "medium", note=found.note)


def _decode(name: str, chip: Accelerator, table: Sequence[Row], fitted: Fitted) -> None:
    for dtype, suffix in (("bfloat16", ""), ("fp8", "_8")):
        used = [r for r in table if r["kv_cache_dtype"] == dtype and float(r["ctx"]) >= 64]
        if not used:
            continue
        batch, length, heads, took = columns(used, "batch_size", "ctx", "num_key_value_heads", "latency_ms")
        read = batch * length * heads * 128 * 2 * FORMATS[dtype][2]

        def decode(x: Floats, read: Floats) -> Floats:
            changed = with_gpu(chip, decode_bandwidth=x[1])
            return np.asarray(x[0] + kernels.decode_attention(changed, read, "fp16").seconds)

        found = fit(partial(decode, read=read), [1e-5, 0.6], [1e-7, 0.02], [1e-4, 1.5], took / 1e3)
        if not suffix:
            fitted.add(name, "decode_fixed", seconds(found.x[0]), "operators", "high", note=found.note)
        fitted.add(name, f"decode_bandwidth{suffix}", float(found.x[1]), "operators", "high", note=found.note)


def _all_reduce(name: str, chip: Accelerator, table: Sequence[Row], fitted: Fitted) -> None:
    used = [r for r in table if r["op_name"] == "all_reduce" and r["variant"] == "vllm_graph"]
    chips, elements, took = columns(used, "num_gpus", "message_size", "latency_ms")
    message = 2.0 * elements
    # Longer than any layer's activations, or shorter than one token's, is left out.
    keep = (message >= 4096) & (message <= 3e8)
    chips, message, took = chips[keep], message[keep], took[keep]

    def model(x: Floats) -> Floats:
        changed = with_gpu(chip, allreduce_fixed=x[0], allreduce_per_chip=x[1], allreduce_bandwidth=x[2])
        return kernels.all_reduce(changed, message, chips).seconds  # type: ignore[arg-type]

    found = fit(model, [4e-6, 2e-7, 0.5], [1e-7, 1e-9, 0.01], [1e-4, 1e-5, 1.5], np.asarray(took) / 1e3)
    fitted.add(name, "allreduce_fixed", seconds(found.x[0]), "operators", "high", note=found.note)
    fitted.add(name, "allreduce_per_chip", seconds(found.x[1]), "operators", "high", note=found.note)
    fitted.add(name, "allreduce_bandwidth", float(found.x[2]), "operators", "high", note=found.note)
