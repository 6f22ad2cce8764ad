"""What a pool's slow memory is: from the catalog, from the fleet file, or an error that says what is missing."""

from __future__ import annotations

import pytest

from meritorder.catalog.load import accelerators, models
from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError

FLEET = """
sites: {{lab: {{usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 300 g/kWh}}}}
pools:
  one: {{site: lab, accelerator: {machine}, model: llama-3.1-8b, replicas: 1, pipeline: 2, engine: {{spill: {spill}}}}}
services: {{all: {{model: llama-3.1-8b}}}}
"""


def fleet_of(machine: str, spill: str) -> str:
    return FLEET.format(machine=machine, spill=spill)


def test_a_wafer_has_the_node_beside_it() -> None:
    tier = compile_replica(loads(fleet_of("cs-3", "true")), "one").tier
    chip = accelerators()["cs-3"].wafer
    assert tier is not None
    assert (tier.capacity, tier.bandwidth) == (2 * chip.kv_node, 2 * chip.kv_node_link)
    assert tier.bytes_per_token == models()["llama-3.1-8b"].kv_bytes_per_token("fp16")
    # a conversation of 2.2 GB comes back in some 15 ms over one wafer's link
    assert 2.2e9 / (tier.bandwidth / 2) == pytest.approx(15e-3, rel=0.03)


def test_what_is_written_holds() -> None:
    replica = compile_replica(loads(fleet_of("h100", "{capacity: 1 TB, bandwidth: 50 GB/s, latency: 1 ms}")), "one")
    assert replica.tier is not None
    assert (replica.tier.capacity, replica.tier.bandwidth, replica.tier.latency) == (1e12, 50e9, 1e-3)
    assert replica.tier.units(16) == int(1e12 / replica.kv_bytes_per_token / 16)


@pytest.mark.parametrize("spill", ["false", "null"])
def test_without_it_there_is_none(spill: str) -> None:
    assert compile_replica(loads(fleet_of("cs-3", spill)), "one").tier is None


@pytest.mark.parametrize(
    ("spill", "missing"), [("true", "no capacity and no bandwidth"), ("{capacity: 1 TB}", "no bandwidth")]
)
def test_what_nobody_knows_must_be_given(spill: str, missing: str) -> None:
    with pytest.raises(InputError) as error:
        compile_replica(loads(fleet_of("h100", spill)), "one")
    (problem,) = error.value.problems
    assert problem.key == "pools.one.engine.spill"
    assert missing in problem.what


@pytest.mark.parametrize(
    ("spill", "said"),
    [("3", "is no switch"), ("{capacity: 5}", "without a unit"), ("true, prefix_caching: false", "nothing to move")],
)
def test_what_is_wrong_is_said_with_its_line(spill: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        loads(fleet_of("cs-3", spill))
    (problem,) = error.value.problems
    assert problem.where == "fleet:4"
    assert said in problem.what
