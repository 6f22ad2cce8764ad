"""`Instance`: all that the optimisation knows, as arrays with SI units. What it means in the field is said elsewhere.

Axes: T periods, S sites, H systems (offers), V suppliers, B kinds of power block (each belongs to a site), K classes
(a service's demand in a region), M models, F ways to serve (below), A metered APIs, R hours that stand for a period,
J scenarios, Q pieces of a piecewise-linear function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Names:
    """What the indices stand for."""

    periods: tuple[str, ...]  # "2026-Q1"
    sites: tuple[str, ...]
    systems: tuple[str, ...]
    suppliers: tuple[str, ...]
    blocks: tuple[str, ...]  # "SITE/BLOCK"
    services: tuple[str, ...]
    classes: tuple[str, ...]  # "SERVICE" or "SERVICE@REGION"
    models: tuple[str, ...]
    apis: tuple[str, ...]
    scenarios: tuple[str, ...]


@dataclass(frozen=True)
class Ways:
    """Ways to serve a request of a class: on a system at a site, on a pair of them, or by a metered API. All [F].

    In a period rates are `factor` times as large, see `at`.
    """

    cls: Ints  # K
    site: Ints  # S; -1: an API
    system: Ints  # H, of a pair the one that computes prompts; -1: an API
    rate: Floats  # requests/s that one available system carries within the service level, pooling in it; API: 0
    joules: Floats  # IT energy of a request above idle power
    decoder: Ints  # H that makes the tokens where prompts are computed apart; -1: the same system does
    decoder_rate: Floats
    decoder_joules: Floats
    api: Ints  # A or -1
    usd: Floats  # paid per request: metered price, egress
    factor: Floats | None = None  # [T,F] on the rates, as simulation of a plan's own fleets found them; None: 1

    def factors(self, periods: Ints) -> Floats:
        """[len(periods),F] on the rates in these periods."""
        return np.ones((len(periods), len(self.rate))) if self.factor is None else self.factor[periods]

    def at(self, t: int) -> Ways:
        """With the rates of one period."""
        own = self.factors(np.array([t]))[0]
        return replace(self, rate=self.rate * own, decoder_rate=self.decoder_rate * own, factor=None)


@dataclass(frozen=True)
class Stock:
    """Systems that can be had."""

    supplier: Ints  # [H] V
    nameplate_w: Floats  # [H] most IT power of one
    idle_w: Floats  # [H]
    availability: Floats  # [H] share that is up
    model_of: tuple[tuple[int, ...], ...]  # [H] the models that it can run
    block: Ints  # [S,H] kind of block that it stands in at a site; -1: it can't stand there
    usd: Floats  # [T,H] charged within the horizon for one delivered in t, discounted: capital, upkeep, term
    option_usd: Floats  # [T,H] the same for those of the option
    life: Ints  # [H] periods in service
    lead: Ints  # [H] periods from order to delivery; `supply` and `option` are 0 where it can't have come yet
    lot: Ints  # [H] systems are delivered in multiples of this
    supply: Floats  # [T,H] most deliveries, all sites together
    option: Floats  # [T,H] most deliveries beyond that, at `option_usd`
    option_all: Floats  # [H] most of them, all periods together
    replica: Floats  # [H,M] systems that one replica of a model takes, may be below 1; 0: it doesn't run there
    take: Floats  # [T,H] at least so many delivered up to and with t, or paid for all the same (`take_usd` each)
    take_usd: Floats  # [H] discounted price of one that was not taken
    standing: Floats  # [T,S,H] in service undecided: from before the horizon, and from their arrival those under way


@dataclass(frozen=True)
class Ground:
    """Sites, their power blocks and batteries."""

    block_site: Ints  # [B] S
    block_w: Floats  # [B] IT power of one block
    block_standing: Ints  # [T,B] that stand undecided: those of the start, and from their arrival those under way
    block_most: Ints  # [T,B] most blocks that can stand in t, those of the start among them: land, lead time
    block_step: Ints  # [B] most new blocks in a period
    block_usd: Floats  # [T,B] charged within the horizon for one that stands from t on, discounted: capital and rent
    open_usd: Floats  # [T,S] opening the site in t; 0 everywhere: nothing to decide
    grid_w: Floats  # [T,S] most facility power; inf: no limit
    ramp_w: Floats  # [S] most nameplate installed in a period
    oversubscription: Floats  # [S] nameplate per IT power of its blocks, at least 1
    pieces: Floats  # [T,R,B,Q,2] facility power of a kind of block >= [0] x its IT capacity + [1] x IT power, any Q
    cooled: Floats  # [T,R,B] IT power per capacity that its coolant carries away at that weather, at most 1
    usd_per_j: Floats  # [T,S,R] price of facility energy, 0 or more
    kg_per_j: Floats  # [T,S,R]
    battery_w: Floats  # [S] stands already
    battery_j: Floats  # [S]
    battery_most_j: Floats  # [S] can be had beyond that
    battery_usd_per_j: Floats  # [T,S]
    battery_hours: Floats  # [S] energy per power of those, h
    battery_efficiency: Floats  # [S] there and back


@dataclass(frozen=True)
class Demand:
    """What is asked for."""

    service: Ints  # [K] index of its service
    model: Ints  # [K] M
    requests: Floats  # [T,K,R,J] requests/s
    tokens: Floats  # [K] output tokens of a request, mean
    unmet_usd: Floats  # [K] lost per request not served; inf: all must be served
    shift_h: Floats  # [K] requests may wait so many hours; 0: they may not
    clock: Floats  # [R] hour of the day (UTC) that an hour is; NaN: none (the design hour)
    seconds: Floats  # [T,R] time of the period that an hour stands for; 0: only its limits count
    probability: Floats  # [J]
    speed: Floats  # [J,H] factor on the rates of a system
    power_price: Floats  # [J] factor on the price of energy
    late: Ints  # [J,H] periods that the deliveries of an offer come later
    firm: Floats | None = None  # [K] share of the design hour's demand that can't be put off; None: seen in the hours


@dataclass(frozen=True)
class Contract:
    """Power of some systems that must (or may at most) stand by a date."""

    name: str
    systems: Bools  # [H]
    watts: Floats  # [T] from t on; NaN: nothing said
    measure: Literal["it", "facility"]  # facility: nameplate with the losses and cooling of the design hour
    sense: Literal["at-least", "exactly", "at-most"]


@dataclass(frozen=True)
class Contingency:
    """Something is lost in the design (or busiest) hour, and `share` of the demand must be served all the same."""

    name: str  # "site dallas", "supplier NVIDIA", "late cs-4", "curtailment in ercot"
    kind: Literal["site", "supplier", "late", "curtail"]
    site: Bools  # [S] lost; of `curtail` those whose grid wants less
    systems: Bools  # [H] lost; of `late` those whose deliveries of the period have not come
    depth: Floats  # [S] of `curtail`: part of the grid's limit that is gone
    share: Floats  # [K]
    periods: Bools  # [T] where it is asked for


@dataclass(frozen=True)
class Policy:
    """What whoever pays wants."""

    supplier_share: Floats  # [T,V] most of the installed nameplate; 1: no limit
    carbon_kg: Floats  # [T] most in the period, expected; inf: no limit
    carbon_usd_per_kg: float
    budget_usd: Floats  # [T] most cash paid for deliveries and blocks, not discounted; inf
    api_rate: Floats  # [T,A] most requests/s
    api_usd: Floats  # [T,A] most paid in the period, expected; inf
    aversion: float  # lambda: weight of CVaR beside the expected cost
    tail: float  # worst share of the scenarios' probability that CVaR averages
    year: Ints | None = None  # [T] periods of equal numbers share their budget and carbon; None: each has its own


@dataclass(frozen=True)
class Money:
    """What cash is paid when, not discounted: for budgets and the cash flow."""

    system_cash: Floats  # [T,H] price of one delivered in t
    option_cash: Floats  # [T,H] the same of one of the option
    block_cash: Floats  # [T,B]
    upkeep_cash: Floats  # [H] a period and system in service
    rent_cash: Floats  # [B] a period and block
    open_cash: Floats  # [S]
    battery_cash: Floats  # [S] per joule


@dataclass(frozen=True)
class Instance:
    """A planning problem. `decided[t, j]`: scenarios with equal numbers in t share what is delivered then."""

    names: Names
    years: Floats  # [T] length of a period
    discount: Floats  # [T] factor on what is paid in t: energy, carbon, metered, unmet; the rest is given discounted
    ways: Ways
    stock: Stock
    ground: Ground
    demand: Demand
    contracts: tuple[Contract, ...]
    contingencies: tuple[Contingency, ...]
    policy: Policy
    money: Money
    decided: Ints  # [T,J]

    @property
    def shape(self) -> dict[str, int]:
        """Lengths of the axes by their letters."""
        return {
            "T": len(self.names.periods),
            "S": len(self.names.sites),
            "H": len(self.names.systems),
            "V": len(self.names.suppliers),
            "B": len(self.names.blocks),
            "K": len(self.names.classes),
            "M": len(self.names.models),
            "F": len(self.ways.cls),
            "A": len(self.names.apis),
            "R": len(self.demand.clock),
            "J": len(self.names.scenarios),
        }
