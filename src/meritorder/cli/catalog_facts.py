"""What `merit catalog` says of machines and models, as plain data (SI units)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meritorder.catalog.load import Figure
    from meritorder.catalog.model import ModelSpec

SHOWN_FORMATS = ("bf16", "fp8", "fp4", "mxfp4", "int4")


def accelerator_facts(name: str) -> dict[str, Any]:
    """Everything about one accelerator: figures and coefficients as written, with provenance."""
    from meritorder.catalog.load import accelerator_entries, figures

    entry = accelerator_entries()[name]
    own: dict[str, Any] = {}
    fitted: dict[str, Any] = {}
    for key, figure in figures(name).items():
        (fitted if "." in key else own)[key.rpartition(".")[2]] = figure_facts(figure)
    keys = ("title", "vendor", "family", "kind", "status", "since", "coolant")
    return {
        "name": name,
        **{key: entry[key] for key in keys},
        "missing": entry.get("missing", ""),
        "notes": list(entry.get("notes", ())),
        "figures": own,
        "coefficients_of": list(entry.get("coefficients", ())),
        "coefficients": fitted,
        "kernels": _kernels(name),
    }


def _kernels(name: str) -> dict[str, Any]:
    """Kernels measured by shape: rows, errors on shapes left out of the fit, and the range of the measurements."""
    from meritorder.catalog.load import accelerators
    from meritorder.catalog.operators import bundled

    if name not in accelerators():
        return {}
    chip, sources = accelerators()[name], bundled()["sources"]
    kin = chip.kernels if chip.kernels != name else ""
    return {
        key: {
            "rows": kernel.rows,
            "median_error": kernel.median,
            "mean_error": kernel.mean,
            "ranges": {axis: [knots[0], knots[-1]] for axis, knots in kernel.axes.items()},
            "coefficients": dict(kernel.coefficients),
            "source": sources[kernel.source]["title"],
            "date": str(sources[kernel.source]["date"]),
            "borrowed": kernel.borrowed or kin,
        }
        for key, kernel in chip.operators.items()
    }


def accelerator_row(name: str) -> dict[str, Any]:
    """One line about an accelerator; None for what nobody has published."""
    from meritorder.catalog.load import accelerator_entries, figures
    from meritorder.units import parse

    entry, found = accelerator_entries()[name], figures(name)
    units = {"flops_16": "FLOP/s", "flops_8": "FLOP/s", "flops_4": "FLOP/s", "memory": "B", "bandwidth": "B/s"}
    units |= {"link": "B/s", "domain": "", "idle": "W", "typical": "W", "max": "W", "usd_per_hour": "USD/h"}
    keys = ("title", "vendor", "family", "kind", "status", "since", "coolant")
    values = {key: parse(found[key].value, unit) if key in found else None for key, unit in units.items()}
    ranged = [key for key in units if key in found and _doubtful(found[key])]
    return {
        "name": name,
        **{key: entry[key] for key in keys},
        **values,
        "ranges": ranged,
        "can_be_simulated": "missing" not in entry,
    }


def model_kinds(model: ModelSpec) -> list[str]:
    """Words for what kind of model it is: `moe` or `dense`, `mla`, `sparse`, `window`, `chunked`, `linear`."""
    found = {
        "moe": bool(model.experts),
        "dense": not model.experts,
        "mla": bool(model.kv_lora),
        "sparse": bool(model.sparse_tokens),
        "window": bool(model.window_layers) and not model.chunked,
        "chunked": model.chunked,
        "linear": bool(model.linear_layers),
    }
    return [kind for kind, true in found.items() if true]


def model_row(name: str, model: ModelSpec) -> dict[str, Any]:
    """One line about a model."""
    return {
        "name": name,
        "title": model.title,
        "kinds": model_kinds(model),
        "params": model.params,
        "active_params": model.active_params,
        "full_layers": model.full_layers,
        "window_layers": model.window_layers,
        "window": model.window,
        "linear_layers": model.linear_layers,
        "kv_bytes_per_token": model.kv_bytes_per_token("fp16"),
        "max_context": model.max_context,
        "weights": model.weights,
        "weight_bytes": model.weight_bytes(model.weights),
    }


def model_facts(name: str, model: ModelSpec) -> dict[str, Any]:
    """Everything about one model that follows from its shape; bytes of KV in 16 bit."""
    return {
        **model_row(name, model),
        "shape": model.model_dump(),
        "layers": _layers(model),
        "mtp_params": model.mtp_params,
        "extra_params": model.extra_params,
        "embedding_params": model.embedding_params,
        "window_kv_bytes": model.window_kv_bytes("fp16"),
        "state_bytes": model.state_bytes,
        "weight_bytes_by_format": {one: model.weight_bytes(one) for one in SHOWN_FORMATS},
        "flops_per_token": model.flops_per_token,
        "flops_per_pair": model.flops_per_pair,
        "decode_flops_per_pair": model.decode_flops_per_pair,
    }


def model_provenance(name: str) -> dict[str, Any]:
    """Source, date and confidence of a model's shape, and the counts that its maker published."""
    from meritorder.catalog.load import model_entries, model_source

    source = figure_facts(model_source(name))
    return {
        **{key: source[key] for key in ("source", "date", "confidence", "note")},
        **{"published": model_entries()[name].get("published", {})},
    }


def _layers(model: ModelSpec) -> list[dict[str, Any]]:
    """Per kind of layer: how many, parameters of its mixer, KV bytes of a token (16 bit), FLOPs of a pair of tokens."""
    word = "latent" if model.kv_lora else "full"
    kinds = [
        (
            f"{word}, sparse" if model.sparse_tokens else word,
            model.full_layers,
            model.attention_params,
            model.kv_bytes_per_layer("fp16"),
            model.pair_flops,
            model.decode_pair_flops,
        ),
        (
            f"chunks of {model.window}" if model.chunked else f"window of {model.window}",
            model.window_layers,
            model.window_attention_params,
            model.window_kv_bytes_per_layer("fp16"),
            model.window_pair_flops,
            model.window_pair_flops,
        ),
        ("linear", model.linear_layers, model.linear_params, 0.0, 0.0, 0.0),
    ]
    keys = ("kind", "layers", "params", "kv_bytes_per_token", "pair_flops", "decode_pair_flops")
    rows = [dict(zip(keys, kind, strict=True)) for kind in kinds if kind[1]]
    for row in rows:
        row["state_bytes"] = model.linear_state_bytes if row["kind"] == "linear" else 0
    return rows


def figure_facts(figure: Figure) -> dict[str, Any]:
    """A figure with its provenance."""
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "source": figure.source,
        "date": figure.date,
        "confidence": figure.confidence,
        "vendor_claim": figure.claim,
        "note": figure.note,
    }


def _doubtful(figure: Figure) -> bool:
    return figure.low is not None or figure.confidence == "guess"
