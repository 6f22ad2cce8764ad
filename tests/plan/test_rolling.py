"""Going on from a state: the rest of a plan stays the rest of the plan, and what was ordered is not paid twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from test_tiny import check_axes
from tiny_fleet import tiny_fleet
from tiny_plan import tiny_instance

from meritorder.plan.horizon import of
from meritorder.plan.instance import Instance
from meritorder.plan.model import solve
from meritorder.plan.outcome import Plan
from meritorder.plan.outputs.orders import schedule
from meritorder.plan.rolling import continued, later_horizon, rest_of
from meritorder.plan.state import State, read_state, state_of, text_of
from meritorder.problems import InputError

GAP = 1e-4


@pytest.fixture(scope="module")
def first() -> tuple[Instance, Plan]:
    """A plan of three quarters in whole systems."""
    instance = tiny_instance(4)
    return instance, solve(instance, gap=GAP, threads=1, whole=np.ones(3, bool))


def state(first: tuple[Instance, Plan], as_of: str) -> State:
    """What the plan leaves, seen from a month."""
    fleet = tiny_fleet()
    assert fleet.plan is not None
    orders = schedule(fleet.plan, of(fleet.plan), first[0], first[1].builds)
    return state_of(fleet, as_of, orders, None)


@pytest.mark.parametrize(("as_of", "start"), [("2026-04", 1), ("2026-07", 2)])
def test_the_rest_stays_the_same(first: tuple[Instance, Plan], as_of: str, start: int) -> None:
    instance, plan = first
    asked = tiny_fleet().plan
    assert asked is not None
    rest = continued(asked, of(asked), instance, state(first, as_of), start)
    check_axes(rest)
    again = solve(rest, gap=GAP, threads=1, whole=np.ones(3, bool))
    # what the first plan had still to order then, and its operation from then on
    late = np.arange(3)[:, None] - start >= instance.stock.lead
    new = (plan.build.delivered.sum(axis=1) * instance.stock.usd * late)[start:].sum()
    blocks = (
        np.diff(plan.build.blocks - instance.ground.block_standing, axis=0, prepend=0.0) * instance.ground.block_usd
    )
    oslo = np.array([0, 0, 1])  # periods of lead of the blocks
    blocks = (blocks * (np.arange(3)[:, None] - start >= oslo))[start:].sum()
    expected = new + blocks + plan.costs.energy[start:].sum()
    assert again.costs.by_scenario[0] == pytest.approx(expected, rel=2 * GAP)
    assert np.allclose(again.build.systems.sum(), plan.build.systems[start:].sum(), rtol=0.02)


def test_arrivals_stand_and_are_not_bought_again(first: tuple[Instance, Plan]) -> None:
    instance = first[0]
    asked = tiny_fleet().plan
    assert asked is not None
    written = State.model_validate(
        {
            "as_of": "2026-04",
            "systems": [
                {
                    "offer": "rack",
                    "site": "oslo",
                    "systems": 3,
                    "option": 1,
                    "ordered": "2026-03",
                    "delivered": "2026-07",
                },
                {"offer": "node", "site": "oslo", "systems": 7, "ordered": "2026-04", "delivered": "2026-07"},
            ],
            "blocks": [{"site": "oslo", "block": "cold", "blocks": 1, "ordered": "2026-01", "delivered": "2026-07"}],
            "batteries": [{"site": "dallas", "energy": 3.6e9, "ordered": "2026-01", "delivered": "2026-04"}],
        }
    )
    rest = continued(asked, of(asked), instance, written, 1)
    assert rest.stock.standing[:, 1, 2].tolist() == [0, 3]
    assert not rest.stock.standing[:, :, 1].any()  # an intention of that month: planned anew
    assert rest.stock.supply[:, 2].tolist() == [0, 17]  # a lead of a quarter; three of the supply are taken
    assert rest.ground.block_standing.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert rest.ground.block_most[:, 2].tolist() == [0, 3]
    assert rest.ground.open_usd[:, 1].tolist() == [0, 0]
    assert rest.ground.battery_j.tolist() == [3.6e9, 0]
    assert rest.names.periods == ("2026-Q2", "2026-Q3")
    assert later_horizon(of(asked), 1).names == rest.names.periods


def test_budgets_are_less_what_was_ordered() -> None:
    asked = tiny_fleet().plan
    assert asked is not None
    instance = tiny_instance(4, policy={"budget_usd": np.full(3, 5e6), "year": np.array([0, 0, 1])})
    rows = [
        {"offer": "node", "site": "dallas", "systems": 4, "ordered": "2026-01", "delivered": "2026-01"},  # 1.2 MUSD
        {"offer": "rack", "site": "oslo", "systems": 1, "ordered": "2026-03", "delivered": "2026-07"},  # 3.8 MUSD
    ]
    rest = continued(asked, of(asked), instance, State.model_validate({"as_of": "2026-04", "systems": rows}), 1)
    assert rest.policy.budget_usd == pytest.approx([10e6 - 1.2e6, 5e6 - 3.8e6])
    free = continued(asked, of(asked), tiny_instance(4), State.model_validate({"as_of": "2026-04", "systems": rows}), 1)
    assert np.isinf(free.policy.budget_usd).all()


def test_machines_grow_old(first: tuple[Instance, Plan]) -> None:
    asked = tiny_fleet().plan
    assert asked is not None
    instance = tiny_instance(4, stock={"life": np.full(3, 2)})
    row = {"offer": "node", "site": "dallas", "systems": 5, "ordered": "2026-01", "delivered": "2026-01"}
    rest = continued(asked, of(asked), instance, State.model_validate({"as_of": "2026-04", "systems": [row]}), 1)
    assert rest.stock.standing[:, 0, 1].tolist() == [5, 0]


def test_the_file_comes_back(first: tuple[Instance, Plan], tmp_path: Path) -> None:
    fleet, written = tiny_fleet(), state(first, "2026-04")
    file = tmp_path / "state.yaml"
    file.write_text(text_of(written))
    assert read_state(file, fleet) == written
    tree = yaml.safe_load(file.read_text())
    assert tree["as_of"] == "2026-04"
    assert {row["offer"] for row in tree["systems"]} <= {"wafer", "node", "rack"}
    assert any(row.ordered >= "2026-04" for row in written.systems)
    assert all(row.ordered < "2026-04" for row in written.done.systems)


def test_batteries_come_back(tmp_path: Path) -> None:
    row = {"site": "oslo", "energy": 1.23456789e11, "ordered": "2026-01", "delivered": "2026-01"}
    written = State.model_validate({"as_of": "2026-04", "batteries": [row]})
    (tmp_path / "state.yaml").write_text(text_of(written))
    assert read_state(tmp_path / "state.yaml", tiny_fleet()).batteries[0].energy == pytest.approx(1.23456789e11)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("systems: []", "as_of: is missing"),
        (
            "as_of: 2026-04\nsystems: [{offer: nod, site: oslo, systems: 1, ordered: 2026-01, delivered: 2026-01}]",
            "node",
        ),
        (
            "as_of: 2026-04\nsystems: [{offer: node, site: osl, systems: 1, ordered: 2026-01, delivered: 2026-01}]",
            "oslo",
        ),
        (
            "as_of: 2026-04\nblocks: [{site: oslo, block: warm, blocks: 1, ordered: 2026-01, delivered: 2026-01}]",
            "blocks.0.block",
        ),
        (
            "as_of: 2026-04\nsystems: [{offer: node, site: oslo, systems: 1, ordered: 2026-03, delivered: 2026-01}]",
            ":2:",
        ),
        (
            "as_of: 2026-04\nsystems: [{offer: node, site: oslo, systems: 0, ordered: 2026-01, delivered: 2026-01}]",
            ":2:",
        ),
        ("as_of: 2026-04\nbatteries: [{site: oslo, energy: 5, ordered: 2026-01, delivered: 2026-01}]", "unit"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "state.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_state(file, tiny_fleet())
    assert said in str(caught.value)


def test_a_month_within_a_period_is_refused() -> None:
    asked = tiny_fleet().plan
    assert asked is not None
    assert rest_of(of(asked), State(as_of="2026-07"), "state.yaml") == 2
    with pytest.raises(InputError, match="2026-04"):
        rest_of(of(asked), State(as_of="2026-05"), "state.yaml")
