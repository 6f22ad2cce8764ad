"""What `merit catalog show` prints of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from meritorder.cli.catalog_tables import billions
from meritorder.cli.output import results, table
from meritorder.units import show


def print_model(model: Mapping[str, Any]) -> None:
    """One model: parameters, layers, memory, arithmetic, and where its shape is from."""
    out = results()
    out.print(Text(f"{model['name']}: {model['title']}", style="bold"), soft_wrap=True)
    out.print(Text(_parameters(model)))
    out.print(_provenance(model), style="dim")
    out.print()
    columns = ("layers", ">count", ">weights", ">KV of\na token", ">state of\na sequence")
    layers = table("Attention and mixers, of one layer", (*columns, ">FLOPs of a\npair: prefill", ">decode"))
    for row in model["layers"]:
        kv, state = row["kv_bytes_per_token"], row["state_bytes"]
        layers.add_row(
            row["kind"],
            str(row["layers"]),
            f"{row['params'] / 1e6:,.1f} M",
            show(kv, "B", 4) if kv else "-",
            show(state, "B", 3) if state else "-",
            f"{row['pair_flops']:,.0f}" if kv else "-",
            f"{row['decode_pair_flops']:,.0f}" if kv else "-",
        )
    out.print(layers, "")
    for label, value in _sums(model):
        out.print(Text(f"{label:<34}{value}"), soft_wrap=True)


def _parameters(model: Mapping[str, Any]) -> str:
    published = model["published"]
    said = f" (published: {published['params_b']:,g} B)" if "params_b" in published else ""
    active = f" (published: {published['active_b']:g} B)" if "active_b" in published else ""
    sizes = (
        f"{billions(model['params'])} parameters{said}, {billions(model['active_params'])} at work for a token{active}"
    )
    return f"{sizes}; {', '.join(model['kinds'])}"


def _provenance(model: Mapping[str, Any]) -> Text:
    if "confidence" not in model:
        return Text(f"read from {model['source']}")
    note = f"; {model['note']}" if model["note"] else ""
    return Text(f"{model['source']}, {model['date']}, confidence {model['confidence']}{note}")


def _sums(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    shape = model["shape"]
    rows = [("KV cache of a token (16 bit)", show(model["kv_bytes_per_token"], "B", 4))]
    if model["window_kv_bytes"]:
        rows.append(("on top, at most, for windows", show(model["window_kv_bytes"], "B", 3)))
    if model["state_bytes"]:
        rows.append(("on top, per sequence, for states", show(model["state_bytes"], "B", 3)))
    sizes = (f"{show(size, 'B', 3)} {name}" for name, size in model["weight_bytes_by_format"].items())
    rows += [
        ("weights as published", f"{show(model['weight_bytes'], 'B', 3)} {model['weights']}"),
        ("weights in other formats", ", ".join(sizes)),
    ]
    if shape["experts"]:
        shared = f" and {shape['shared_experts']} shared" if shape["shared_experts"] else ""
        rows.append(
            ("experts", f"{shape['active_experts']} of {shape['experts']}{shared}, {shape['expert_ffn']:,} wide")
        )
    if model["extra_params"]:
        rows.append(("encoders, in the parameters", billions(model["extra_params"])))
    if model["mtp_params"]:
        rows.append((f"MTP heads ({shape['mtp_layers']}), on top", billions(model["mtp_params"])))
    rows += [
        ("FLOPs of a token", f"{model['flops_per_token']:.4g}"),
        (
            "FLOPs of a pair of tokens",
            f"{model['flops_per_pair']:,.0f} in prefill, {model['decode_flops_per_pair']:,.0f} in decode",
        ),
        ("longest context", f"{model['max_context']:,} tokens"),
    ]
    return rows
