"""From a fleet file to arrays: what can stand where, what comes when, what it costs, what must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_plan import made_up, small_fleet, small_instance
from test_tiny import check_axes

from meritorder.plan.assemble import assemble, expected_pools, pools_of
from meritorder.plan.demand import demand_of
from meritorder.plan.horizon import of
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build, Costs, Operation, Plan
from meritorder.plan.sites import site_hours
from meritorder.problems import InputError

WAFER, NODE, RACK = range(3)
SOUTH, NORTH = range(2)
AIR, COLD, WARM, FAR = range(4)  # blocks
EAST, WEST, BATCH = range(3)  # classes
LENGTHS = {"1 month": 1, "2 months": 2, "1 quarter": 3, "6 months": 6, "1 year": 12}


@pytest.fixture(scope="module")
def instance() -> Instance:
    return small_instance()


def offers(**changes: Any) -> Any:
    """Keys of offers by their name."""

    def change(data: dict[str, Any]) -> None:
        for name, keys in changes.items():
            data["plan"]["offers"][name] |= keys

    return change


def test_everything_is_there(instance: Instance) -> None:
    check_axes(instance)
    assert instance.names.blocks == ("south/air", "south/cold", "south/warm", "north/cold")
    assert instance.names.classes == ("chat@east", "chat@west", "batch")
    assert instance.names.suppliers == ("Cerebras", "NVIDIA")
    assert instance.demand.shift_h.tolist() == [0.0, 0.0, 6.0]
    tokens = instance.demand.tokens[BATCH]
    assert instance.demand.unmet_usd.tolist() == [np.inf, np.inf, pytest.approx(20e-6 * tokens)]
    assert instance.demand.seconds.sum(axis=1) == pytest.approx(0.25 * 365 * 86400)
    assert (instance.decided == 0).all()


class TestWays:
    """Who can serve whom, from where."""

    def test_machines_stand_in_blocks_of_their_coolant(self, instance: Instance) -> None:
        """A 45 C rack stands in 21 C blocks where there are no others; air-cooled nodes nowhere but in air."""
        assert instance.stock.block.tolist() == [[COLD, AIR, WARM], [FAR, -1, FAR]]

    def test_round_trips_and_machines_decide_what_is_a_way(self, instance: Instance) -> None:
        """From the north the east is 120 ms away, too far for chat; batch has no target to first token."""
        ways = instance.ways
        found = set(zip(ways.cls.tolist(), ways.site.tolist(), ways.system.tolist(), strict=True))
        near = {(k, SOUTH, h) for k in (EAST, WEST) for h in (WAFER, NODE)}
        assert found == near | {(WEST, NORTH, WAFER), (BATCH, SOUTH, NODE), (BATCH, SOUTH, RACK), (BATCH, NORTH, RACK)}

    def test_rates_are_of_systems_and_grow_with_the_pool(self) -> None:
        fleet = small_fleet()
        horizon, demand = of(fleet.plan), demand_of(fleet)
        sites, capacities = site_hours(fleet, horizon), made_up(fleet)
        pools = np.ones((2, 3, 2))
        alone = assemble(fleet, horizon, demand, capacities, sites, pools).ways
        assert alone.rate[alone.system == RACK] == pytest.approx(10.0 * 72 / 8)  # nine replicas in a rack
        pools[SOUTH, RACK, 1] = 256
        together = assemble(fleet, horizon, demand, capacities, sites, pools).ways
        pools[:] = 0.0
        expected = assemble(fleet, horizon, demand, capacities, sites).ways
        assert assemble(fleet, horizon, demand, capacities, sites, pools).ways.rate == pytest.approx(expected.rate)
        grown = together.rate / alone.rate
        assert grown == pytest.approx(np.where((alone.system == RACK) & (alone.site == SOUTH), 2.0, 1.0))

    def test_full_systems_draw_no_more_than_their_nameplate(self) -> None:
        """A rack carries 90 to 180 requests/s, so that it can draw at most 600 to 1,300 J of each above idle power."""
        fleet = small_fleet()
        horizon, demand, sites = of(fleet.plan), demand_of(fleet), site_hours(fleet, of(fleet.plan))
        for joules in (10.0, 5000.0):
            instance = assemble(fleet, horizon, demand, made_up(fleet, joules=joules), sites)
            ways, stock = instance.ways, instance.stock
            most = (stock.nameplate_w - stock.idle_w)[ways.system] / ways.rate
            assert ways.joules == pytest.approx(np.minimum(joules, most))
            assert (ways.joules < joules).any() == (joules > 1000.0)

    def test_egress_is_paid_by_the_request(self) -> None:
        def dear(data: dict[str, Any]) -> None:
            data["sites"]["north"]["egress"] = {"usd_per_gb": 0.1}

        instance = small_instance(dear)
        expected = np.where(instance.ways.site == NORTH, 0.1 * 200e-9 * instance.demand.tokens[instance.ways.cls], 0.0)
        assert instance.ways.usd == pytest.approx(expected)

    def test_apis_serve_services_whose_level_they_keep(self) -> None:
        def called(data: dict[str, Any]) -> None:
            common = {"supplier": "a cloud", "usd_per_mtok_prompt": 0.1, "usd_per_mtok_output": 0.5}
            fast = {"model": "llama-3.1-8b", "ttft": "400 ms", "token_rate": "50 tok/s"}
            data["plan"]["apis"] = {
                "fast": common | fast | {"most_usd_per_month": "1 kUSD"},
                "late": common | fast | {"ttft": "600 ms"},
                "slow": common | fast | {"token_rate": "20 tok/s", "most_requests_per_s": 7},
                "large": common | fast | {"model": "llama-3.1-70b", "ttft": "9 s"},
            }

        instance = small_instance(called)
        ways, demand = instance.ways, demand_of(small_fleet(called))
        mine = ways.api >= 0
        assert list(zip(ways.api[mine], ways.cls[mine], strict=True)) == [(0, EAST), (0, WEST), (3, BATCH)]
        assert (ways.site[mine] == -1).all()
        assert ways.usd[mine][0] == pytest.approx(1e-7 * demand.prompt_tokens[0] + 5e-7 * demand.output_tokens[0])
        assert instance.policy.api_usd[0].tolist() == [3000.0, np.inf, np.inf, np.inf]
        assert instance.policy.api_rate[0].tolist() == [np.inf, np.inf, 7.0, np.inf]

    def test_pairs_need_both_at_a_site(self) -> None:
        def paired(data: dict[str, Any]) -> None:
            data["plan"]["pairs"] = {"apart": {"prefill": "rack", "decode": "node", "models": ["llama-3.1-70b"]}}

        ways = small_instance(paired).ways
        pair = np.flatnonzero(ways.decoder >= 0)
        assert ways.site[pair].tolist() == [SOUTH]
        assert (ways.system[pair], ways.decoder[pair]) == ([RACK], [NODE])
        assert (ways.joules[pair], ways.decoder_joules[pair]) == ([50.0], [70.0])
        assert (ways.decoder_rate[pair] > 0.0).all()


class TestStock:
    """What comes when, at which price."""

    @pytest.mark.parametrize("length", LENGTHS)
    def test_supply_is_the_same_in_periods_of_any_length(self, length: str) -> None:
        """4 a quarter, 12 from July on, nothing in the first 4 months: 2 years are 4 x 2/3 + 12 x 6 = 74 whole ones."""

        def change(data: dict[str, Any]) -> None:
            data["plan"]["horizon"] |= {"length": length, "periods": 24 // LENGTHS[length]}

        supply = small_instance(change).stock.supply[:, NODE]
        assert supply.sum() == 74
        assert (supply == np.floor(supply)).all()
        if LENGTHS[length] <= 2:
            assert supply[: 4 // LENGTHS[length]].sum() == 0
        if length == "1 month":
            assert supply[6:] == pytest.approx(4.0, abs=1.0)

    def test_first_and_last(self) -> None:
        supply = small_instance(offers(wafer={"first": "2026-05", "last": "2027-02"})).stock.supply[:, WAFER]
        assert supply.tolist() == [0, 6, 10, 10, 7, 0, 0, 0]  # 2 of 3 months; all that came till then are whole

    def test_power_of_systems(self, instance: Instance) -> None:
        stock = instance.stock
        assert stock.nameplate_w == pytest.approx([27e3, 10.2e3, 155e3], rel=0.02)
        assert (stock.idle_w < 0.6 * stock.nameplate_w).all()
        given = small_instance(offers(wafer={"power": "23 kW"})).stock
        assert given.nameplate_w[WAFER] == 23e3
        with pytest.raises(InputError, match="draw idle"):
            small_instance(offers(wafer={"power": "1 kW"}))

    def test_replicas_are_parts_of_systems(self, instance: Instance) -> None:
        """The 8B model on one chip, the 70B model on four of eight or eight of 72."""
        assert instance.stock.replica == pytest.approx(np.array([[1, 0], [1 / 8, 1 / 2], [0, 1 / 9]]))
        assert instance.stock.model_of == ((0,), (0, 1), (1,))

    def test_charges_of_what_is_bought(self) -> None:
        """Without interest: a sixteenth of the price each quarter, a quarter of 4 % upkeep beside it."""

        def plain(data: dict[str, Any]) -> None:
            data["plan"]["horizon"]["discount_rate"] = 0.0
            data["plan"]["offers"]["wafer"] |= {"term": "48 months", "upkeep": 0.04}

        instance = small_instance(plain)
        quarters = np.arange(8, 0, -1)
        assert instance.stock.usd[:, WAFER] == pytest.approx(quarters * (800e3 / 16 + 0.01 * 800e3))
        assert instance.money.system_cash[:, WAFER] == pytest.approx(800e3)
        assert instance.money.upkeep_cash[WAFER] == pytest.approx(8e3)
        assert instance.stock.life[WAFER] == 16

    def test_charges_of_what_is_rented(self) -> None:
        """Rent of its months in service: no more than the term, none after the horizon."""

        def plain(data: dict[str, Any]) -> None:
            data["plan"]["horizon"]["discount_rate"] = 0.0
            data["plan"]["offers"]["node"]["term"] = "12 months"

        instance = small_instance(plain)
        months = np.minimum(12, 3 * np.arange(8, 0, -1))
        assert instance.stock.usd[:, NODE] == pytest.approx(12e3 * months)
        assert instance.money.system_cash[:, NODE] == pytest.approx(0.0)
        assert instance.money.upkeep_cash[NODE] == pytest.approx(36e3)

    def test_prices_go_their_way_over_the_years(self) -> None:
        cash = small_instance(offers(wafer={"price_per_year": 0.8})).money.system_cash[:, WAFER]
        assert cash[[0, 4]] == pytest.approx([800e3, 640e3])

    def test_options(self) -> None:
        option = {"systems": 30, "premium": 1.5, "first": "2026-08", "last": "2027-01"}
        instance = small_instance(offers(wafer={"option": option}))
        assert instance.stock.option[:, WAFER].tolist() == [0, 0, 30, 30, 30, 0, 0, 0]
        assert instance.stock.option_all.tolist() == [30, 0, 0]
        assert instance.stock.option_usd[:, WAFER] == pytest.approx(1.5 * instance.stock.usd[:, WAFER])
        assert instance.money.option_cash[:, WAFER] == pytest.approx(1.2e6)

    def test_take_or_pay_adds_up_over_its_dates(self) -> None:
        take = [{"systems": 20, "by": "2026-12"}, {"systems": 50, "by": "2027-06"}]
        instance = small_instance(offers(wafer={"take": take}))
        assert instance.stock.take[:, WAFER].tolist() == [0, 0, 0, 20, 20, 50, 50, 50]
        assert instance.stock.take_usd[WAFER] == pytest.approx(800e3 * instance.discount[5])
        rented = small_instance(offers(node={"take": [{"systems": 5, "by": "2026-03"}]}))
        whole = sum(36e3 * 1.08 ** -(0.25 * k) for k in range(12)) * rented.discount[0]
        assert rented.stock.take_usd[NODE] == pytest.approx(whole)

    def test_what_stands_stays(self, instance: Instance) -> None:
        assert (instance.stock.standing[:, SOUTH, RACK] == 1).all()
        assert instance.stock.standing.sum() == 8


class TestGround:
    """Blocks, grid, batteries."""

    def test_blocks_come_after_their_lead_time_and_that_of_the_site(self, instance: Instance) -> None:
        most = instance.ground.block_most
        assert most[:, AIR].tolist() == [1, 1, 3, 3, 3, 3, 3, 3]
        assert most[:, COLD].tolist() == [4] * 8
        assert most[:, FAR].tolist() == [
            0,
            0,
            3,
            3,
            3,
            3,
            3,
            3,
        ]  # June begins within a quarter that it can't hold whole

    @pytest.mark.parametrize(("length", "step", "most"), [("1 quarter", 2, [3, 4]), ("1 month", 1, [2, 3, 3, 4])])
    def test_new_blocks_a_quarter(self, length: str, step: int, most: list[int]) -> None:
        """Two a quarter beside the one that stands; by the month never more than two a quarter in all."""

        def change(data: dict[str, Any]) -> None:
            data["plan"]["horizon"]["length"] = length

        ground = small_instance(change).ground
        assert ground.block_step[WARM] == step
        assert ground.block_most[: len(most), WARM].tolist() == most

    def test_grid_is_the_least_of_the_period(self, instance: Instance) -> None:
        assert instance.ground.grid_w[:, SOUTH].tolist() == [3e6, 3e6, *[6e6] * 6]
        assert np.isinf(instance.ground.grid_w[:, NORTH]).all()

    def test_blocks_are_bought_or_rented(self) -> None:
        def plain(data: dict[str, Any]) -> None:
            data["plan"]["horizon"]["discount_rate"] = 0.0

        ground = small_instance(plain).ground
        quarters = np.arange(8, 0, -1)
        assert ground.block_usd[:, COLD] == pytest.approx(quarters * 3 * 200 * 1000)
        assert ground.block_usd[:, FAR] == pytest.approx(quarters * 24e6 / 60)

    def test_batteries_and_crews(self) -> None:
        def more(data: dict[str, Any]) -> None:
            south = data["plan"]["sites"]["south"]
            south["battery"] = {"most": "40 MWh", "hours": 2, "price": "250 USD/kWh", "efficiency": 0.9}
            south["ramp"] = "3 MW"
            data["plan"]["horizon"] |= {"length": "6 months", "periods": 4, "discount_rate": 0.0}

        ground = small_instance(more).ground
        assert ground.battery_most_j.tolist() == [40 * 3.6e9, 0.0]
        assert ground.battery_usd_per_j[:, SOUTH] * 3.6e6 == pytest.approx(250 / 24 * np.arange(4, 0, -1))
        assert ground.battery_efficiency.tolist() == [0.9, 1.0]
        assert ground.ramp_w.tolist() == [6e6, np.inf]

    def test_curtailment_needs_a_limit(self) -> None:
        def curtailed(data: dict[str, Any]) -> None:
            data["plan"]["sites"]["north"]["curtailment"] = {"depth": 0.3}

        with pytest.raises(InputError, match="isn't there") as caught:
            small_instance(curtailed)
        assert caught.value.problems[0].key == "plan.sites.north.curtailment"


class TestPromises:
    """Contracts, contingencies, policy."""

    def test_contracts(self) -> None:
        def owed(data: dict[str, Any]) -> None:
            data["plan"]["contracts"] = {
                "wafers": {"supplier": "Cerebras", "power": {"2026-08": "1 MW", "2027-04": "2 MW"}},
                "all": {"power": {"2025-06": "100 kW"}, "sense": "at-most", "measure": "facility"},
                "racks": {"offers": ["rack"], "power": {"2026-01": "0.2 MW"}},
            }

        wafers, every, racks = small_instance(owed).contracts
        assert wafers.systems.tolist() == [True, False, False]
        assert wafers.watts == pytest.approx([np.nan] * 2 + [1e6] * 3 + [2e6] * 3, nan_ok=True)
        assert every.systems.all()
        assert (every.watts == 1e5).all()
        assert (every.sense, every.measure) == ("at-most", "facility")
        assert racks.systems.tolist() == [False, False, True]

    def test_contingencies(self) -> None:
        def survive(data: dict[str, Any]) -> None:
            data["plan"]["sites"]["south"]["curtailment"] = {"depth": 0.4}
            data["plan"]["policy"] = {
                "survive": {
                    "site": {"chat": 0.9, "default": 0.5},
                    "supplier": {"chat": 0.6},
                    "late": {"default": 1.0},
                    "curtailment": {"default": 0.8},
                }
            }

        found = {one.name: one for one in small_instance(survive).contingencies}
        assert list(found)[:4] == ["site south", "site north", "supplier Cerebras", "supplier NVIDIA"]
        assert list(found)[4:] == ["late wafer", "late node", "late rack", "curtailment"]
        assert found["site south"].share.tolist() == [0.9, 0.9, 0.5]
        assert found["site south"].site.tolist() == [True, False]
        assert found["supplier NVIDIA"].systems.tolist() == [False, True, True]
        assert found["supplier NVIDIA"].share.tolist() == [0.6, 0.6, 0.0]
        assert found["late node"].systems.tolist() == [False, True, False]
        assert found["curtailment"].depth.tolist() == [0.4, 0.0]
        assert found["curtailment"].periods.tolist() == [False, False, False, True] * 2

    @pytest.mark.parametrize(("when", "asked"), [("every-period", 8), ("year-ends", 2), ("last", 1)])
    def test_when(self, when: str, asked: int) -> None:
        def survive(data: dict[str, Any]) -> None:
            data["plan"]["policy"] = {"survive": {"site": {"default": 0.5}, "when": when}}

        periods = small_instance(survive).contingencies[0].periods
        assert periods.sum() == asked
        assert periods[-1]

    def test_policy(self) -> None:
        def limits(data: dict[str, Any]) -> None:
            data["carbon_price_usd_per_kg"] = 0.1
            data["plan"]["policy"] = {
                "supplier_share": {"NVIDIA": 0.7, "default": 0.5},
                "share_from": "2026-10",
                "carbon": {"2027-01": "6 kt"},
                "budget": {"2026-01": "8 MUSD", "2027-01": "4 MUSD"},
                "risk": {"aversion": 0.5, "tail": 0.1},
            }

        policy = small_instance(limits).policy
        assert policy.supplier_share.tolist() == [[1.0, 1.0]] * 3 + [[0.5, 0.7]] * 5
        assert policy.carbon_kg == pytest.approx([np.inf] * 4 + [1.5e6] * 4)
        assert policy.budget_usd == pytest.approx([2e6] * 4 + [1e6] * 4)
        assert policy.year is not None
        assert policy.year.tolist() == [0] * 4 + [1] * 4
        assert (policy.carbon_usd_per_kg, policy.aversion, policy.tail) == (0.1, 0.5, 0.1)

    def test_scenarios(self) -> None:
        def futures(data: dict[str, Any]) -> None:
            data["plan"]["scenarios"] = {
                "plain": {"probability": 0.6},
                "hard": {
                    "probability": 0.4,
                    "growth": "high",
                    "speed": {"rack": 0.8},
                    "power_price": 2,
                    "late": {"node": "4 months"},
                },
            }

        instance = small_instance(futures, recourse_from=4)
        demand = instance.demand
        assert demand.speed.tolist() == [[1, 1, 1], [1, 1, 0.8]]
        assert demand.late.tolist() == [[0, 0, 0], [0, 2, 0]]
        assert demand.power_price.tolist() == [1.0, 2.0]
        assert (demand.requests[-1, EAST, :, 1] > demand.requests[-1, EAST, :, 0]).all()
        assert instance.decided.tolist() == [[0, 0]] * 4 + [[0, 1]] * 4


class TestPools:
    """Replicas that stand together."""

    def test_expected_ones_carry_the_demand(self) -> None:
        """100 chat/s double in a year: the peak in the middle of two years by 20 requests/s a replica, in 3 places."""
        fleet = small_fleet()
        demand = demand_of(fleet)
        pools = expected_pools(fleet, demand, made_up(fleet))
        assert pools.shape == (2, 3, 2)
        busy = demand.requests[4, [EAST, WEST], 24, 0].sum()
        assert pools[SOUTH, WAFER, 0] == pytest.approx(busy / 20.0 / 3, rel=0.05)
        assert pools[SOUTH, RACK, 0] == 1.0  # doesn't run it

    def test_those_of_a_plan_are_parted_by_what_services_keep_busy(self) -> None:
        """Six nodes hold 48 replicas of one chip; of two services of their model one keeps three times as many busy."""

        def two(data: dict[str, Any]) -> None:
            data["services"]["ask"] = {"model": "llama-3.1-8b"}
            data["plan"]["demand"]["ask"] = {"traffic": "azure-2023-conv", "requests_per_s": 10}

        instance = small_instance(two)
        ways, shape = instance.ways, instance.shape
        placed = np.zeros((8, 2, 3, 2))
        placed[4:, SOUTH, NODE, 0] = 6.0
        served = np.zeros((8, 25, 1, len(ways.cls)))
        of = {name: instance.names.services.index(name) for name in ("chat", "ask")}
        mine = (ways.site == SOUTH) & (ways.system == NODE)
        for name, systems in (("chat", 3.0), ("ask", 1.0)):
            f = np.flatnonzero(mine & (instance.demand.service[ways.cls] == of[name]))
            served[4:, 24, 0, f] = systems / len(f) * ways.rate[f]
        nothing = np.zeros(1)
        build = Build(nothing, nothing > 0, nothing, nothing, nothing, placed, nothing, nothing)
        costs = Costs(*(nothing,) * 9)
        plan = Plan(build, (build,), Operation(served, *(nothing,) * 4), costs, 0.0, 0.0, 0.0, 0, 0)
        pools = pools_of(instance, plan)
        assert pools.shape == (shape["S"], shape["H"], 3)
        assert pools[SOUTH, NODE, of["chat"]] == pytest.approx(36.0)
        assert pools[SOUTH, NODE, of["ask"]] == pytest.approx(12.0)
        assert pools.sum() == pytest.approx(48.0)
