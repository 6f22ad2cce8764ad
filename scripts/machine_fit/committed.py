"""What the catalog holds as committed, with a new fit of some parts laid over it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from scripts.machine_fit.write import Fitted

FITTED = Path(__file__).parents[2] / "src/meritorder/catalog/data/fitted.yaml"


def laid_over(fitted: Fitted, without: Collection[str] = ()) -> dict[str, Any]:
    """The committed document with the coefficients of `fitted` in the place of its own; `without`: see `whole`."""
    document = whole(fitted, without).document()
    return {**document, "sources": {**_committed()["sources"], **document["sources"]}}


def whole(fitted: Fitted, without: Collection[str] = ()) -> Fitted:
    """All coefficients as committed, with those of `fitted` in the place of their own: to be written again.

    Of the committed ones, those from the sources `without` are dropped: what a refit in cross-validation doesn't find
    again must not stay as all rows have it.
    """
    held = Fitted.of(_committed())
    for section in (held.machines, held.setups):
        for figures in section.values():
            for name in [name for name, figure in figures.items() if figure["source"] in without]:
                del figures[name]
    for mine, theirs in ((held.machines, fitted.machines), (held.setups, fitted.setups)):
        for name, figures in theirs.items():
            mine[name] = {**mine.get(name, {}), **figures}
    return Fitted(held.machines, held.setups, {**held.versions, **fitted.versions})


@cache
def _committed() -> dict[str, Any]:
    with FITTED.open(encoding="utf-8") as file:
        document: dict[str, Any] = yaml.safe_load(file)
    return document
