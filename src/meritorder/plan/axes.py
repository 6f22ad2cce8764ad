"""Axes of the arrays of an instance by their letters, and a part of an instance along them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from meritorder.plan.instance import Instance

Part = TypeVar("Part")

NAMES = {"periods": "T", "scenarios": "J"}
AXES: dict[str, dict[str, str]] = {
    "ways": {
        **dict.fromkeys(("cls", "site", "system", "rate", "joules", "api", "usd"), "F"),
        **dict.fromkeys(("decoder", "decoder_rate", "decoder_joules"), "F"),
        "factor": "TF",
    },
    "stock": {
        **dict.fromkeys(("supplier", "nameplate_w", "idle_w", "availability", "life", "lead", "lot"), "H"),
        **dict.fromkeys(("take_usd", "option_all"), "H"),
        **dict.fromkeys(("usd", "option_usd", "supply", "option", "take"), "TH"),
        **{"block": "SH", "standing": "TSH", "replica": "HM"},
    },
    "ground": {
        **dict.fromkeys(("block_site", "block_w", "block_step"), "B"),
        **dict.fromkeys(("block_most", "block_standing", "block_usd"), "TB"),
        **dict.fromkeys(("open_usd", "grid_w", "battery_usd_per_j"), "TS"),
        **dict.fromkeys(("ramp_w", "oversubscription", "battery_w", "battery_j", "battery_most_j"), "S"),
        **dict.fromkeys(("battery_hours", "battery_efficiency"), "S"),
        **{"cooled": "TRB", "pieces": "TRB", "usd_per_j": "TSR", "kg_per_j": "TSR"},
    },
    "demand": {
        **dict.fromkeys(("service", "model", "tokens", "unmet_usd", "shift_h", "firm"), "K"),
        **{"requests": "TKRJ", "clock": "R", "seconds": "TR", "probability": "J", "speed": "JH", "power_price": "J"},
        "late": "JH",
    },
    "policy": {
        "supplier_share": "TV",
        "carbon_kg": "T",
        "budget_usd": "T",
        "api_rate": "TA",
        "api_usd": "TA",
        "year": "T",
    },
    "money": {
        **dict.fromkeys(("system_cash", "option_cash"), "TH"),
        **{"block_cash": "TB", "upkeep_cash": "H", "rent_cash": "B", "open_cash": "S", "battery_cash": "S"},
    },
}


def select(instance: Instance, **chosen: npt.ArrayLike) -> Instance:
    """The instance at some indices of some axes: `select(instance, T=[3], J=[0, 2])`. Axes T, R and J only."""
    indices = {axis: np.asarray(index, np.int64) for axis, index in chosen.items()}
    parts: dict[str, Any] = {name: _part(getattr(instance, name), axes, indices) for name, axes in AXES.items()}
    names = {
        field: tuple(getattr(instance.names, field)[i] for i in indices[axis])
        for field, axis in NAMES.items()
        if axis in indices
    }
    periods = indices.get("T", np.arange(len(instance.names.periods)))
    return replace(
        instance,
        **parts,
        names=replace(instance.names, **names),
        years=instance.years[periods],
        discount=instance.discount[periods],
        decided=_taken(instance.decided, "TJ", indices),
        contracts=tuple(replace(contract, watts=contract.watts[periods]) for contract in instance.contracts),
        contingencies=tuple(replace(lost, periods=lost.periods[periods]) for lost in instance.contingencies),
    )


def _part(part: Part, axes: dict[str, str], indices: dict[str, npt.NDArray[np.int64]]) -> Part:
    changed = {
        field.name: _taken(getattr(part, field.name), axes[field.name], indices)
        for field in fields(part)  # type: ignore[arg-type]
        if field.name in axes and set(axes[field.name]) & set(indices) and getattr(part, field.name) is not None
    }
    return replace(part, **changed)  # type: ignore[type-var]


def _taken(array: Any, axes: str, indices: dict[str, npt.NDArray[np.int64]]) -> Any:
    for place, axis in enumerate(axes):
        if axis in indices:
            array = np.take(array, indices[axis], axis=place)
    return array
