"""A planning problem made by hand, for tests: 3 quarters, 2 sites, 3 systems, 2 classes, 2 models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from meritorder.plan.instance import Demand, Ground, Instance, Money, Names, Policy, Stock, Ways

QUARTER_S = 0.25 * 365.25 * 86400
NEVER = np.inf
SYSTEMS = ("wafer", "node", "rack")
WAFER, NODE, RACK = range(3)
CHAT, BATCH = range(2)
COLD, WARM, NORTH = range(3)  # blocks


def tiny_instance(hours: int = 25, scenarios: int = 1, **changes: dict[str, Any]) -> Instance:
    """The instance with `hours` hours, the last of them the design hour, and 1 to 3 scenarios of demand.

    Everything must be served, nothing else is asked for: no contracts, contingencies, APIs, pairs. Changes are fields
    of a part by its name, `tiny_instance(ground={"ramp_w": np.array([1e6, 1e6])})`, or parts that aren't arrays:
    `tiny_instance(whole={"contracts": (...)})`.

    | site | blocks | systems |
    |---|---|---|
    | dallas | cold (21 C), warm (45 C), dear and hot in the afternoon | wafer in cold, node and rack in warm |
    | oslo | cold only, cheap power | all in cold |
    """
    periods, count = 3, 3
    clock = np.append(np.arange(hours - 1) * 24.0 / max(hours - 1, 1), np.nan) if hours > 1 else np.array([np.nan])
    design = np.isnan(clock)
    seconds = np.where(design, 0.0, QUARTER_S / max(hours - 1, 1))
    if hours == 1:
        seconds = np.array([QUARTER_S])
    hour = np.where(design, 21.0, clock)
    day = 1.0 + 0.4 * np.cos(2 * np.pi * (hour - 20.0) / 24)  # busiest at 20:00 UTC
    discount = 1.08 ** -(0.125 + 0.25 * np.arange(periods))
    systems = len(SYSTEMS)
    # USD: share of the price that is charged within the horizon, of those that come in t
    left = (np.arange(periods)[::-1] + 1) * 3 / 48.0
    price = np.array([0.9e6, 0.3e6, 3.8e6])
    factors = np.array({1: [1.0], 2: [0.8, 1.3], 3: [0.7, 1.0, 1.5]}[scenarios])
    grows = 1.5 ** np.arange(periods)
    base = np.array([400.0, 60.0])[None, :, None, None]  # requests/s
    shape = np.stack([day, np.ones(hours)])[None, :, :, None]
    peak = np.where(design, 1.2, 1.0)[None, None, :, None]
    spread = 1.0 + (factors - 1.0)[None, :] * (np.arange(periods) / (periods - 1))[:, None]
    requests = base * grows[:, None, None, None] * shape * peak * spread[:, None, None, :]
    ways = [(CHAT, site, system) for site in (0, 1) for system in (WAFER, NODE, RACK)]
    ways += [(BATCH, site, system) for site in (0, 1) for system in (NODE, RACK)]
    cls, site, system = (np.array(column, np.int64) for column in zip(*ways, strict=True))
    rate = np.array([[12.0, 4.0, 60.0], [0.0, 0.8, 18.0]])[cls, system]
    joules = np.array([[900.0, 1500.0, 1300.0], [0.0, 7000.0, 5000.0]])[cls, system]
    none = np.full(len(ways), -1, np.int64)
    heat = np.where(design, 1.0, 0.5 + 0.5 * np.cos(2 * np.pi * (hour - 21.0) / 24))
    slope = np.array([1.18, 1.05, 1.06])[:, None] + np.array([0.15, 0.03, 0.05])[:, None] * heat  # [B,R]
    pieces = np.zeros((periods, hours, 3, 2, 2))
    pieces[..., 0, 0], pieces[..., 0, 1] = 0.03, slope.T
    pieces[..., 1, 0], pieces[..., 1, 1] = 0.0, slope.T + 0.035
    dear = np.array([80.0, 40.0])[:, None] * (1 + np.array([0.4, 0.1])[:, None] * heat) / 3.6e9
    cooled = np.ones((periods, hours, 3))
    cooled[:, design, COLD] = 0.95
    decided = np.zeros((periods, scenarios), np.int64)
    instance = Instance(
        names=Names(
            periods=("2026-Q1", "2026-Q2", "2026-Q3"),
            sites=("dallas", "oslo"),
            systems=SYSTEMS,
            suppliers=("Wafers", "Chips"),
            blocks=("dallas/cold", "dallas/warm", "oslo/cold"),
            services=("chat", "batch"),
            classes=("chat", "batch"),
            models=("small", "large"),
            apis=(),
            scenarios=("low", "best", "high")[:scenarios] if scenarios > 1 else ("best",),
        ),
        years=np.full(periods, 0.25),
        discount=discount,
        ways=Ways(
            cls=cls,
            site=site,
            system=system,
            rate=rate,
            joules=joules,
            decoder=none,
            decoder_rate=np.zeros(len(ways)),
            decoder_joules=np.zeros(len(ways)),
            api=none,
            usd=np.zeros(len(ways)),
        ),
        stock=Stock(
            supplier=np.array([0, 1, 1]),
            nameplate_w=np.array([25e3, 10e3, 135e3]),
            idle_w=np.array([12e3, 3e3, 35e3]),
            availability=np.array([0.97, 0.97, 0.96]),
            model_of=((0,), (0, 1), (0, 1)),
            block=np.array([[COLD, WARM, WARM], [NORTH, NORTH, NORTH]]),
            usd=left[:, None] * price * discount[:, None],
            option_usd=1.2 * left[:, None] * price * discount[:, None],
            life=np.full(systems, 16),
            lead=np.array([0, 0, 1]),
            lot=np.array([1, 1, 1]),
            supply=np.tile([60.0, 300.0, 20.0], (periods, 1)) * np.array([[1.0, 1.0, 0.0], [1, 1, 1], [1, 1, 1]]),
            option=np.zeros((periods, systems)),
            option_all=np.full(systems, NEVER),
            replica=np.array([[1.0, 0.0], [0.5, 1.0], [0.25, 0.5]]),
            take=np.zeros((periods, systems)),
            take_usd=0.2 * price,
            standing=np.zeros((periods, 2, systems)),
        ),
        ground=Ground(
            block_site=np.array([0, 0, 1]),
            block_w=np.full(3, 2e6),
            block_standing=np.tile([1, 1, 0], (periods, 1)),
            block_most=np.array([[1, 1, 1], [2, 4, 2], [3, 6, 3]]),
            block_step=np.array([1, 3, 1]),
            block_usd=left[:, None] * np.array([12e6, 10e6, 18e6]) / 4 * discount[:, None],
            open_usd=np.array([[0.0, 1e6]]) * discount[:, None],
            grid_w=np.full((periods, 2), NEVER),
            ramp_w=np.full(2, NEVER),
            oversubscription=np.array([1.0, 1.1]),
            pieces=pieces,
            cooled=cooled,
            usd_per_j=np.tile(dear, (periods, 1, 1)),
            kg_per_j=np.tile(np.array([0.4, 0.03])[:, None] / 3.6e6, (periods, 1, hours)),
            battery_w=np.zeros(2),
            battery_j=np.zeros(2),
            battery_most_j=np.zeros(2),
            battery_usd_per_j=np.tile(left[:, None] / 3 * 250 / 3.6e6, (1, 2)),
            battery_hours=np.full(2, 4.0),
            battery_efficiency=np.full(2, 0.88),
        ),
        demand=Demand(
            service=np.array([CHAT, BATCH]),
            model=np.array([0, 1]),
            requests=requests,
            tokens=np.array([300.0, 1500.0]),
            unmet_usd=np.full(2, NEVER),
            shift_h=np.zeros(2),
            clock=clock,
            seconds=np.tile(seconds, (periods, 1)),
            probability={1: np.array([1.0]), 2: np.array([0.6, 0.4]), 3: np.array([0.3, 0.5, 0.2])}[scenarios],
            speed=np.ones((scenarios, systems)),
            power_price=np.ones(scenarios),
            late=np.zeros((scenarios, systems), np.int64),
        ),
        contracts=(),
        contingencies=(),
        policy=Policy(
            supplier_share=np.ones((periods, 2)),
            carbon_kg=np.full(periods, NEVER),
            carbon_usd_per_kg=0.0,
            budget_usd=np.full(periods, NEVER),
            api_rate=np.zeros((periods, 0)),
            api_usd=np.zeros((periods, 0)),
            aversion=0.0,
            tail=0.2,
        ),
        money=Money(
            system_cash=np.tile(price, (periods, 1)),
            option_cash=np.tile(1.2 * price, (periods, 1)),
            block_cash=np.tile([12e6, 10e6, 18e6], (periods, 1)),
            upkeep_cash=np.zeros(systems),
            rent_cash=np.zeros(count),
            open_cash=np.array([0.0, 1e6]),
            battery_cash=np.full(2, 250 / 3.6e6),
        ),
        decided=decided,
    )
    parts = {name: replace(getattr(instance, name), **fields) for name, fields in changes.items() if name != "whole"}
    return replace(instance, **parts, **changes.get("whole", {}))
