"""A load target as the grid's side sends it: a site, how much, for how long, and by when."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from meritorder.fleet.control import DemandResponse
from meritorder.problems import InputError, Problem
from meritorder.units import parse

_UNITS = {"duration": "s", "limit": "W", "reduce": "", "within": "s"}


def target_of(body: dict[str, Any]) -> DemandResponse:
    """The event that a JSON object without its `site` describes, beginning at 0. Raises InputError."""
    unknown = sorted(body.keys() - _UNITS.keys())
    if unknown:
        raise InputError(
            Problem(f"has unknown fields {', '.join(unknown)}", where="the body", fix="give " + ", ".join(_UNITS))
        )
    told = {key: _number(key, value) for key, value in body.items()}
    try:
        return DemandResponse(start=0.0, **told)
    except ValidationError as error:
        raise InputError(
            Problem(first["msg"].removeprefix("Value error, "), where="the body", key=".".join(map(str, first["loc"])))
            for first in error.errors()
        ) from None


def _number(key: str, value: Any) -> float:
    """In SI: a number, or a text with its unit."""
    unit = _UNITS[key]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(Problem("is not a quantity", where="the body", key=key, fix="give a number or a text"))
    try:
        return parse(f"{value} {unit}" if unit and not isinstance(value, str) else value, unit)
    except InputError as error:
        raise InputError(Problem(one.what, where="the body", key=key, fix=one.fix) for one in error.problems) from None
