"""From a fleet file to a `Fleet`, or to every problem in the file with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from meritorder.catalog.load import accelerators as catalog_accelerators
from meritorder.catalog.load import models as catalog_models
from meritorder.fleet.configs import with_configs
from meritorder.fleet.crosscheck import cross_check
from meritorder.fleet.document import Document, read_document
from meritorder.fleet.extend import extend, read_file
from meritorder.fleet.plan.files import with_plan_files
from meritorder.fleet.plan.stands import stand_faults
from meritorder.fleet.profile import with_profiles
from meritorder.fleet.schema import Fleet
from meritorder.fleet.surroundings import with_series
from meritorder.fleet.wording import in_words
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.units import FROM_FILE


def load(path: str | Path) -> Fleet:
    """The fleet of a fleet file. Raises InputError with all its problems, each with file, line and key."""
    return load_with_lines(path)[0]


def load_with_lines(path: str | Path) -> tuple[Fleet, Document]:
    """`load`, and the document that knows on which line each key stands, for later messages about it."""
    path = Path(path)
    own = read_file(path)
    document = extend(own, path.parent, (path.resolve(),))
    return _resolve(document, path.stem), document


def loads(text: str, name: str = "fleet") -> Fleet:
    """The fleet of a fleet file's text; `name` stands for the file in messages, `extends` is seen from here."""
    return _resolve(extend(read_document(text, name), Path(), ()), Path(name).stem)


def _resolve(document: Document, name: str) -> Fleet:
    """Fill in what catalog and profiles know, check everything, keep the models and accelerators that are used."""
    document = with_plan_files(with_series(with_profiles(document)))
    models = {**catalog_models(), **with_configs(document)}
    data = {"name": name, **document.data}
    problems = list(document.problems)
    known: dict[str, Mapping[str, Any]] = {"models": models, "accelerators": catalog_accelerators()}
    for kind, catalog in known.items():
        written, unknown = _written_out(document, kind, catalog)
        problems += unknown
        if not isinstance(data.get(kind, {}), dict):
            continue  # pydantic will say that it isn't a mapping
        used = _used(data, kind)
        data[kind] = {**written, **{key: catalog[key] for key in used if key in catalog and key not in written}}
        known[kind] = {**catalog, **written}
    problems += [
        document.problem(fault.path, fault.what, fault.fix)
        for fault in cross_check(data, known["models"], known["accelerators"])
    ]
    try:
        fleet = Fleet.model_validate(data, context=FROM_FILE)
    except ValidationError as error:
        problems += in_words(error, document, data, Fleet)
    if not problems and fleet.plan is not None:
        limited = [name for name, site in fleet.sites.items() if site.facility and site.facility.grid is not None]
        faults = stand_faults(fleet.plan, fleet.accelerators, limited)
        problems += [document.problem(fault.path, fault.what, fault.fix) for fault in faults]
    if problems:
        raise InputError(sorted(dict.fromkeys(problems), key=_place))
    return _without_unused(fleet)


def _written_out(
    document: Document, kind: str, catalog: Mapping[str, BaseModel]
) -> tuple[dict[str, Any], list[Problem]]:
    """The entries of `models:` or `accelerators:`, those with `base: name` laid on that entry of the catalog."""
    entries = document.data.get(kind)
    result: dict[str, Any] = {}
    problems = []
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        result[key] = entry
        if isinstance(entry, dict) and "base" in entry:
            own = {field: value for field, value in entry.items() if field != "base"}
            base = entry["base"]
            if isinstance(base, str) and base in catalog:
                below = catalog[base].model_dump(mode="json")
                if isinstance(below.get("ranges"), dict):  # a figure that is given is no range any more
                    below["ranges"] = {name: span for name, span in below["ranges"].items() if not _given(own, name)}
                if "gpu" in own and "kernels" in below:
                    below["kernels"] = ""  # whoever writes coefficients out means them to hold
                result[key] = _laid_on(below, own)
            else:
                fix = did_you_mean(str(base), catalog)
                problems.append(document.problem((kind, key, "base"), f'"{base}" is not in the catalog', fix))
                del result[key]
    return result, problems


def _given(entry: Mapping[str, Any], name: str) -> bool:
    """Whether an entry gives the figure `name`, a key or `part.key`."""
    part, _, key = name.rpartition(".")
    inside = entry.get(part, {}) if part else entry
    return isinstance(inside, dict) and key in inside


def _laid_on(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        inside = result.get(key)
        result[key] = _laid_on(inside, value) if isinstance(inside, dict) and isinstance(value, dict) else value
    return result


def _used(data: Mapping[str, Any], kind: str) -> list[str]:
    """Names of models (or accelerators) that pools, services and offers use, in order of first use."""
    key = {"models": "model", "accelerators": "accelerator"}[kind]
    plan = data.get("plan")
    offers = _values(plan.get("offers")) if isinstance(plan, dict) else []
    parts = [*_values(data.get("pools")), *_values(data.get("services")), *offers]
    entries = [entry for entry in parts if isinstance(entry, dict)]
    return list(dict.fromkeys(entry[key] for entry in entries if isinstance(entry.get(key), str)))


def _values(part: object) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else []


def _without_unused(fleet: Fleet) -> Fleet:
    models = {pool.model for pool in fleet.pools.values()} | {service.model for service in fleet.services.values()}
    offers = fleet.plan.offers if fleet.plan is not None else {}
    machines = {pool.accelerator for pool in fleet.pools.values()} | {offer.accelerator for offer in offers.values()}
    return fleet.model_copy(
        update={
            "models": {name: model for name, model in fleet.models.items() if name in models},
            "accelerators": {name: machine for name, machine in fleet.accelerators.items() if name in machines},
        }
    )


def _place(problem: Problem) -> tuple[str, int]:
    """Order of problems: by file, then by line."""
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.where, 0)
