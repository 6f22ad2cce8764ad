"""The hand-made instance is whole: every array has the axes that it should."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from tiny import tiny_instance

from meritorder.plan.instance import Instance

AXES = {
    "ways": dict.fromkeys(
        ("cls", "site", "system", "rate", "joules", "decoder", "decoder_rate", "decoder_joules", "api", "usd"), "F"
    ),
    "stock": {
        **dict.fromkeys(
            ("supplier", "nameplate_w", "idle_w", "availability", "life", "lead", "lot", "take_usd", "option_all"), "H"
        ),
        **dict.fromkeys(("usd", "option_usd", "supply", "option", "take"), "TH"),
        **{"block": "SH", "standing": "TSH", "replica": "HM"},
    },
    "ground": {
        **dict.fromkeys(("block_site", "block_w", "block_step"), "B"),
        **dict.fromkeys(("block_most", "block_standing", "block_usd"), "TB"),
        **dict.fromkeys(("open_usd", "grid_w", "battery_usd_per_j"), "TS"),
        **dict.fromkeys(("ramp_w", "oversubscription", "battery_w", "battery_j", "battery_most_j"), "S"),
        **dict.fromkeys(("battery_hours", "battery_efficiency"), "S"),
        **{"cooled": "TRB", "usd_per_j": "TSR", "kg_per_j": "TSR"},
    },
    "demand": {
        **dict.fromkeys(("service", "model", "tokens", "unmet_usd", "shift_h"), "K"),
        **{
            "requests": "TKRJ",
            "clock": "R",
            "seconds": "TR",
            "probability": "J",
            "speed": "JH",
            "power_price": "J",
            "late": "JH",
        },
    },
    "policy": {"supplier_share": "TV", "carbon_kg": "T", "budget_usd": "T", "api_rate": "TA", "api_usd": "TA"},
    "money": {
        "option_cash": "TH",
        "battery_cash": "S",
        "system_cash": "TH",
        "block_cash": "TB",
        "upkeep_cash": "H",
        "rent_cash": "B",
        "open_cash": "S",
    },
}


def check_axes(instance: Instance) -> None:
    """Every array has its axes, and none holds a NaN where none may be."""
    size = instance.shape
    for part, arrays in AXES.items():
        for name, axes in arrays.items():
            array = getattr(getattr(instance, part), name)
            assert array.shape == tuple(size[axis] for axis in axes), f"{part}.{name}"
            assert name == "clock" or not np.isnan(array).any(), f"{part}.{name}"
    pieces = instance.ground.pieces
    assert pieces.shape == (size["T"], size["R"], size["B"], pieces.shape[3], 2)
    assert instance.decided.shape == (size["T"], size["J"])
    assert len(instance.years) == len(instance.discount) == size["T"]
    known = {name for part in AXES for name in AXES[part]} | {"model_of", "pieces"}
    assert {field.name for part in AXES for field in fields(getattr(instance, part))} - known == {
        *("carbon_usd_per_kg", "aversion", "tail", "firm"),
    }


@pytest.mark.parametrize("hours", [1, 4, 25])
@pytest.mark.parametrize("scenarios", [1, 2, 3])
def test_whole(hours: int, scenarios: int) -> None:
    instance = tiny_instance(hours, scenarios)
    check_axes(instance)
    assert instance.demand.probability.sum() == pytest.approx(1.0)
    assert np.allclose(instance.demand.seconds.sum(axis=1), 0.25 * 365.25 * 86400)
    assert np.isnan(instance.demand.clock[-1])


def test_changes() -> None:
    instance = tiny_instance(4, ground={"ramp_w": np.array([1e6, 2e6])}, whole={"contracts": ()})
    assert instance.ground.ramp_w.tolist() == [1e6, 2e6]
