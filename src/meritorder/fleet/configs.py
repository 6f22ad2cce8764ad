"""`model: ./config.json`: models of pools and services from Hugging Face files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meritorder.catalog.huggingface import read_config
from meritorder.catalog.model import ModelSpec
from meritorder.fleet.document import Document, KeyPath
from meritorder.problems import InputError, Problem

_LONGEST = 80  # characters of a name


def with_configs(document: Document) -> dict[str, ModelSpec]:
    """The models of all files that `model` (or `base`) names; the document names them without `./` from here on.

    A path is seen from the file in which it is named. Raises InputError with what is wrong in one.
    """
    found: dict[Path, tuple[str, ModelSpec]] = {}
    written = document.data.get("models")
    for entry, key, place in _uses(document.data):
        named = entry.get(key)
        if (
            not isinstance(named, str)
            or not named.endswith(".json")
            or (isinstance(written, dict) and named in written)
        ):
            continue
        path = Path(document.where(place).rpartition(":")[0]).parent / named
        if path not in found:
            try:
                model = read_config(path)
            except InputError as error:
                at = document.where(place)
                told = [Problem(p.what, p.where, p.key or f"named by {at}", p.fix) for p in error.problems]
                raise InputError([*document.problems, *told]) from None
            found[path] = (_name(named, [name for name, _ in found.values()]), model)
        entry[key] = found[path][0]
    return dict(found.values())


def _uses(data: dict[str, Any]) -> list[tuple[dict[str, Any], str, KeyPath]]:
    """Where a model may be named: the mapping, its key, and the place in the file."""
    return [
        (entry, key, (part, name, key))
        for part, key in (("pools", "model"), ("services", "model"), ("models", "base"))
        for name, entry in (data[part].items() if isinstance(data.get(part), dict) else ())
        if isinstance(entry, dict)
    ]


def _name(path: str, taken: list[str]) -> str:
    """The path as a name: without what leads to it, and told apart from others."""
    name = path.replace("\\", "/")
    while name.startswith(("./", "../", "/")):
        name = name.partition("/")[2]
    name = name[-_LONGEST:].lstrip("./-")
    return name if name not in taken else _name(f"{len(taken) + 1}/{name}", taken)
