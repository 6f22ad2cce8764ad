"""The JSON Schema of fleet files, for editors: the schema of `Fleet` plus what only files have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meritorder.fleet.schema import Fleet

SHIPPED = Path(__file__).with_name("fleet.schema.json")

_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}

_CONFIG = r"^.+\.json$"  # a Hugging Face file


def file_schema() -> dict[str, Any]:
    """The schema: a whole fleet, or one that `extends` another and then may leave out anything."""
    whole = _tidy(Fleet.model_json_schema())
    parts = whole.pop("$defs")
    parts["Fleet"] = whole
    for kind, part in (("models", "ModelSpec"), ("accelerators", "Accelerator")):
        laid_on = _partial(parts[part], "")
        laid_on["properties"] = {"base": {"type": "string", "description": "Catalog entry to start from."}} | laid_on[
            "properties"
        ]
        laid_on["required"] = ["base"]
        parts[f"{part}OnBase"] = laid_on
        either = {"anyOf": [{"$ref": f"#/$defs/{part}"}, {"$ref": f"#/$defs/{part}OnBase"}]}
        whole["properties"][kind]["patternProperties"] = dict.fromkeys(
            whole["properties"][kind]["patternProperties"], either
        )
    _let_profiles_be_named(parts)
    for part in ("Pool", "Service"):
        model = parts[part]["properties"]["model"]
        model["pattern"] = f"({model['pattern']})|{_CONFIG}"
    over = {f"{name}Over": _partial(part, "Over") for name, part in parts.items()}
    over["FleetOver"]["properties"] = {
        "extends": {"type": "string", "description": "Fleet file, seen from this one, that this one is laid on."}
    } | over["FleetOver"]["properties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Meritorder fleet file",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/FleetOver"},
        "else": {"$ref": "#/$defs/Fleet"},
        "$defs": parts | over,
    }


def _let_profiles_be_named(parts: dict[str, Any]) -> None:
    """`measured` may also be a profile's file name, or begin with one under `base`."""
    file = {"type": "string", "description": "File that `merit calibrate` wrote, seen from this one."}
    on_base = _partial(parts["MeasuredCoefficients"], "")
    on_base["properties"] = {"base": file} | on_base["properties"]
    on_base["required"] = ["base"]
    parts["MeasuredCoefficientsOnBase"] = on_base
    parts["Pool"]["properties"]["measured"]["anyOf"] += [file, {"$ref": "#/$defs/MeasuredCoefficientsOnBase"}]


def _tidy(schema: Any) -> Any:
    """Bounds that pydantic leaves beside an `anyOf` under its own names, under those of JSON Schema."""
    if isinstance(schema, dict):
        return {_BOUNDS.get(key, key): _tidy(value) for key, value in schema.items()}
    return [_tidy(value) for value in schema] if isinstance(schema, list) else schema


def _partial(schema: Any, suffix: str) -> Any:
    """The same without required keys; references get `suffix`, and with one `null` removes an entry."""
    if isinstance(schema, list):
        return [_partial(value, suffix) for value in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {
        "anyOf" if key == "oneOf" else key: f"{value}{suffix}" if key == "$ref" else _partial(value, suffix)
        for key, value in schema.items()
        if key not in ("required", "minProperties", "default", "discriminator")
    }
    for key in ("properties", "patternProperties"):
        if suffix and isinstance(result.get(key), dict):
            result[key] = {name: {"anyOf": [value, {"type": "null"}]} for name, value in result[key].items()}
    return result
