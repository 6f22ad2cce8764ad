"""What the studies find, ready for tables. Money is USD, discounted to the start unless a field says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.plan.instance import Floats
from meritorder.plan.outcome import Build


@dataclass(frozen=True)
class Price:
    """What one more unit of a limit is worth to the whole plan, with everything else as it is.

    Programs of this kind are degenerate: a price often holds for more or for less only. `more` is what the next unit
    saves, `less` what a unit less costs, both by solving again; `more` <= `usd` <= `less`. NaN: not asked.
    Money of the period, not discounted.
    """

    limit: str  # "grid", "block", "supply", "option", "share", "carbon", "budget", "ramp", "demand"
    name: str  # of the site, offer, supplier ...
    period: str
    unit: str  # "USD/MW-year", "USD/system", "USD/point", "USD/t", "USD/USD", "USD/Mtok"
    usd: float
    more: float
    less: float


@dataclass(frozen=True)
class Marginal:
    """What one more request is worth, as USD per million output tokens: long-run, with the systems to serve it."""

    service: str
    period: str
    usd_per_mtok: float  # mean over the period's hours and scenarios, by tokens
    by_hour: Floats  # [R] the same of an hour; NaN: the design hour has no tokens


@dataclass(frozen=True)
class SloPrice:
    """What a millisecond more of a service's time to the first token saves in a period."""

    service: str
    period: str
    usd_per_ms: float


@dataclass(frozen=True)
class Prices:
    """Shadow prices of the linear program with the plan's whole numbers kept."""

    limits: tuple[Price, ...]  # those that bind, dearest first within a kind
    marginal: tuple[Marginal, ...]
    slo: tuple[SloPrice, ...]
    objective_usd: float
    seconds: float


@dataclass(frozen=True)
class Alternative:
    """A plan that costs little more and is better at something else."""

    aim: str  # "optimum", "fewest offers", "least NVIDIA", "least carbon", "least grid power", "fewest sites"
    cost_usd: float
    more: float  # share of the optimum's cost beyond it
    figures: dict[str, float]  # "offers", "sites", "pairs", "carbon_t", "peak_grid_mw", "share NVIDIA", "nameplate_mw"
    proven: bool  # no plan within the slack is better at it (to the gap); else: the best that was found
    build: Build
    short: float = 0.0  # share of the demand that must be served and isn't (only if it was looked for on fewer hours)


@dataclass(frozen=True)
class Alternatives:
    """Plans about within `slack` of the optimum's cost; the first is the optimum."""

    slack: float
    plans: tuple[Alternative, ...]
    seconds: float
    how: str = ""  # "2 scenarios, 3 hours": what they were looked for on, if not on all


@dataclass(frozen=True)
class Limit:
    """One of the limits that can't hold together."""

    words: str  # "supply of cs-4: 0 until 2026-Q2, then 100 systems a period"
    key: str  # in the fleet file: "plan.offers.cs-4.supply"
    gives: str  # "38 systems more by 2027-Q1": what would do if no other limit gave; "": it alone can't help
    amount: float  # the same as a number, in `unit`; NaN: it alone can't help
    unit: str
    by: str  # the period that needs it
    enough: bool  # there is a plan then; else it ends this conflict, and something else must give as well


@dataclass(frozen=True)
class Conflict:
    """A smallest set of limits that can't hold together: if any one of them gave enough, the others could."""

    limits: tuple[Limit, ...]
    smallest: bool  # no set of fewer limits conflicts there; else only none of these can be left out
    scenario: str  # where it happens; "": in several together
    seconds: float
    further: tuple[Conflict, ...] = ()  # sets that conflict even if all of these limits give

    @property
    def words(self) -> str:
        """All of it as sentences."""
        if not self.limits:
            return "There is a plan: no limits conflict."
        where = f" in scenario {self.scenario}" if self.scenario else ""
        lines = [f"These limits can't hold together{where}; one of them at least must give:"]
        if len(self.limits) == 1:
            lines = [f"This limit can't hold{where}:"]
        for limit in self.limits:
            would = "It would do" if limit.enough else "Not enough alone"
            lines.append(f"- {limit.words} (`{limit.key}`)" + (f". {would}: {limit.gives}" if limit.gives else ""))
        return "\n".join([*lines, *(other.words for other in self.further)])


@dataclass(frozen=True)
class Account:
    """Watts that add up: `total` = sum of `watts` over its parts."""

    parts: tuple[str, ...]
    words: tuple[str, ...]  # what each part means
    total: Floats  # [T,S]
    watts: Floats  # [parts,T,S]


@dataclass(frozen=True)
class Stranded:
    """Where built power and installed machines go in the design hour of one scenario."""

    periods: tuple[str, ...]
    sites: tuple[str, ...]
    scenario: str
    power: Account  # of the IT power of the blocks that stand
    machines: Account  # of the nameplate of the systems that stand
    deployable: Floats  # [T,S] IT power that blocks, coolant and grid can feed at once in the design hour, W


@dataclass(frozen=True)
class Regret:
    """What it costs not to know which scenario comes. [J] each; NaN: no plan serves all there."""

    scenarios: tuple[str, ...]
    probability: Floats
    cost: Floats  # of the plan in each scenario
    foresight: Floats  # least cost had it been known
    regret: Floats  # cost - foresight
    perfect_information: float  # expected regret: what knowing it beforehand would be worth
    mean_plan: Floats  # cost in each scenario of the plan that was made for the mean demand
    mean_unmet: Floats  # share of the demand that this plan can't serve there though it must, 0 or more
    stochastic_solution: float  # expected mean_plan - expected cost; inf where that plan fails to serve what it must
    seconds: float


@dataclass(frozen=True)
class Value:
    """What an ability is worth: cost without it less cost with it."""

    name: str
    words: str
    usd: float  # inf: no plan without it
    share: float  # of the cost with it
    how: str  # "MILP, gap 0.5 %", "LP relaxation"


@dataclass(frozen=True)
class Values:
    """Value of waiting and of flexibility."""

    values: tuple[Value, ...]
    cost_usd: float  # with all of it
    seconds: float


@dataclass(frozen=True)
class Bar:
    """One uncertain figure moved to its low and its high end, all others at their best."""

    name: str  # "price of cs-4"
    key: str  # in the fleet file
    low: str  # "500 kUSD"
    high: str
    usd: tuple[float, float]  # change of the cost at low and at high; NaN: no plan there
    nameplate_w: tuple[float, float]  # change of what is installed at the end


@dataclass(frozen=True)
class Tornado:
    """Sensitivities, widest first."""

    bars: tuple[Bar, ...]
    cost_usd: float
    nameplate_w: float
    how: str  # what was solved for each end
    seconds: float


@dataclass(frozen=True)
class UnitCost:
    """Average cost of a million output tokens in a period, expected over the scenarios. Money of the period."""

    service: str  # "": all services
    system: str  # offer or API; "": all
    period: str
    mtok: float  # served in the period, expected
    usd_per_mtok: float
    parts: dict[str, float]  # "systems", "ground", "idle energy", "energy", "carbon", "metered", of usd_per_mtok


@dataclass(frozen=True)
class UnitCosts:
    """Average costs. Systems, their ground and idle energy are paid by who uses their time over the hours."""

    rows: tuple[UnitCost, ...]
    unused: Floats  # [T,S,H] share of the time of a system's working copies that nobody uses; its cost is in the rows
