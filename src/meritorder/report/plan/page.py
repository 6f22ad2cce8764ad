"""`render`: a plan, as `plan.outputs.told` gives it, as one HTML page."""

from __future__ import annotations

from meritorder.report.body import Body, whole_page
from meritorder.report.plan import demand, money, power, proof, studies
from meritorder.report.plan.schedule import schedule_table
from meritorder.report.plan.verdict import cards, headline
from meritorder.report.plan.words import Told
from meritorder.report.tables import table
from meritorder.report.text import count, safe, seconds


def render(told: Told, command: str = "", source: str = "") -> str:
    """The HTML of the report; `source`: the fleet file's text, in which figures stand with their sources."""
    body = Body()
    _verdict(body, told)
    body.section("What is ordered", schedule_table(told), lead=_ORDERS)
    body.section(
        "Megawatts",
        body.figures(power.ramp_figures(told)),
        body.figures([power.offers_figure(told)], wide=True),
        body.figures(power.stranded_figures(told)),
        power.stranded_table(told),
    )
    body.section("Power and cooling", power.headroom_table(told), body.figures(power.headroom_figures(told)))
    body.section("Demand", body.figures(demand.fan_figures(told)))
    _money(body, told)
    _studies(body, told)
    proof.section(body, told)
    _assumptions(body, told)
    _reproduction(body, told, command, source)
    return whole_page(body, told["fleet"] or "A plan", _about(told))


_ORDERS = (
    "When each order must be placed and when it is delivered, with the price that falls due. Orders of one scenario "
    "only are decided when it is known which scenario comes."
)


def _about(told: Told) -> str:
    horizon = told["horizon"]
    periods = horizon["periods"]
    services, scenarios = len(told["services"]), len(told["cost"]["scenarios"])
    rest = f"{services} services, {scenarios} scenarios" if scenarios > 1 else f"{services} services"
    since = f", continued as of {told['continued_from']}" if told["continued_from"] else ""
    return f"A plan for {periods[0]} to {periods[-1]}{since}: {rest}"


def _verdict(body: Body, told: Told) -> None:
    verdict = headline(told)
    lines = "".join(f"<li>{safe(line)}</li>" for line in verdict.lines)
    sign, css = ("✓", "verdict") if verdict.good else ("✗", "verdict missed")
    body.section(f"{sign} {verdict.title}", f"<ul>{lines}</ul>", css=css, nav=False)
    body.parts.append(cards(told))


def _money(body: Body, told: Told) -> None:
    body.section(
        "Money",
        body.figures([money.waterfall_figure(told), money.cash_figure(told)]),
        f'<p class="lead">{safe(money.penalty_line(told))}</p>',
        money.scenario_table(told),
        body.figures([money.unit_cost_figure(told)], wide=True),
        money.unit_cost_table(told),
    )


def _studies(body: Body, told: Told) -> None:
    found = told["studies"]
    if found["tornado"]:
        gaps = studies.tornado_gaps(told)
        text = f'<p class="lead">{safe(gaps)}</p>' if gaps else ""
        body.section("Sensitivities", body.figures([studies.tornado_figure(told)], wide=True), text)
    if found["prices"]:
        body.section("What binds", studies.prices_table(told), studies.slo_table(told), lead=_PRICES)
    if found["alternatives"]:
        body.section("Alternatives", studies.alternatives_table(told), lead=_ALTERNATIVES)
    if found["regret"]:
        values = studies.values_table(told) if found["values"] else ""
        body.section("Risk", studies.regret_table(told), values, lead=studies.regret_line(told))


_PRICES = (
    "Shadow prices: what one more unit of a limit saves, everything else as planned. They hold for small changes; the "
    "two columns at the right were solved anew with a unit more and a unit less."
)
_ALTERNATIVES = "Plans that cost little more and are better at something else."


def _assumptions(body: Body, told: Told) -> None:
    rows = [
        [
            safe(row["what"]),
            safe(row["value"]),
            f"{safe(row['low'])} to {safe(row['high'])}" if row["low"] else '<span class="none">none</span>',
            safe(row["confidence"]),
            safe(row["source"]),
        ]
        for row in told["assumptions"]
    ]
    columns = ["Figure", "Planned with", "Range", "Confidence", "Source"]
    listing = table(f"{len(rows)} figures that are ranges or guesses", columns, rows) if rows else ""
    body.section("Assumptions", listing, lead=_ASSUMED, anchor="assumptions")


_ASSUMED = (
    "What the plan leans on and nobody knows exactly. Figures of the fleet file have their sources in its comments, "
    "under Reproduction."
)


def _reproduction(body: Body, told: Told, command: str, source: str) -> None:
    parts = [f"<pre>{safe(command)}</pre>"] if command else []
    size = told["size"]
    rows = [
        [
            safe(told["version"]),
            str(told["seed"]),
            str(size["hours"]),
            count(size["columns"]),
            count(size["rows"]),
            ", ".join(f"{safe(name)} {seconds(value)}" for name, value in told["seconds"].items()),
        ]
    ]
    columns = ["Version", ">Seed", ">Hours of the optimisation", ">Columns", ">Rows", "Time by stage"]
    parts.append(table("The same file, options and seed give the same plan.", columns, rows))
    if source:
        parts.append(f"<details><summary>The fleet file</summary><pre>{safe(source)}</pre></details>")
    body.section("Reproduction", *parts)
