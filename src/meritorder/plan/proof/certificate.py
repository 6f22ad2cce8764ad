"""`Certificate`: which promises of a plan hold in simulation, and how far plan and simulator are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from meritorder.plan.horizon import calendar_year
from meritorder.plan.instance import Floats
from meritorder.plan.proof.correct import Round
from meritorder.plan.proof.observe import Kept

Verdict = Literal["holds", "does not hold", "can't say"]


@dataclass(frozen=True)
class Promise:
    """One service in one case."""

    service: str
    case: str
    kind: str  # "worst hour", "site", "supplier", "late", "curtail", "day"
    year: str
    demand_share: float  # of its demand that is to be served then
    target: float  # share of the requests that must keep the service level
    kept: float  # of those simulated
    low: float  # 95 % interval
    high: float
    requests: int  # judged
    verdict: Verdict
    why: str  # what kept the others from it

    @property
    def words(self) -> str:
        """One sentence."""
        served = "" if self.demand_share > 0.9995 else f" of {self.demand_share:.1%} of the demand"
        found = f"{self.kept:.2%} ({self.low:.2%} to {self.high:.2%}) of {self.requests:,} requests{served} kept it"
        cause = f", the others mostly for {self.why}" if self.why and self.verdict != "holds" else ""
        return f"{self.service}: {self.verdict}; {found}, {self.target:.3g} wanted{cause}"


@dataclass(frozen=True)
class CapacityError:
    """How much of a year's design hour some services' machines carry."""

    year: str
    period: str
    services: tuple[str, ...]
    planned: float  # factor on the demand by the plan's rates, all machines up
    simulated: float
    error: float  # planned / simulated - 1
    low: float  # 95 % interval of it, as far as factors were tried
    high: float
    sampled: int  # one replica and one request of so many were simulated


@dataclass(frozen=True)
class HourFigure:
    """A quantity of a worst hour."""

    case: str
    what: str
    unit: str
    planned: float
    simulated: float
    error: float


@dataclass(frozen=True)
class Certificate:
    """The proof of a plan. Errors are relative, above 0 where the plan says more than the simulator."""

    holds: bool  # every promise does
    error: float  # largest capacity error of the plan as it is, either way
    lines: tuple[str, ...]  # what a planning meeting reads first
    promises: tuple[Promise, ...]
    capacities: tuple[CapacityError, ...]
    before: tuple[tuple[CapacityError, ...], ...]  # the same of the plans before, by round of corrections
    hours: tuple[HourFigure, ...]
    corrections: Floats  # [T,F] factors on the rates that capacities alone had given
    sampled: tuple[str, ...]  # which part of which case was simulated
    left_out: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it as Markdown."""
        parts = ["# Certificate", "", *(f"- {line}" for line in self.lines), "", "## Promises", ""]
        for case in dict.fromkeys(promise.case for promise in self.promises):
            parts += [f"**{case}**", "", *(f"- {p.words}" for p in self.promises if p.case == case), ""]
        parts += ["## Planner against simulator", "", *_table(self.capacities, self.before), ""]
        if self.hours:
            parts += ["| hour | what | planned | simulated | error |", "|---|---|---:|---:|---:|"]
            parts += [
                f"| {h.case} | {h.what} | {h.planned:.4g} {h.unit} | {h.simulated:.4g} {h.unit} | {h.error:+.1%} |"
                for h in self.hours
            ]
            parts.append("")
        for title, lines in (("What was simulated of it", self.sampled), ("What was left out", self.left_out)):
            parts += [f"## {title}", "", *(f"- {line}" for line in lines), ""] if lines else []
        return "\n".join(parts)


def verdict_of(found: Kept | None, target: float) -> Verdict:
    """A promise holds only where its whole interval does."""
    if found is None:
        return "can't say"
    if found.low >= target:
        return "holds"
    return "does not hold" if found.high < target else "can't say"


def capacity_errors(names: Sequence[str], compared: Round) -> tuple[CapacityError, ...]:
    """The edges of a round; `names`: of the periods."""
    return tuple(
        CapacityError(
            year=calendar_year(names[edge.period]),
            period=names[edge.period],
            services=edge.services,
            planned=edge.planned,
            simulated=edge.simulated,
            error=edge.error,
            low=edge.interval[0],
            high=edge.interval[1],
            sampled=edge.part.k,
        )
        for edge in compared.edges
    )


def summary(promises: Sequence[Promise], errors: Sequence[CapacityError], first: Sequence[CapacityError]) -> list[str]:
    """What is read first."""
    holding = sum(promise.verdict == "holds" for promise in promises)
    lines = [f"{holding} of {len(promises)} promises hold in simulation"]
    for verdict, words in (("does not hold", "broken"), ("can't say", "open, as intervals reach over their targets")):
        those = [f"{promise.service} in {promise.case}" for promise in promises if promise.verdict == verdict]
        if those:
            lines.append(f"{len(those)} {words}: {_listed(those)}")
    if errors:
        worst = max(errors, key=lambda one: abs(one.error))
        side = "more than the simulator carries" if worst.error > 0 else "less than the simulator carries"
        before = max(abs(one.error) for one in first)
        lines.append(
            f"capacities: the plan says at most {abs(worst.error):.1%} {side} "
            f"({', '.join(worst.services)} in {worst.period}); {before:.1%} before anything was corrected"
        )
    return lines


def _listed(words: list[str], most: int = 4) -> str:
    rest = len(words) - most
    return "; ".join(words[:most]) + (f"; and {rest} more" if rest > 0 else "")


def _side(error: float) -> str:
    """An end of an interval; unknown where no factor that was tried surely held, or surely failed."""
    return f"{error:+.0%}" if -1.0 < error < float("inf") else "?"


def _table(last: Sequence[CapacityError], before: Sequence[Sequence[CapacityError]]) -> list[str]:
    if not last:
        return ["No capacity could be compared."]
    rows = ["| year | services | by the plan | simulated | error | in earlier rounds |", "|---|---|---:|---:|---:|---|"]
    for one in last:
        same = [e.error for entries in before for e in entries if (e.year, e.services) == (one.year, one.services)]
        was = ", ".join(f"{error:+.1%}" for error in same)
        rows.append(
            f"| {one.period} | {', '.join(one.services)} | {one.planned:.3f} | {one.simulated:.3f} | "
            f"{one.error:+.1%} ({_side(one.low)} to {_side(one.high)}) | {was} |"
        )
    rows += ["", "Factors on the demand of the design hour that the machines carry, all of them up."]
    return rows
