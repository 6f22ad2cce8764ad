"""The examples of `merit plan`: they load, say what they claim, and the small one is planned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meritorder.cli.main import run
from meritorder.fleet.load import load
from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import cases_of
from meritorder.plan.demand import demand_of

EXAMPLES = Path(__file__).parents[2] / "examples"
CASE = EXAMPLES / "750mw" / "750mw.yaml"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return load(CASE)


def test_the_case_is_the_missions(fleet: Fleet) -> None:
    """750 MW by the end of 2028, in twelve quarters, at five sites or more, in three scenarios."""
    assert fleet.plan is not None
    contract = fleet.plan.contracts["wafers"]
    steps = [contract.power[month] for month in sorted(contract.power)]
    assert max(contract.power) == "2028-10"
    assert steps[-1] == pytest.approx(750e6)
    assert steps == sorted(steps)
    assert fleet.plan.horizon.periods == 12
    assert len([site for site in fleet.plan.sites.values() if "wafers" in site.blocks]) >= 5
    assert len(fleet.plan.scenarios) == 3
    for name in ("cs-3", "cs-4", "gb300", "vera-rubin", "mi455x"):
        price = fleet.plan.offers[name].price
        assert price is not None, name
        assert price.low < price.best < price.high, name


def test_there_is_room_for_the_contract(fleet: Fleet) -> None:
    """The wafer halls of all sites together hold what is owed, and suppliers can deliver it."""
    assert fleet.plan is not None
    blocks = [site.blocks["wafers"] for site in fleet.plan.sites.values() if "wafers" in site.blocks]
    halls = sum(block.power * block.most for block in blocks)
    assert halls > 750e6


def test_targets_tell_the_machines_apart(fleet: Fleet) -> None:
    """Ultrafast services are asked of wafers, the small tier of GPUs."""
    by_service: dict[str, set[str]] = {}
    for case in cases_of(fleet):
        by_service.setdefault(case.service, set()).add(case.offer)
    assert by_service["spark"] == {"cs-3", "cs-4"}
    assert "cs-4" in by_service["ultrafast"]
    assert by_service["mini"] == {"gb300", "vera-rubin", "mi355x", "mi455x"}


def test_demand_grows_along_its_ceiling(fleet: Fleet) -> None:
    """The ultrafast tier grows by more than 30 times and slows down; scenarios part."""
    table = demand_of(fleet)
    spark = [index for index, (service, _) in enumerate(table.classes) if service == "spark"]
    total = table.requests[:, spark].sum(axis=(1, 2))  # [T,J]
    assert (total[-1] > 30 * total[0]).all()
    assert total[-1, 0] < total[-1, 1] < total[-1, 2]
    assert total[-1, 1] / total[-2, 1] < total[2, 1] / total[1, 1]


@pytest.mark.parametrize(("name", "measure"), [("facility", "facility"), ("cs-4-135kw", "it")])
def test_variants_change_one_thing(name: str, measure: str, fleet: Fleet) -> None:
    other = load(CASE.with_name(f"{name}.yaml"))
    assert other.plan is not None
    assert fleet.plan is not None
    assert other.plan.contracts["wafers"].measure == measure
    assert other.plan.demand == fleet.plan.demand
    assert other.plan.contracts["wafers"].power == fleet.plan.contracts["wafers"].power


@pytest.mark.slow
def test_the_closet_is_planned_and_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All is served; the closet's power and the API's budget are kept."""
    closet = EXAMPLES / "closet" / "closet.yaml"
    code = run(["plan", str(closet), "--no-studies", "--output", str(tmp_path / "plan"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0, told
