"""Tables of a pool at the power limits that a controller may set."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica
from meritorder.problems import InputError

FLEET = """
sites: {{here: {{usd_per_kwh: 0.08 USD/kWh, kg_per_kwh: 300 g/kWh}}}}
pools: {{all: {{site: here, accelerator: {machine}, model: llama-3.1-8b, replicas: 2, {more}}}}}
services: {{chat: {{model: llama-3.1-8b}}}}
"""


def replica(more: str, machine: str = "h100") -> Replica:
    return compile_replica(loads(FLEET.format(machine=machine, more=more)), "all")


def test_a_level_is_the_table_of_a_pool_with_that_limit() -> None:
    levels = replica("caps: [0.8, 0.5]").capped
    assert len(levels) == 2
    for part, (table, max_w) in zip((0.8, 0.5), levels, strict=True):
        alone = replica(f"power_cap: {700 * part:g} W")
        np.testing.assert_allclose(table.step_s, alone.table.step_s)
        np.testing.assert_allclose(table.prefill_j, alone.table.prefill_j)
        assert max_w == pytest.approx(alone.max_w)


def test_a_pool_without_levels_has_none() -> None:
    assert replica("caps: []").capped == ()


@pytest.mark.parametrize(
    ("more", "machine", "key"),
    [
        ("caps: [0.5, 0.8]", "h100", "pools.all.caps[1]"),
        ("power_cap: 400 W, caps: [0.8]", "h100", "pools.all.caps[0]"),
        ("caps: [0.8]", "cs-3", "pools.all.caps[0]"),
        ("caps: [0.21]", "h100", "pools.all.caps[0]"),
    ],
)
def test_levels_that_cannot_be_set_are_refused(more: str, machine: str, key: str) -> None:
    with pytest.raises(InputError) as error:
        replica(more, machine)
    assert [problem.key for problem in error.value.problems] == [key]
