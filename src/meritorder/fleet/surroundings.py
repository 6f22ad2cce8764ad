"""What comes to a site from outside, in the fleet file: weather, prices, carbon; hot days and dear hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from meritorder.catalog.climates import climates, grids
from meritorder.fleet.document import Document, KeyPath
from meritorder.fleet.part import Number, Part
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.units import Seconds


class Scenario(Part):
    """A change of weather, price or carbon for some time."""

    what: Literal["heat-wave", "price-spike", "dirty-grid"] = Field(description="What changes.")
    start: Seconds = Field(default=0.0, ge=0, description="From the trace's time 0.")
    duration: Seconds = Field(gt=0, description="How long.")
    add: Number = Field(
        default=0.0,
        ge=-60,
        le=60,
        description="Heat wave: kelvin on top of the dry bulb, coming and going over a quarter of it (6 h at most).",
    )
    times: Number = Field(default=1.0, ge=0, le=1000, description="Price spike, dirty grid: factor on price or carbon.")

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        wanted, other = ("add", "times") if self.what == "heat-wave" else ("times", "add")
        if other in self.model_fields_set:
            raise ValueError(f"has `{other}`, which does nothing to a {self.what}; give `{wanted}`")
        if wanted not in self.model_fields_set:
            raise ValueError(f"changes nothing; give `{wanted}`")
        return self


def is_file(named: str) -> bool:
    """Whether `weather`, `price` or `carbon` names a file, not an entry of the catalog."""
    return "/" in named or "\\" in named or bool(Path(named).suffix)


def with_series(document: Document) -> Document:
    """The document with the paths of hourly files as seen from the file that names them, and names that are known.

    Raises InputError where there is no such file or entry of the catalog.
    """
    sites = document.data.get("sites")
    problems: list[Problem] = []
    for name, site in sites.items() if isinstance(sites, dict) else ():
        for key in ("weather", "price", "carbon") if isinstance(site, dict) else ():
            if isinstance(site.get(key), str) and site[key]:
                problems += _resolve(document, site, ("sites", name, key))
    if problems:
        raise InputError([*document.problems, *problems])
    return document


def _resolve(document: Document, site: dict[str, Any], place: KeyPath) -> list[Problem]:
    key = str(place[-1])
    named = site[key]
    if is_file(named):
        path = Path(document.where(place).rpartition(":")[0]).parent / Path(named).expanduser()
        path = path.absolute()
        site[key] = str(path)
        if path.is_file():
            return []
        return [document.problem(place, f"there is no file {path}", "a path is seen from the file that names it")]
    known = climates() if key == "weather" else grids()
    if named in known:
        return []
    kind = "climate" if key == "weather" else "grid"
    fix = f"{did_you_mean(named, known)}; or name a file"
    return [document.problem(place, f'the catalog has no {kind} "{named}"', fix)]
