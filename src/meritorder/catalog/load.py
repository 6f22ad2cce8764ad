"""The catalog: accelerators and models by name, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.engine import Engines, EngineTerm, WholeEngine
from meritorder.catalog.housing import Housing
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.operators import operators
from meritorder.catalog.ranges import span
from meritorder.units import FROM_FILE

_UNUSED = ("typical",)  # fields that no result leans on: a doubt about them is none about a result


@dataclass(frozen=True)
class Figure:
    """One figure of the catalog with its provenance.

    `value`, `low` and `high` are as written (`"3.35 TB/s"`); `low` and `high` are there where the truth is
    known as a range only. `confidence`: high, medium, low, or guess. `claim`: the vendor's word alone.
    """

    value: Any
    source: str
    date: str
    confidence: str
    claim: bool = False
    low: Any = None
    high: Any = None
    note: str = ""


@dataclass(frozen=True)
class Catalog:
    """Accelerators and models by name, and what was fitted about setups that others measured: name -> key -> value."""

    accelerators: dict[str, Accelerator]
    models: dict[str, ModelSpec]
    setups: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    engines: Engines = field(default_factory=Engines)


def catalog(fitted: Mapping[str, Any] | None = None) -> Catalog:
    """The catalog with its own coefficients, or with those of another fit (a mapping like `fitted.yaml`)."""
    if fitted is None:
        return Catalog(accelerators(), models(), _setups(catalog_file("fitted.yaml")), engines())
    terms = engines_of(fitted["engines"]) if "engines" in fitted else engines()
    measured = replace(terms, whole=_whole_engines(fitted))
    return Catalog({name: _accelerator(name, fitted) for name in _whole()}, models(), _setups(fitted), measured)


@cache
def accelerators() -> dict[str, Accelerator]:
    """All accelerators of the catalog by name."""
    fitted = catalog_file("fitted.yaml")
    return {name: _accelerator(name, fitted) for name in _whole()}


@cache
def engines() -> Engines:
    """What is known about inference engines."""
    return replace(engines_of(catalog_file("engines.yaml")), whole=_whole_engines(catalog_file("fitted.yaml")))


def engines_of(section: Mapping[str, Any]) -> Engines:
    """Engines as `engines.yaml` (or a fit) writes them."""
    terms = tuple(EngineTerm(when=term["when"], factors=term["factors"]) for term in section["terms"])
    return Engines(base=section["base"], terms=terms, versions=section["versions"])


def incomplete() -> dict[str, str]:
    """Announced machines that can't be simulated: name -> what nobody has published of them."""
    return {name: entry["missing"] for name, entry in accelerator_entries().items() if "missing" in entry}


def accelerator_entries() -> dict[str, dict[str, Any]]:
    """The entries of all accelerators as written: `title`, `vendor`, `family`, `status`, `figures` and so on."""
    entries: dict[str, dict[str, Any]] = catalog_file("accelerators.yaml")["accelerators"]
    return entries


@cache
def models() -> dict[str, ModelSpec]:
    """All models of the catalog by name."""
    entries = model_entries().items()
    return {name: ModelSpec.model_validate(entry["shape"], context=FROM_FILE) for name, entry in entries}


def figures(name: str, fitted: Mapping[str, Any] | None = None) -> dict[str, Figure]:
    """Every figure of accelerator `name` with its provenance, coefficients as `gpu.gemm_bandwidth` and so on.

    A coefficient is the machine's own, or that of the first of its `coefficients` that has it.
    """
    entry = accelerator_entries()[name]
    sources = catalog_file("accelerators.yaml")["sources"]
    found = {key: figure_of(value, sources) for key, value in entry["figures"].items()}
    fitted = catalog_file("fitted.yaml") if fitted is None else fitted
    for kin in entry.get("coefficients", ()):
        for key, value in fitted["accelerators"].get(kin, {}).items():
            found.setdefault(f"{entry['kind']}.{key}", figure_of(value, fitted["sources"]))
    return found


def model_entries() -> dict[str, dict[str, Any]]:
    """The entries of all models as written: `shape`, `from`, and `published` counts in billions where there are any."""
    entries: dict[str, dict[str, Any]] = catalog_file("models.yaml")["models"]
    return entries


def model_source(name: str) -> Figure:
    """Where the shape of model `name` comes from: one source for the whole entry."""
    data = catalog_file("models.yaml")
    return figure_of({**data["models"][name]["from"], "value": name}, data["sources"])


def _whole() -> list[str]:
    return [name for name, entry in accelerator_entries().items() if "missing" not in entry]


def _accelerator(name: str, fitted: Mapping[str, Any]) -> Accelerator:
    entry = accelerator_entries()[name]
    fields: dict[str, Any] = {key: entry[key] for key in ("kind", "title", "vendor", "coolant")}
    coefficients: dict[str, Any] = {}
    housing: dict[str, Any] = {}
    ranges: dict[str, Any] = {}
    guesses: list[str] = []
    notes = [f"{name}: {note}" for note in entry.get("notes", ())]
    for key, figure in figures(name, fitted).items():
        _, _, coefficient = key.partition(".")
        if coefficient:
            coefficients[coefficient] = figure.value
        elif key in Housing.model_fields:
            housing[key] = figure.value
            continue  # told with the halls that it matters for
        elif key in Accelerator.model_fields:
            fields[key] = figure.value
        else:
            continue  # told by `merit catalog`, not used by the cost models
        if figure.low is not None:
            ranges[key] = span(figure.low, figure.high)
        if key in _UNUSED:
            continue
        if figure.low is not None:
            doubt = f" ({figure.note})" if figure.note else ""
            notes.append(f"{name}: {key} {figure.value} may be {figure.low} to {figure.high}{doubt}")
        elif figure.confidence == "guess":
            guesses.append(coefficient or key)
    if guesses:
        notes.append(f"{name}: guesses without a range: {', '.join(guesses)}")
    fields["kernels"] = _kernels(name)
    fields["operators"] = operators(fields["kernels"], fitted.get("operators"))
    fields["housing"] = _housing(housing, entry["coolant"])
    found = {**fields, entry["kind"]: coefficients, "ranges": ranges, "notes": tuple(notes)}
    return Accelerator.model_validate(found, context=FROM_FILE)


def _housing(found: dict[str, Any], coolant: str) -> dict[str, Any] | None:
    """What a machine's entry says of racks; all heat of air-cooled machines goes to the air."""
    return ({} if coolant == "air" else {"air_share": 0.0}) | found if found else None


def _kernels(name: str) -> str:
    """Whose measured kernels a machine has: its own or its first kin's, but not another vendor's."""
    entries = accelerator_entries()
    kin: str = next(iter(entries[name].get("coefficients", ())), name)
    return kin if entries.get(kin, {}).get("vendor") == entries[name].get("vendor") and operators(kin) else ""


def _whole_engines(fitted: Mapping[str, Any]) -> tuple[WholeEngine, ...]:
    """Versions of engines that were fitted as a whole: section `engine_versions`, bare values."""
    return tuple(
        WholeEngine(
            when={key: tuple(values) for key, values in entry["when"].items()},
            figures={key: float(figure["value"]) for key, figure in entry["figures"].items()},
        )
        for entry in fitted.get("engine_versions", {}).values()
    )


def _setups(fitted: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Bare values of the section `setups`: properties of a test bench or a service, not of a machine."""
    found: Mapping[str, Mapping[str, Any]] = fitted.get("setups", {})
    return {name: {key: float(figure["value"]) for key, figure in entry.items()} for name, entry in found.items()}


def figure_of(entry: dict[str, Any], sources: dict[str, Any]) -> Figure:
    """A figure as the catalog's files write it, its source by its key in `sources`."""
    source = sources[entry["source"]]
    provenance = {"source": source["title"], "date": str(entry.get("date", source["date"]))}
    rest = {key: value for key, value in entry.items() if key not in ("source", "date")}
    return Figure(**{"claim": source.get("claim", False), **rest, **provenance})


@cache
def catalog_file(name: str) -> dict[str, Any]:
    """A file of the catalog's data, read once."""
    import yaml

    text = (resources.files("meritorder.catalog") / "data" / name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded
