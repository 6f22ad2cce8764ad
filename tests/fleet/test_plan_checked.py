"""Names, months and places under `plan` are checked, each with its line and what would be right."""

from __future__ import annotations

import json

import jsonschema
import pytest
from plan_text import PLAN, bent

from meritorder.fleet.document import read_document
from meritorder.fleet.file_schema import SHIPPED
from meritorder.fleet.load import loads
from meritorder.fleet.plan.stands import blocks_for, coolant_of, supplier_of
from meritorder.problems import InputError


def test_a_file_with_only_a_plan_has_all_that_it_names() -> None:
    fleet = loads(PLAN)
    assert not fleet.pools
    assert set(fleet.models) == {"llama-3.1-8b", "llama-3.1-70b"}
    assert set(fleet.accelerators) == {"h100", "cs-3"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "    code: {traffic",
            "    coder: {traffic",
            '11: plan.demand.coder: there is no service "coder"; did you mean',
        ),
        ("    code: {traffic", "    coder: {traffic", "6: services.code: has no demand in the plan; add `code` under"),
        (
            "regions: {us: 1}",
            "regions: {usa: 1}",
            'plan.demand.chat.regions.usa: there is no region "usa"; did you mean',
        ),
        ("demand: {code: 2}", "demand: {cod: 2}", 'plan.scenarios.fast.demand.cod: there is no service "cod"'),
        ("speed: {gpu: 0.9}", "speed: {cpu: 0.9}", 'plan.scenarios.fast.speed.cpu: there is no offer "cpu"'),
        ("late: {gpu:", "late: {default:", 'plan.scenarios.fast.late.default: there is no offer "default"'),
        ("accelerator: h100,", "accelerator: h1000,", 'plan.offers.gpu.accelerator: there is no accelerator "h1000"'),
        ("{llama-3.1-8b: {},", "{llama-3.1: {},", 'plan.offers.gpu.runs.llama-3.1: there is no model "llama-3.1"'),
        ("{llama-3.1-8b: {},", "{qwen3-32b: {},", 'plan.offers.gpu.runs.qwen3-32b: no service asks for "qwen3-32b"'),
        ("supply: 4}", "supply: 4, sites: [oslo]}", 'plan.offers.gpu.sites.0: there is no site to build on "oslo"'),
        (
            "supply: 4}",
            "supply: 4, standing: {oslo: 1}}",
            "plan.offers.gpu.standing.oslo: there is no site to build on",
        ),
        ("prefill: gpu", "prefill: gpus", 'plan.pairs.split.prefill: there is no offer "gpus"; did you mean "gpu"?'),
        (
            "[llama-3.1-70b]",
            "[llama-3.1-8b]",
            'plan.pairs.split.models.0: "llama-3.1-8b" doesn\'t run on wafer; add it',
        ),
        (
            "{model: llama-3.1-8b, s",
            "{model: gpt-oss-20b, s",
            'plan.apis.cloud.model: no service asks for "gpt-oss-20b"',
        ),
        ("    cloud:", "    gpu:", "plan.apis.gpu: is also one of the offers; give it another name"),
        ("    iowa: {blocks", "    ohio: {blocks", '24: plan.sites.ohio: there is no site "ohio"'),
        (
            "supplier: Cerebras",
            "supplier: Cerebra",
            'plan.contracts.due.supplier: nothing is offered by "Cerebra"; did you',
        ),
        ("supplier: Cerebras", "offers: [gpus]", 'plan.contracts.due.offers.0: there is no offer "gpus"'),
        (
            "{NVIDIA: 0.8}",
            "{Nvidia: 0.8}",
            'plan.policy.supplier_share.Nvidia: nothing is offered by "Nvidia"; did you',
        ),
        ("{chat: 0.5,", "{chats: 0.5,", 'plan.policy.survive.site.chats: there is no service "chats"'),
        ("when: last", "curtailment: {chat: 1}", "plan.policy.survive.curtailment: asks for what no site has"),
        (
            ", cold: {power: 1 MW, coolant: liquid-21c, most: 2}",
            "",
            "plan.offers.wafer: can stand nowhere: no site has a",
        ),
        (
            "{2026-01: 2, 2026-07: 6}",
            "{2026-07: 2, 2026-01: 6}",
            "supply.2026-01: stands behind 2026-07; write the months",
        ),
        ("{2026-07: 1 MW}", "{2028-07: 1 MW}", "power.2028-07: is 2028-07, after the horizon, which ends with 2027-12"),
        ("supply: 4}", "supply: 4, first: 2026-07, last: 2026-04}", "plan.offers.gpu.last: is 2026-04, before `first`"),
        (
            "supply: 4}",
            "supply: 4, last: 2025-04}",
            "plan.offers.gpu.last: is 2025-04, before the horizon, which begins",
        ),
        ("supply: 4}", "supply: 4, take: [{systems: 2, by: 2028-01}]}", "plan.offers.gpu.take.0.by: is 2028-01, after"),
        (
            "supply: 4}",
            "supply: 4, take: [{systems: 2, by: 2025-07}]}",
            "gpu.take.0.by: is 2025-07, before the horizon, which",
        ),
        (
            "{blocks: {row",
            "{curtailment: {depth: 0.5}, blocks: {row",
            "plan.sites.iowa.curtailment: takes a part of a limit",
        ),
        ("start: 2026-01", "start: 2026-13", '8: plan.horizon.start: "2026-13" is no month; write it as 2026-07'),
        ("periods: 8", "periods: 8, length: 5 months", "length` that doesn't divide a year; give 1, 2, 3, 6 or 12"),
        (
            "probability: 0.5, growth: low",
            "probability: 0.4, growth: low",
            "scenarios with a probability of 0.9 together",
        ),
        ("requests_per_s: 2}", "requests_per_s: 2, history: h.csv}", "has `requests_per_s` and `history`; give one of"),
        (", requests_per_s: 2}", "}", "plan.demand.code: has no demand; give one of `requests_per_s`, `history`"),
        (
            "requests_per_s: 2}",
            "requests_per_s: 2, growth: {ceiling: 1}}",
            "which no S-curve does; give a `ceiling` above",
        ),
        ("requests_per_s: 2}", "requests_per_s: 2, day: [1, 2]}", "has a `day` of 2 numbers; give 24, one above 0"),
        ("price: 280 kUSD, ", "", "plan.offers.gpu: needs one of `price` and `rent_per_month`"),
        (
            "price: 280 kUSD",
            "price: {low: 3 kUSD, best: 2 kUSD, high: 4 kUSD}",
            "price: has its values out of order; give",
        ),
        (
            "price: 280 kUSD",
            "price: 280",
            "plan.offers.gpu.price: is 280 without a unit; give the unit too, for example",
        ),
        (
            "coolant: liquid-21c,",
            "coolant: air,",
            "plan.sites.iowa: has two kinds of block for air, row and cold; give one",
        ),
        (
            "most: 4",
            "most: 4, standing: 5",
            "plan.sites.iowa.blocks.row: has 5 standing of 4 at most; give `most` with",
        ),
        ("supplier: Cerebras", "supplier: Cerebras, offers: [wafer]", "has `supplier` and `offers`; keep one of them"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(before: str, after: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        loads(bent((before, after)), "plan.yaml")
    told = [str(problem) for problem in refused.value.problems]
    assert any(words in line for line in told), told
    assert all(line.startswith("plan.yaml:") for line in told)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = bent(("accelerator: h100,", "accelerator: h1000,"), ("{us: 1}", "{usa: 1}"), ("periods: 8", "periods: 0"))
    with pytest.raises(InputError) as refused:
        loads(text)
    assert len(refused.value.problems) == 3


def test_offers_need_sites_to_stand_at() -> None:
    text = bent(("  sites:\n    iowa: {blocks: {row: {power: 1 MW, coolant: air, most: 4}", "  x: {a: {b: {c: 1}"))
    with pytest.raises(InputError, match=r"plan.sites: is missing; sites of the fleet that may be"):
        loads(text)


def test_a_service_that_nothing_serves_is_told() -> None:
    text = bent(("runs: {llama-3.1-8b: {}, llama-3.1-70b: {tensor: 4}}", "runs: {llama-3.1-8b: {}}"))
    text = text.replace("runs: {llama-3.1-70b: {}}", "runs: {llama-3.1-8b: {}}").replace(
        "[llama-3.1-70b]", "[llama-3.1-8b]"
    )
    with pytest.raises(InputError, match=r"services.code.model: no pool serves llama-3.1-70b"):
        loads(text)


def test_pools_that_a_planned_service_is_bound_to_must_be_there() -> None:
    with pytest.raises(InputError, match=r'services.code.pools.0: there is no pool "fast"'):
        loads(bent(("code: {model: llama-3.1-70b}", "code: {model: llama-3.1-70b, pools: [fast]}")))


def test_files_of_demand_are_seen_from_the_fleet_file() -> None:
    text = bent(("requests_per_s: 2}", "history: past/missing.csv}"))
    with pytest.raises(
        InputError, match=r"plan.demand.code.history: there is no file /.*/past/missing.csv; a path is seen"
    ):
        loads(text)


def test_where_machines_stand_and_whose_they_are() -> None:
    fleet = loads(bent(("supply: 4}", "supply: 4, supplier: Reseller, coolant: liquid-45c}"), ("NVIDIA", "Reseller")))
    assert fleet.plan is not None
    gpu, wafer = fleet.plan.offers["gpu"], fleet.plan.offers["wafer"]
    assert supplier_of(gpu, fleet.accelerators["h100"]) == "Reseller"
    assert supplier_of(wafer, fleet.accelerators["cs-3"]) == "Cerebras"
    assert coolant_of(gpu, fleet.accelerators["h100"]) == "liquid-45c"
    ground = fleet.plan.sites["iowa"]
    assert blocks_for(ground, "liquid-45c") == ("cold",), "there is no warmer block"
    assert blocks_for(ground, "liquid-21c") == ("cold",)
    assert blocks_for(ground, "air") == ("row",)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("supply: lots}", ['plan.offers.gpu.supply: is "lots", not a whole number; give a whole number']),
        ("supply: {jan: 4}}", ['plan.offers.gpu.supply.jan: "jan" is no month; write it as 2026-07']),
        ("supply: {2026-01: -4}}", ["plan.offers.gpu.supply.2026-01: is -4; give at least 0"]),
    ],
)
def test_of_a_figure_or_steps_what_was_written_is_told(after: str, told: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        loads(bent(("supply: 4}", after)), "f")
    assert [str(problem).partition(": ")[2] for problem in refused.value.problems] == told


@pytest.mark.parametrize(
    ("before", "after", "valid"),
    [
        ("price: 280 kUSD", "price: 280 kUSD", True),
        ("price: 280 kUSD", "price: {low: 1 kUSD, best: 2 kUSD, high: 3 kUSD}", True),
        ("price: 280 kUSD", "price: {low: 1 kUSD, high: 3 kUSD}", False),
        ("price: 280 kUSD", "price: 280 kW", False),
        ("supply: 4}", "supply: {2026-01: 4}}", True),
        ("requests_per_s: 2}", "requests_per_s: 2, growth: {per_year: 2, ceiling: {low: 2, best: 3, high: 9}}}", True),
        ("requests_per_s: 2}", "requests_per_s: 2, day: servegen-m-small}", True),
        ("periods: 8", "period: 8", False),
    ],
)
def test_editors_know_plans(before: str, after: str, valid: bool) -> None:
    schema = json.loads(SHIPPED.read_text(encoding="utf-8"))
    data = read_document(bent((before, after)), "f").data
    assert jsonschema.Draft202012Validator(schema).is_valid(data) is valid
