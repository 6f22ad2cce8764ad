"""Fleet files: what they resolve to, and every kind of mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from meritorder.catalog.load import accelerators, models
from meritorder.fleet.dispatch import MeritOrder, RoundRobin
from meritorder.fleet.load import load, loads
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError

EXAMPLES = Path(__file__).parents[2] / "examples"


def complaints(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        loads(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_small_fleet_resolves(small: str) -> None:
    fleet = loads(small, "tiny.yaml")
    pool, service = fleet.pools["fast"], fleet.services["chat"]
    assert fleet.name == "tiny"
    assert fleet.accelerators == {"h100": accelerators()["h100"]}
    assert fleet.models == {"llama-3.1-8b": models()["llama-3.1-8b"]}
    assert pool.weights == models()["llama-3.1-8b"].weights
    assert (pool.replicas, pool.tensor, pool.engine.max_sequences) == (2, 1, 256)
    assert (service.slo.ttft, service.slo.token_rate) == (1.0, 30.0)
    assert fleet.sites["north"].rtt == {"default": 0.02}
    assert fleet.sites["north"].kg_per_kwh == 0.05
    assert fleet.dispatch == MeritOrder()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_examples_load(name: str) -> None:
    assert load(EXAMPLES / name).pools


def test_round_robin_example_is_the_mixed_fleet_with_another_policy() -> None:
    mixed, other = load(EXAMPLES / "mixed.yaml"), load(EXAMPLES / "mixed-round-robin.yaml")
    assert other.dispatch == RoundRobin()
    assert other.model_copy(update={"dispatch": mixed.dispatch}) == mixed


def test_a_machine_and_a_model_written_out(small: str) -> None:
    text = small.replace("accelerator: h100", "accelerator: mine").replace("llama-3.1-8b", "own")
    text += "accelerators: {mine: {base: h100, memory: 96 GB, gpu: {host: 1 ms}}}\n"
    text += "models: {own: {base: llama-3.1-8b, layers: 16}, spare: {base: qwen3-32b}}\n"
    fleet = loads(text)
    mine, h100 = fleet.accelerators["mine"], accelerators()["h100"]
    assert (mine.memory, mine.bandwidth) == (96e9, h100.bandwidth)
    assert mine.gpu == h100.gpu.model_copy(update={"host": 0.001})
    assert list(fleet.accelerators) == ["mine"]
    assert list(fleet.models) == ["own"], "models that nobody uses are left out"
    assert fleet.models["own"].layers == 16


def test_order_of_the_file_is_the_order_of_the_fleet(small: str) -> None:
    text = small.replace("pools:\n", "pools:\n  zebra: &z {site: north, accelerator: a100, model: own, replicas: 1}\n")
    fleet = loads(text.replace("services:\n", "  ant: *z\nservices:\n") + "models: {own: {base: qwen3-32b}}\n")
    assert list(fleet.pools) == ["zebra", "fast", "ant"]


def test_json_of_a_fleet_is_a_fleet_file(small: str) -> None:
    for fleet in (loads(small), load(EXAMPLES / "mixed.yaml"), load(EXAMPLES / "laptop.yaml")):
        assert loads(fleet.model_dump_json(exclude_none=True)) == fleet


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("replicas: 2", "replica: 2", 'f.yaml:11: pools.fast.replica: is not a known key; did you mean "replicas"?'),
        ("replicas: 2", "tensor: 2", "f.yaml:7: pools.fast.replicas: is missing; how many replicas"),
        ("replicas: 2", "replicas: 0", "f.yaml:11: pools.fast.replicas: is 0; give at least 1"),
        ("replicas: 2", "replicas: two", 'f.yaml:11: pools.fast.replicas: is "two", not a whole number'),
        ("replicas: 2", "replicas: true", "f.yaml:11: pools.fast.replicas: is true, not a whole number"),
        ("replicas: 2", "replicas: 2.5", "f.yaml:11: pools.fast.replicas: is 2.5, not a whole number"),
        ("replicas: 2", "replicas: '2'", 'f.yaml:11: pools.fast.replicas: is "2", not a whole number'),
        ("replicas: 2", "replicas: 9999999", "f.yaml:11: pools.fast.replicas: is 9999999; give at most 1000000"),
        ("site: north", "site: nroth", 'f.yaml:8: pools.fast.site: there is no site "nroth"; did you mean "north"?'),
        ("h100", "h10", 'f.yaml:9: pools.fast.accelerator: there is no accelerator "h10"; did you mean "h100"?'),
        ("    accelerator: h100\n", "", "f.yaml:7: pools.fast: has no machine; give `accelerator: h100`"),
        (
            "replicas: 2",
            "replicas: 2\n    measured: {host_s: 1, idle_w: 1, busy_w: 2, kv_tokens: 10, usd_per_hour: 1}",
            "f.yaml:7: pools.fast: has both `accelerator` and `measured`; keep one of them",
        ),
        (
            "accelerator: h100",
            "measured: {host_s: 1, idle_w: 3, busy_w: 2, kv_tokens: 10, usd_per_hour: 1}",
            "f.yaml:9: pools.fast.measured: busy_w 2 is less than idle_w 3; give busy_w of idle_w or more",
        ),
        (
            "replicas: 2",
            "replicas: 2\n    weights: fp61",
            'f.yaml:12: pools.fast.weights: is "fp61"; did you mean "fp16"?',
        ),
        (
            "replicas: 2",
            "replicas: 2\n    engine: {token_budget: 8, max_sequences: 16}",
            "f.yaml:12: pools.fast.engine: token_budget 8 is less than max_sequences 16",
        ),
        ("replicas: 2", "replicas: 2\n    engine: [1]", "f.yaml:12: pools.fast.engine: is a list, not a mapping"),
        ("0.05", "2 USD", 'f.yaml:3: sites.north.usd_per_kwh: has the unit "USD", which is not one for USD/kWh'),
        ("50 g/kWh", "380", "f.yaml:4: sites.north.kg_per_kwh: is 380; give at most 5"),
        ("20 ms", "20", "f.yaml:5: sites.north.rtt.default: is 20 without a unit; give the unit too"),
        (
            "    usd_per_kwh: 0.05",
            "    pue: 0.9\n    usd_per_kwh: .nan",
            "f.yaml:3: sites.north.pue: is 0.9; give at least 1",
        ),
        ("    usd_per_kwh: 0.05", "    usd_per_kwh: .nan", "f.yaml:3: sites.north.usd_per_kwh: is nan, not a quantity"),
        ("1 s", "0 s", 'f.yaml:15: services.chat.slo.ttft: is "0 s"; give more than 0'),
        ("30 tok/s", "30", "f.yaml:15: services.chat.slo.token_rate: is 30 without a unit"),
        ("30 tok/s}", "30 tok/s, percentile: 95}", "f.yaml:15: services.chat.slo.percentile: is 95; give at most 1"),
        ("  chat:", "  'bad\\name':", 'f.yaml:13: services.bad\\name: "bad\\name" can\'t be a name; use letters'),
        ("services:", "gateway: {listen: 'a:65536'}\nservices:", 'f.yaml:12: gateway.listen: "a:65536" is no address'),
        (
            "services:",
            "gateway: {record_salt: x}\nservices:",
            "f.yaml:12: gateway.record_salt: is no place of a secret",
        ),
        (
            "replicas: 2",
            "replicas: 2\n    endpoint: {urls: [10.0.0.1, 10.0.0.2]}",
            'f.yaml:12: pools.fast.endpoint.urls.0: "10.0.0.1" is no address; write it as http://10.0.0.1:8000',
        ),
        ("services:", "services: {}\nxservices:", "f.yaml:12: services: is empty; give at least one entry"),
        ("sites:", "sites: 3\nother:", "f.yaml:1: sites: is 3, not a mapping; give a mapping"),
        (
            "    slo:",
            "    pools: [slow]\n    slo:",
            'f.yaml:15: services.chat.pools.0: there is no pool "slow"; known: fast',
        ),
        ("    slo:", "    pools: []\n    slo:", "f.yaml:15: services.chat.pools: is empty; give at least one entry"),
        ("services:", "dispatch: {policy: fair}\nservices:", 'f.yaml:12: dispatch.policy: is "fair"; known: latency-'),
        ("services:", "dispatch: {margin: 1}\nservices:", "f.yaml:12: dispatch.policy: is missing; name a policy"),
        (
            "services:",
            "dispatch: {policy: round-robin, margin: 1}\nservices:",
            "f.yaml:12: dispatch.margin: is not a known key; known: policy",
        ),
        (
            "services:",
            "dispatch:\n  policy: merit-order\n  margn: 1\nservices:",
            'f.yaml:14: dispatch.margn: is not a known key; did you mean "margin"?',
        ),
        ("services:", "accelerators: {x: {base: h101}}\nservices:", 'f.yaml:12: accelerators.x.base: "h101" is not in'),
        ("services:", "models: [a]\nservices:", "f.yaml:12: models: is a list, not a mapping; give a mapping"),
        ("services:", "site: {}\nservices:", 'f.yaml:12: site: is not a known key; did you mean "sites"?'),
    ],
)
def test_a_mistake_is_told_with_its_line(small: str, old: str, new: str, complaint: str) -> None:
    assert old in small
    told = complaints(small.replace(old, new, 1))
    assert any(line.startswith(complaint) for line in told), told


@pytest.mark.parametrize(
    ("services", "complaint"),
    [
        ("a: {S, share: 0.7}\n  b: {S, share: 0.4}", "f.yaml:12: services: have shares of 1.1 together (0.7 + 0.4)"),
        ("a: {S, share: 0}\n  b: {S, share: 0}", "f.yaml:12: services: have shares of 0 together"),
        ("a: {S, share: 0.7}\n  b: {S, match: x}", "f.yaml:12: services: take requests in two ways: a by `share`"),
        ("a: {S, match: x}\n  b: {S, match: x}", 'f.yaml:14: services.b.match: "x" is already that of a'),
        ("a: {S, share: 0.7, match: x}", "f.yaml:13: services.a: has both `share` and `match`; keep one of them"),
        ("a: {model: qwen3-32b}", "f.yaml:13: services.a.model: no pool serves qwen3-32b; add a pool with"),
        ("a: {model: qwen3-32b, pools: [fast]}", 'f.yaml:13: services.a.pools.0: pool "fast" serves llama-3.1-8b, not'),
        ("a: {model: qwen-32}", 'f.yaml:13: services.a.model: there is no model "qwen-32"; did you mean "qwen3-32b"?'),
    ],
)
def test_services_must_add_up(small: str, services: str, complaint: str) -> None:
    head = small[: small.index("  chat:")]
    told = complaints(head + "  " + services.replace("S", "model: llama-3.1-8b") + "\n")
    assert any(line.startswith(complaint) for line in told), told


def test_shares_that_sum_to_one_in_floats_are_fine(small: str) -> None:
    head = small[: small.index("  chat:")]
    services = "".join(f"  s{i}: {{model: llama-3.1-8b, share: 0.1}}\n" for i in range(10))
    assert len(loads(head + services).services) == 10


def test_all_problems_at_once_in_order_of_lines(small: str) -> None:
    text = small.replace("h100", "h10").replace("0.05", "x").replace("replicas: 2", "replicas: 0").replace("1 s", "1")
    with pytest.raises(InputError) as caught:
        loads(text, "f.yaml")
    assert [problem.where for problem in caught.value.problems] == ["f.yaml:3", "f.yaml:9", "f.yaml:11", "f.yaml:15"]


def test_weights_are_filled_in_also_without_a_file(small: str) -> None:
    fleet = loads(small)
    pool = fleet.pools["fast"].model_copy(update={"weights": ""})
    again = Fleet(**{**{key: getattr(fleet, key) for key in Fleet.model_fields}, "pools": {"fast": pool}})
    assert again.pools["fast"].weights == fleet.models[pool.model].weights
