"""The hand-made instance is whole: every array has the axes that it should."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from tiny_plan import tiny_instance

from meritorder.plan.axes import AXES
from meritorder.plan.instance import Instance


def check_axes(instance: Instance) -> None:
    """Every array has its axes, and none holds a NaN where none may be."""
    size = instance.shape
    for part, arrays in AXES.items():
        for name, axes in arrays.items():
            array = getattr(getattr(instance, part), name)
            if array is None:
                continue
            assert array.shape[: len(axes)] == tuple(size[axis] for axis in axes), f"{part}.{name}"
            assert name == "clock" or not np.isnan(array).any(), f"{part}.{name}"
    pieces = instance.ground.pieces
    assert pieces.shape == (size["T"], size["R"], size["B"], pieces.shape[3], 2)
    assert instance.decided.shape == (size["T"], size["J"])
    assert len(instance.years) == len(instance.discount) == size["T"]
    known = {name for part in AXES for name in AXES[part]} | {"model_of", "pieces"}
    assert {field.name for part in AXES for field in fields(getattr(instance, part))} - known == {
        *("carbon_usd_per_kg", "aversion", "tail"),
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
