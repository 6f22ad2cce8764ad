"""The kernels to be fitted, a `Problem` each, from an operator table's rows of one machine and number format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scripts.machine_fit.data import Floats, Row, columns
from scripts.machine_fit.surface import Axis, Problem

from meritorder.catalog.accelerator import Accelerator
from meritorder.perf.operators.attention import Heads, decode_equation, prefill_equation
from meritorder.perf.operators.collectives import collective_equation
from meritorder.perf.operators.experts import ExpertLayer, expert_equation, shape
from meritorder.perf.operators.gemm import gemm_equation
from meritorder.predict.operators import FORMATS, expert_layer, message_bytes

# Streaming multiprocessors and L2 bytes of the measured machines (NVIDIA's architecture papers and data sheets).
CORES = {
    "a100": (108, 40e6),
    "h100": (132, 50e6),
    "h200": (132, 50e6),
    "b200": (148, 126e6),
    "b300": (148, 126e6),
    "gb200": (152, 126e6),
    "gb300": (152, 126e6),
    "l40s": (142, 96e6),
}

_M = (1.0, 4, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
_NK = (32.0, 256, 1024, 4096, 16384, 65536)


def gemm(name: str, chip: Accelerator, form: str, rows: Sequence[Row]) -> Problem:
    """Matrix products in one format."""
    _, bits, size = FORMATS[form]
    m, n, k, took = columns(rows, "m", "n", "k", "latency_ms")

    def seconds(c: Mapping[str, float], w: Any) -> Floats:
        return gemm_equation(chip, c, m[w], n[w], k[w], size, bits)

    bounds = {
        "fixed": (3e-6, 1e-7, 3e-5),
        "bandwidth": (0.8, 0.1, 1.5),
        "flops": (0.8, 0.02, 1.5),
        "tile": (10.0, 0.0, 400.0),
        "prologue": (100.0, 0.0, 6000.0),
        "saturation": (1.0, 0.3, 20.0),
        "blend": (4.0, 1.0, 12.0),
        "quantise": (0.5, 0.0, 40.0) if bits < 16 else (1e-9, 0.0, 1e-3),
        "split": (1e-6, 0.0, 3e-5),
        "cache_speed": (1.5, 1.0, 8.0),
        "cache_share": (0.5, 0.01, 2.0),
        "output": (1.0, 0.1, 4.0),
        # Only where the kernels were measured through the host, not in a graph.
        "host": (2e-4, 1e-4, 6e-4) if np.quantile(took, 0.05) > 0.1 else (1e-9, 0.0, 1e-8),
    }
    starts = [
        {"prologue": 800.0, "split": 1e-5, "saturation": 3.0},
        {"tile": 40.0, "prologue": 20.0, "cache_speed": 3.0, "saturation": 0.6},
    ]
    axes = {"m": Axis(_M, 3.0), "n": Axis(_NK, 3.0), "k": Axis(_NK, 3.0)}
    return Problem(seconds, took / 1e3, (m, n, k), axes, bounds, starts, _facts(name, cache=True))


def attention(name: str, chip: Accelerator, phase: str, form: str, rows: Sequence[Row]) -> Problem:
    """Prompt or decode attention with a cache in one format; all heads have the size of the table."""
    length = "isl" if phase == "prefill" else "ctx"
    batch, tokens, queries, kv, size, took = columns(
        rows, "batch_size", length, "num_heads", "num_key_value_heads", "head_dim", "latency_ms"
    )
    cached = FORMATS[form][2]
    equation = prefill_equation if phase == "prefill" else decode_equation

    def seconds(c: Mapping[str, float], w: Any) -> Floats:
        heads = Heads(queries[w], kv[w], size[w], cached)
        return equation(chip, c, batch[w], tokens[w], heads)

    groups = Axis((1.0, 2, 4, 8, 32, 96), 3.0)
    if phase == "prefill":
        bounds = {
            "fixed": (1.2e-5, 1e-6, 5e-5),
            "flops": (0.65, 0.05, 1.9),
            "per_tile": (1.0, 0.2, 4.0),
            "sequence": (1e-8, 0.0, 1e-5),
            "bandwidth": (0.4, 0.02, 1.2),
            "blend": (2.0, 1.0, 8.0),
        }
        starts = [{"sequence": 1e-7, "bandwidth": 0.2, "per_tile": 2.0}]
        knots = (1.0, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
        axes = {"queries": Axis((1.0, 4, 16, 64, 256, 1024, 4096, 32768), 2.0), "length": Axis(knots, 2.0)}
        return Problem(
            seconds,
            took / 1e3,
            (batch * queries, tokens, queries / kv),
            {**axes, "group": groups},
            bounds,
            starts,
            _facts(name),
        )
    bounds = {
        "fixed": (1e-5, 1e-6, 4e-5),
        "bandwidth": (0.9, 0.1, 1.3),
        "query": (1e-8, 0.0, 1e-6),
        "split": (2e-6, 0.0, 3e-5),
        "lead": (64.0, 0.0, 2000.0),
        "per_item": (1.0, 0.1, 4.0),
        "blend": (2.0, 1.0, 8.0),
        "wave": (0.3, 0.0, 1.0),
    }
    starts = [{"split": 8e-6, "lead": 200.0, "per_item": 0.5, "wave": 0.0}]
    contexts = (2.0, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072)
    axes = {
        "items": Axis((1.0, 4, 8, 16, 32, 64, 128, 256, 512, 2048, 8192, 32768), 2.0),
        "context": Axis(contexts, 2.0),
    }
    shape = (batch * kv, tokens, queries / kv)
    return Problem(seconds, took / 1e3, shape, {**axes, "group": groups}, bounds, starts, _facts(name))


def experts(name: str, chip: Accelerator, form: str, rows: Sequence[Row]) -> Problem:
    """Fused expert layers in one format; rows of one layer are computed together."""
    _, bits, size = FORMATS[form]
    tokens, took = columns(rows, "num_tokens", "latency_ms")
    layers = [expert_layer(row) for row in rows]
    shapes = [shape(t, layer) for t, layer in zip(tokens, layers, strict=True)]
    places = tuple(np.array(column, float) for column in zip(*shapes, strict=True))

    def seconds(c: Mapping[str, float], w: Any) -> Floats:
        index = np.arange(len(tokens))[w]
        found = np.empty(len(tokens))
        together: dict[ExpertLayer, list[int]] = {}
        for row in index:
            together.setdefault(layers[row], []).append(row)
        for layer, members in together.items():
            found[members] = expert_equation(chip, c, tokens[members], layer, size, bits)
        return np.asarray(found[index])

    bounds = {
        "fixed": (2e-5, 1e-6, 6e-4),
        "bandwidth": (0.7, 0.05, 1.3),
        "flops": (0.5, 0.01, 1.5),
        "tile": (20.0, 0.0, 400.0),
        "saturation": (2.0, 0.05, 50.0),
        "traffic": (2.0, 0.0, 60.0),
        "inner_traffic": (2.0, 0.0, 60.0),
        "cache_speed": (1.5, 1.0, 8.0),
        "cache_share": (0.5, 0.01, 2.0),
        "blend": (2.0, 1.0, 10.0),
    }
    starts = [{"saturation": 10.0, "traffic": 8.0}, {"flops": 0.15, "tile": 0.0}]
    axes = {
        "tokens": Axis((1.0, 4, 16, 64, 256, 1024, 4096, 16384), 3.0),
        "experts": Axis((1.0, 8, 64, 512), 4.0),
        "inner": Axis((64.0, 256, 1024, 4096, 16384), 4.0),
    }
    return Problem(seconds, took / 1e3, places, axes, bounds, starts, _facts(name, cache=True))


def collective(name: str, chip: Accelerator, kind: str, rows: Sequence[Row]) -> Problem:
    """One kind of collective of one library; `message_size` counts elements of the row's type."""
    chips, took = columns(rows, "num_gpus", "latency_ms")
    message = message_bytes(rows)

    def seconds(c: Mapping[str, float], w: Any) -> Floats:
        return collective_equation(chip, c, kind, message[w], chips[w])

    bounds = {"fixed": (4e-6, 1e-7, 1e-4), "per_chip": (2e-7, 0.0, 1e-5), "bandwidth": (0.5, 0.001, 1.5)}
    axes = {
        "message": Axis(tuple(2.0**power for power in range(8, 31)), 1.5),
        "chips": Axis((2.0, 4, 8), 3.0),
    }
    starts = [{"fixed": 2e-5}, {"bandwidth": 0.05}]
    return Problem(seconds, took / 1e3, (message, chips), axes, bounds, starts, {})


def _facts(name: str, cache: bool = False) -> dict[str, float]:
    cores, held = CORES[name]
    return {"cores": float(cores), **({"cache": held} if cache else {})}
