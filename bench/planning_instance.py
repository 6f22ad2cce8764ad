"""A planning problem of realistic size that anybody can rebuild: 12 quarters, 8 sites, 10 systems, 8 services.

Synthetic, from one seed; its costs carry no meaning outside it. A "request" is a thousand tokens.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meritorder.plan.instance import Contingency, Demand, Floats, Ground, Instance, Money, Names, Policy, Stock, Ways

PERIODS, SITES, SYSTEMS, SERVICES, DAY = 12, 8, 10, 8, 24
QUARTER_S = 0.25 * 8766 * 3600.0
MW = 1e6
# Usable share of a system's goodput: pooling, in one number for all.
POOLING = 0.85
GRID_PER_BLOCK = 1.25

# kW, idle share, capex M$/MW, tokens per MW, supply MW/quarter, entry quarter, supplier, availability
KINDS = np.array(
    [
        [23.0, 0.55, 75, 0.90, 60, 0, 0, 0.97],
        [10.2, 0.25, 30, 0.35, 40, 0, 1, 0.97],
        [14.3, 0.25, 33, 0.60, 60, 0, 1, 0.97],
        [132.0, 0.25, 32, 1.00, 90, 1, 1, 0.96],
        [140.0, 0.25, 30, 1.30, 120, 2, 1, 0.96],
        [10.0, 0.25, 24, 0.40, 30, 0, 2, 0.96],
        [15.0, 0.25, 24, 0.70, 50, 2, 2, 0.96],
        [40.0, 0.40, 30, 0.80, 30, 3, 3, 0.97],
        [120.0, 0.30, 40, 0.90, 40, 4, 4, 0.96],
        [200.0, 0.25, 28, 1.80, 120, 6, 1, 0.95],
    ]
)
# MW at the start, new blocks of 25 MW at most, quarters until one stands
PLACES = np.array([[50, 8, 1], [25, 6, 1], [25, 6, 2], [0, 10, 3], [25, 4, 1], [0, 6, 2], [0, 8, 2], [25, 4, 1]])
BLOCK_W = 25 * MW
RAMP_W = 60 * MW
SUPPLIER_SHARE, SHARE_FROM = 0.6, 4


def planning_instance(scenarios: int = 5, *, models: int = 1, seed: int = 0) -> Instance:
    """All 24 hours. `models`: the services are spread over so many."""
    rng = np.random.default_rng(seed)
    capex = rng.uniform(0.9, 1.1, SYSTEMS)
    spread = rng.lognormal(0.0, 0.45, (SYSTEMS, SERVICES))
    serves = rng.random((SYSTEMS, SERVICES)) < 0.65
    serves[:2] = True
    near = rng.random((SITES, SERVICES)) < 0.70
    near[0], near[:, :3] = True, True
    block_usd = rng.uniform(9, 14, SITES) * 1e6 * BLOCK_W / MW
    pue_base, price_base = 1.12 + 0.1 * rng.random(SITES), 45 + 25 * rng.random(SITES)
    growth = rng.uniform(1.10, 1.28, SERVICES)
    base = rng.dirichlet(np.full(SERVICES, 3.0)) * 1920.0
    phase = rng.uniform(12, 16, SERVICES)
    penalty = rng.uniform(4, 12, SERVICES) * 1e6 / QUARTER_S

    hours, periods = np.arange(DAY), np.arange(PERIODS)
    watts, idle, price_mw, tokens_mw, supply_mw, entry = KINDS[:, :6].T
    megawatts = watts * 1e3 / MW
    rate = tokens_mw[:, None] * megawatts[:, None] * spread * 10.0  # thousand tokens/s
    triples = [
        (k, s, h) for s in range(SITES) for h in range(SYSTEMS) for k in range(SERVICES) if serves[h, k] and near[s, k]
    ]
    cls, site, system = np.array(triples).T
    own = rate[system, cls]
    none = np.full(len(cls), -1)
    discount = np.asarray(0.98**periods, float)
    usd = price_mw * 1e6 * megawatts * capex
    factors = np.linspace(0.6, 1.5, scenarios) if scenarios > 1 else np.ones(1)
    likely = {1: [1.0], 3: [0.25, 0.5, 0.25], 5: [0.1, 0.2, 0.4, 0.2, 0.1]}[scenarios]
    grown = 1 + (growth[:, None] ** periods - 1)[:, None, :] * factors[:, None]  # [K,J,T]
    day = 0.65 + 0.35 * np.sin(2 * np.pi * (hours - phase[:, None]) / DAY)  # [K,R]
    requests = np.einsum("k,kjt,kr->tkrj", base, grown, day)
    pue = (pue_base[:, None] + 0.05 * np.sin(2 * np.pi * (hours - 15) / DAY))[None] + (
        0.04 * np.sin(2 * np.pi * periods / 4)[:, None, None]
    )  # [T,S,R]
    pieces = np.zeros((PERIODS, DAY, SITES, 1, 2))
    pieces[..., 0, 1] = np.swapaxes(pue, 1, 2)
    standing = np.rint(PLACES[:, 0] * MW / BLOCK_W).astype(np.int64)
    most = standing + np.where(periods[:, None] >= PLACES[:, 2], PLACES[:, 1], 0)
    price = price_base[:, None] * (1 + 0.3 * np.sin(2 * np.pi * (hours - 18) / DAY)) / 3.6e9
    share = np.ones((PERIODS, 5))
    share[SHARE_FROM:] = SUPPLIER_SHARE
    return Instance(
        names=Names(
            periods=tuple(f"{2026 + t // 4}-Q{t % 4 + 1}" for t in periods),
            sites=tuple(f"site {s}" for s in range(SITES)),
            systems=tuple(f"system {h}" for h in range(SYSTEMS)),
            suppliers=tuple(f"supplier {v}" for v in range(5)),
            blocks=tuple(f"site {s}/block" for s in range(SITES)),
            services=tuple(f"service {k}" for k in range(SERVICES)),
            classes=tuple(f"service {k}" for k in range(SERVICES)),
            models=tuple(f"model {m}" for m in range(models)),
            apis=(),
            scenarios=tuple(f"demand x{factor:g}" for factor in factors),
        ),
        years=np.full(PERIODS, 0.25),
        discount=discount,
        ways=Ways(
            cls=cls,
            site=site,
            system=system,
            rate=own * POOLING,
            joules=(1 - idle[system]) * watts[system] * 1e3 / own,
            decoder=none,
            decoder_rate=np.zeros(len(cls)),
            decoder_joules=np.zeros(len(cls)),
            api=none,
            usd=np.zeros(len(cls)),
        ),
        stock=Stock(
            supplier=KINDS[:, 6].astype(np.int64),
            nameplate_w=watts * 1e3,
            idle_w=watts * 1e3 * idle,
            availability=KINDS[:, 7],
            model_of=tuple(tuple(range(models)) for _ in range(SYSTEMS)),
            block=np.repeat(np.arange(SITES)[:, None], SYSTEMS, axis=1),
            usd=usd * discount[:, None],
            option_usd=usd * discount[:, None],
            life=np.full(SYSTEMS, PERIODS),
            lead=np.zeros(SYSTEMS, np.int64),
            lot=np.ones(SYSTEMS, np.int64),
            supply=np.stack(
                [_supply(m / w, int(first)) for m, w, first in zip(supply_mw, megawatts, entry, strict=True)], axis=1
            ),
            option=np.zeros((PERIODS, SYSTEMS)),
            option_all=np.zeros(SYSTEMS),
            replica=np.ones((SYSTEMS, models)),
            take=np.zeros((PERIODS, SYSTEMS)),
            take_usd=np.zeros(SYSTEMS),
            standing=np.zeros((PERIODS, SITES, SYSTEMS)),
        ),
        ground=Ground(
            block_site=np.arange(SITES),
            block_w=np.full(SITES, BLOCK_W),
            block_standing=np.tile(standing, (PERIODS, 1)),
            block_most=most,
            block_step=PLACES[:, 1].astype(np.int64),
            block_usd=block_usd * discount[:, None],
            open_usd=np.zeros((PERIODS, SITES)),
            grid_w=np.full((PERIODS, SITES), np.inf),
            ramp_w=np.full(SITES, RAMP_W),
            oversubscription=np.full(SITES, 1.15),
            pieces=pieces,
            cooled=np.minimum(GRID_PER_BLOCK / np.swapaxes(pue, 1, 2), 1.0),
            usd_per_j=np.tile(price, (PERIODS, 1, 1)),
            kg_per_j=np.zeros((PERIODS, SITES, DAY)),
            battery_w=np.zeros(SITES),
            battery_j=np.zeros(SITES),
            battery_most_j=np.zeros(SITES),
            battery_usd_per_j=np.zeros((PERIODS, SITES)),
            battery_hours=np.full(SITES, 4.0),
            battery_efficiency=np.full(SITES, 0.88),
        ),
        demand=Demand(
            service=np.arange(SERVICES),
            model=np.arange(SERVICES) % models,
            requests=requests,
            tokens=np.full(SERVICES, 1000.0),
            unmet_usd=penalty,
            shift_h=np.zeros(SERVICES),
            clock=hours.astype(float),
            seconds=np.full((PERIODS, DAY), QUARTER_S / DAY),
            probability=np.array(likely),
            speed=np.ones((scenarios, SYSTEMS)),
            power_price=np.ones(scenarios),
            late=np.zeros((scenarios, SYSTEMS), np.int64),
        ),
        contracts=(),
        contingencies=(),
        policy=Policy(
            supplier_share=share,
            carbon_kg=np.full(PERIODS, np.inf),
            carbon_usd_per_kg=0.0,
            budget_usd=np.full(PERIODS, np.inf),
            api_rate=np.zeros((PERIODS, 0)),
            api_usd=np.zeros((PERIODS, 0)),
            aversion=0.0,
            tail=0.2,
        ),
        money=Money(
            system_cash=np.tile(usd, (PERIODS, 1)),
            option_cash=np.tile(usd, (PERIODS, 1)),
            block_cash=np.tile(block_usd, (PERIODS, 1)),
            upkeep_cash=np.zeros(SYSTEMS),
            rent_cash=np.zeros(SITES),
            open_cash=np.zeros(SITES),
            battery_cash=np.zeros(SITES),
        ),
        decided=np.zeros((PERIODS, scenarios), np.int64),
    )


def with_site_losses(instance: Instance, share: float) -> Instance:
    """The same, where the loss of any one site at a year's end leaves `share` of the busiest hour's demand served."""
    periods = np.arange(PERIODS) % 4 == 3
    losses = tuple(
        Contingency(
            name=f"site {name}",
            kind="site",
            site=np.arange(SITES) == s,
            systems=np.zeros(SYSTEMS, bool),
            depth=np.zeros(SITES),
            share=np.full(SERVICES, share),
            periods=periods,
        )
        for s, name in enumerate(instance.names.sites)
    )
    return replace(instance, contingencies=losses)


def _supply(systems: float, entry: int) -> Floats:
    """Most deliveries a quarter: from 0.6 to 1.2 of the nominal figure."""
    supply = np.zeros(PERIODS)
    supply[entry:] = np.floor(systems * np.linspace(0.6, 1.2, PERIODS - entry))
    return supply
