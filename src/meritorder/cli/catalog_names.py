"""Names that a user gives to `merit catalog`, and what is said where the catalog has no such name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meritorder.problems import Problem


def not_there(name: str, kind: str, known: Iterable[str], where: str) -> Problem:
    """One wording for every sub-verb; `kind` says what is looked for ("model"), empty: anything."""
    from meritorder.problems import Problem, did_you_mean

    fix = did_you_mean(name, known)
    what = f'there is no {kind} "{name}" in the catalog'.replace("  ", " ")
    return Problem(what, where, fix=fix if fix.startswith("did") else f"see `merit catalog{_only(kind)}`")


def known_model(name: str) -> str | None:
    """The catalog's name of a model called so, whatever the case, or by its Hugging Face id."""
    from meritorder.catalog.load import models
    from meritorder.catalog.names import model_of
    from meritorder.problems import InputError

    if name.lower() in models():
        return name.lower()
    try:
        return model_of(name)
    except InputError:
        return None


def _only(kind: str) -> str:
    return f" --{kind}s" if kind else ""
