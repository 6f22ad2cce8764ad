"""Every model of the catalog, of whatever kind, compiles on a GPU machine and on a wafer."""

import math
from dataclasses import replace

import numpy as np
import pytest

from meritorder.catalog.load import catalog
from meritorder.perf.gpu import gpu_table
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement
from meritorder.perf.wafer import wafer_table

FOUND = catalog()


def placed(name: str, machine: str) -> Placement:
    model, chip = FOUND.models[name], FOUND.accelerators[machine]
    if chip.kind == "wafer":
        return Placement(chip, model, 1, min(40, model.layers), model.weights, "fp16", 16, 1024)
    return Placement(chip, model, math.gcd(model.heads, 8), 1, model.weights, "fp8", 32, 1024)


@pytest.mark.parametrize("name", FOUND.models)
def test_longer_contexts_and_fuller_batches_take_longer(name):
    for machine, compiled in (("b300", gpu_table), ("cs-3", wafer_table)):
        table = compiled(placed(name, machine))
        alone, long, full = table.seconds(1, 1000.0), table.seconds(1, 100_000.0), table.seconds(16, 16_000.0)
        assert 0 < alone < long
        assert alone <= full
        assert all(np.isfinite(part).all() for part in (table.step_s, table.prefill_s, table.decode_s, table.step_j))


@pytest.mark.parametrize("name", FOUND.models)
def test_eight_b300_hold_every_model(name):
    place = placed(name, "b300")
    held = memory(replace(place, pipeline=8 // place.tensor), 0.9, 16)
    assert held.missing == 0
    assert held.blocks * 16 > 10_000
