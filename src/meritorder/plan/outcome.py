"""`Build` and `Operation`: what the optimisation decided, and how the fleet then runs in each hour and scenario."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.plan.instance import Bools, Floats


@dataclass(frozen=True)
class Build:
    """What stands when. Axes as in `Instance`."""

    blocks: Floats  # [T,B] that stand, those of the start among them; whole numbers
    open: Bools  # [T,S]
    delivered: Floats  # [T,S,H] systems that come in t, those of the option among them
    option: Floats  # [T,H] of them from the option
    systems: Floats  # [T,S,H] in service, those that stood before among them
    placed: Floats  # [T,S,H,M] of them with a model loaded
    battery_j: Floats  # [T,S] bought up to and with t
    untaken: Floats  # [H] systems paid for and not taken


@dataclass(frozen=True)
class Operation:
    """How it runs. Power in watts."""

    served: Floats  # [T,R,J,F] requests/s by way
    unmet: Floats  # [T,K,R,J] requests/s
    it_w: Floats  # [T,R,J,B]
    facility_w: Floats  # [T,R,J,S] without batteries
    grid_w: Floats  # [T,R,J,S] with them


@dataclass(frozen=True)
class Costs:
    """USD by scenario, discounted, of the whole horizon."""

    systems: Floats  # [T,J]
    blocks: Floats  # [T,J]
    batteries: Floats  # [T,J]
    opening: Floats  # [T,J]
    untaken: Floats  # [J]
    energy: Floats  # [T,J]
    carbon: Floats  # [T,J] at the policy's price
    metered: Floats  # [T,J] APIs and egress
    unmet: Floats  # [T,J] the penalty, which nobody pays; services that must be served are not in it

    @property
    def built(self) -> Floats:
        """[J] what is decided beforehand."""
        total: Floats = (self.systems + self.blocks + self.batteries + self.opening).sum(axis=0) + self.untaken
        return total

    @property
    def paid(self) -> Floats:
        """[J] all but the penalty."""
        total: Floats = self.built + (self.energy + self.carbon + self.metered).sum(axis=0)
        return total

    @property
    def by_scenario(self) -> Floats:
        """[J] all of it, penalty included."""
        total: Floats = self.paid + self.unmet.sum(axis=0)
        return total


@dataclass(frozen=True)
class Plan:
    """A solved instance."""

    build: Build
    builds: tuple[Build, ...]  # [J]; all the same unless scenarios part (`decided`)
    operation: Operation
    costs: Costs
    objective: float  # USD: expected cost + aversion x CVaR
    bound: float  # no plan costs less
    seconds: float
    columns: int
    rows: int

    @property
    def gap(self) -> float:
        """Relative distance to the bound."""
        return abs(self.objective - self.bound) / max(abs(self.objective), 1.0)
