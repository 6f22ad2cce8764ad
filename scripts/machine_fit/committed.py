"""What the catalog holds as committed, with a new fit of some parts laid over it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from scripts.machine_fit.write import Fitted

FITTED = Path(__file__).parents[2] / "src/meritorder/catalog/data/fitted.yaml"


def laid_over(fitted: Fitted) -> dict[str, Any]:
    """The committed document with the coefficients of `fitted` in the place of its own."""
    document = whole(fitted).document()
    return {**document, "sources": {**_committed()["sources"], **document["sources"]}}


def whole(fitted: Fitted) -> Fitted:
    """All coefficients as committed, with those of `fitted` in the place of their own: to be written again."""
    held = Fitted.of(_committed())
    for mine, theirs in ((held.machines, fitted.machines), (held.setups, fitted.setups)):
        for name, figures in theirs.items():
            mine[name] = {**mine.get(name, {}), **figures}
    return Fitted(held.machines, held.setups, {**held.versions, **fitted.versions})


@cache
def _committed() -> dict[str, Any]:
    with FITTED.open(encoding="utf-8") as file:
        document: dict[str, Any] = yaml.safe_load(file)
    return document
