"""Pydantic's errors as faults in plain words: what is wrong and what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from meritorder.fleet.document import Document, KeyPath
from meritorder.fleet.fault import Fault
from meritorder.problems import Problem, did_you_mean, said

Schema: TypeAlias = Mapping[str, Any]

_KINDS = {
    **{"int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number"},
    **{"float_type": "a number", "float_parsing": "a number", "finite_number": "a finite number"},
    **{"bool_type": "true or false", "bool_parsing": "true or false", "string_type": "text"},
    **{"dict_type": "a mapping", "model_type": "a mapping", "model_attributes_type": "a mapping"},
    **{"tuple_type": "a list", "list_type": "a list", "int_parsing_size": "a smaller number"},
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def in_words(error: ValidationError, document: Document, data: Any, model: type[BaseModel]) -> list[Problem]:
    """All that `model` found wrong in `data`, which came from `document`, each with its line."""
    faults = [_plain(detail, data, model) for detail in error.errors(include_url=False)]
    return [document.problem(fault.path, fault.what, fault.fix) for fault in faults]


def _plain(error: ErrorDetails, data: Any, model: type[BaseModel]) -> Fault:
    """The fault that `error` stands for, raised when `model` validated `data`."""
    kind, context = error["type"], error.get("ctx", {})
    path = _key_path(error, data)
    value = error["input"]
    if kind == "missing":
        described = _properties(model, path[:-1], data).get(str(path[-1]), {}).get("description", "")
        return Fault(path, "is missing", described[:1].lower() + described[1:].rstrip("."))
    if kind == "extra_forbidden":
        return Fault(path, "is not a known key", did_you_mean(str(path[-1]), _properties(model, path[:-1], data)))
    if kind == "quantity":
        return Fault(path, context["what"], context["fix"])
    if kind == "value_error":
        what, _, fix = str(context["error"]).partition("; ")
        return Fault(path, what, fix)
    if kind == "literal_error":
        options = [option.strip("'") for option in context["expected"].replace(" or ", ", ").split(", ")]
        return Fault(path, f"is {_shown(value)}", did_you_mean(str(value), [option for option in options if option]))
    if kind == "union_tag_invalid":
        known = [option.strip().strip("'") for option in context["expected_tags"].split(",")]
        return Fault((*path, "policy"), f"is {_shown(context['tag'])}", did_you_mean(str(context["tag"]), known))
    if kind == "union_tag_not_found":
        return Fault((*path, "policy"), "is missing", "name a policy, for example `policy: merit-order`")
    if kind in _KINDS:
        return Fault(path, f"is {_shown(value)}, not {_KINDS[kind]}", f"give {_KINDS[kind]}")
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return Fault(path, f"is {_shown(value)}", f"give {words} {_shown(context[bound])}")
    if kind == "string_pattern_mismatch":
        return _misspelled(path, value, context["pattern"])
    if kind == "too_short":
        return Fault(path, "is empty", "give at least one entry")
    return Fault(path, error["msg"].replace("Input should", "should").replace("String should", "should"))


def _misspelled(path: KeyPath, value: object, pattern: str) -> Fault:
    """A text that doesn't have the form of what it stands for."""
    if "env:" in pattern:  # it may be the secret itself: never shown
        return Fault(path, "is no place of a secret", "write env:NAME or file:PATH")
    if "https?:" in pattern:
        return Fault(path, f"{_shown(value)} is no address", "write it as http://10.0.0.1:8000")
    if "[0-9A-Fa-f:.]" in pattern:
        return Fault(path, f"{_shown(value)} is no address", "write HOST:PORT, for example 127.0.0.1:8000")
    if r"20\d\d" in pattern:
        return Fault(path, f"{_shown(value)} is no month", "write it as 2026-07")
    fix = "use letters, digits, spaces and _ . + / : -, up to 80, beginning with a letter or digit"
    return Fault(path, f"{_shown(value)} can't be a name", fix)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else said(value, most=60)


def _key_path(error: ErrorDetails, data: Any) -> KeyPath:
    """The path in the file: pydantic's own without the tags of unions and the like, which are in no file."""
    path: list[str | int] = []
    node = data
    for index, part in enumerate(error["loc"]):
        last = index == len(error["loc"]) - 1
        if _has(node, part):
            path.append(part)
            node = node[part]
        elif last and error["type"] == "missing":
            path.append(part)
    return tuple(path)


def _has(node: Any, part: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def _properties(model: type[BaseModel], path: KeyPath, data: Any) -> Schema:
    """The keys that may stand at `path`, with their JSON Schemas."""
    root = _json_schema(model)
    found = list(_at(root, root, path, data))
    return {name: schema for level in found for name, schema in level.get("properties", {}).items()}


def _at(schema: Schema, root: Schema, path: KeyPath, data: Any) -> Iterator[Schema]:
    """The object schemas that hold at `path` below `schema`, whose data is `data`."""
    if "$ref" in schema:
        yield from _at(root["$defs"][schema["$ref"].rpartition("/")[2]], root, path, data)
        return
    tags = schema.get("discriminator")
    if tags:
        tag = data.get(tags["propertyName"]) if isinstance(data, dict) else None
        if tag in tags["mapping"]:
            yield from _at({"$ref": tags["mapping"][tag]}, root, path, data)
        return
    for option in schema.get("anyOf", ()):
        yield from _at(option, root, path, data)
    if not path:
        yield schema
        return
    key, rest = path[0], path[1:]
    inside = data[key] if isinstance(data, dict) and key in data else None
    named = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    below = schema.get("properties", {}).get(key) or named[0]
    if isinstance(below, dict):
        yield from _at(below, root, rest, inside)


@cache
def _json_schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()
