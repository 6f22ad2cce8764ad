"""`Operator`: a fitted kernel of one machine: the coefficients of its equation, and a map of what that leaves over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Operator:
    """One kernel in one number format on one machine (equations: `meritorder.perf.operators`).

    `axes` are the knots of the map, in the units of the shapes, ascending; `values` its logarithmic corrections in
    thousandths, the last axis fastest. The knots' ends are the range of the measurements. `rows`, `median`, `mean`:
    how many measurements, and the absolute relative errors on shapes left out in cross-validation. `source`: the key of
    a source in the same file. `borrowed`: the machine whose measurements these are, if another.
    """

    coefficients: Mapping[str, float]
    axes: Mapping[str, tuple[float, ...]]
    values: tuple[int, ...]
    source: str
    rows: int
    median: float
    mean: float
    borrowed: str = ""

    @cached_property
    def map(self) -> npt.NDArray[np.float64]:
        """Natural logarithms of the corrections, one axis a dimension."""
        import numpy as np

        return (np.array(self.values) / 1e3).reshape([len(knots) for knots in self.axes.values()])


class Operators(dict[str, Operator]):
    """The fitted kernels of a machine by name: `gemm_fp8`, `decode_bf16` and so on; compared by identity."""

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def operators(machine: str, document: Mapping[str, Any] | None = None) -> Operators:
    """The kernels of `machine` as bundled, or as in another document of the same form."""
    if document is None:
        return _bundled(machine)
    found = document["machines"].get(machine, {})
    return Operators({name: _operator(entry) for name, entry in found.items()})


@cache
def _bundled(machine: str) -> Operators:
    return operators(machine, bundled())


@cache
def bundled() -> dict[str, Any]:
    """The file `operators.json`: sources by key, and machines by name."""
    path = resources.files("meritorder.catalog") / "data" / "operators.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _operator(entry: Mapping[str, Any]) -> Operator:
    axes = {name: tuple(knots) for name, knots in entry["axes"].items()}
    return Operator(**{**entry, "axes": axes, "values": tuple(map(int, entry["values"].split()))})
