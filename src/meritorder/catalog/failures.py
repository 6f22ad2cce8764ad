"""How often things break and how long repairs and reloads take, each figure with source, confidence and range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from meritorder.catalog.load import Figure, catalog_file, figure_of
from meritorder.units import parse

_UNITS = {"mtbf": "s", "mttr": "s", "window": "s", "engine_start": "s", "load_rate": "B/s"}


@dataclass(frozen=True)
class Failures:
    """One kind of thing that breaks. `values`: mtbf, mttr, window in seconds; shape, spread and factor bare numbers."""

    name: str
    title: str
    what: str  # kind of fault in the fleet file
    kind: str  # "gpu" or "wafer" where it holds for such machines only
    per_accelerator: bool  # `mtbf` is that of one accelerator; a machine of n fails n times as often
    figures: Mapping[str, Figure]
    values: Mapping[str, float]


@dataclass(frozen=True)
class Reload:
    """From "repaired" to "takes requests", of machines of one kind."""

    kind: str
    figures: Mapping[str, Figure]
    engine_start_s: float
    load_bytes_per_s: float  # of one accelerator


@cache
def failures() -> tuple[Failures, ...]:
    """All kinds, in the order of the catalog."""
    data = catalog_file("failures.yaml")
    return tuple(_failures(name, entry, data["sources"]) for name, entry in data["failures"].items())


def failures_of(what: str, kind: str) -> Failures:
    """What is known of faults `what` of machines of `kind` ("gpu" or "wafer"; "" where it does not matter)."""
    return next(one for one in failures() if one.what == what and one.kind in ("", kind or "gpu"))


@cache
def reload_of(kind: str) -> Reload:
    """How machines of `kind` ("gpu" or "wafer") come back."""
    data = catalog_file("failures.yaml")
    figures = {key: figure_of(entry, data["sources"]) for key, entry in data["reload"][kind].items()}
    values = {key: _si(key, one.value) for key, one in figures.items()}
    return Reload(kind, figures, values["engine_start"], values["load_rate"])


def _failures(name: str, entry: Mapping[str, Any], sources: dict[str, Any]) -> Failures:
    figures = {key: figure_of(value, sources) for key, value in entry["figures"].items()}
    return Failures(
        name=name,
        title=entry["title"],
        what=entry["what"],
        kind=entry.get("kind", ""),
        per_accelerator=entry.get("per") == "accelerator",
        figures=figures,
        values={key: _si(key, one.value) for key, one in figures.items()},
    )


def _si(key: str, value: float | str) -> float:
    return parse(value, _UNITS[key]) if key in _UNITS else float(value)
