"""`write_report`: runs as one HTML file that holds everything it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meritorder.files import write_text
from meritorder.problems import InputError, Problem
from meritorder.report import contingency as losses
from meritorder.report import figures, site_figures, site_tables, tables
from meritorder.report.body import Body, tabs, whole_page
from meritorder.report.halls import hall_section
from meritorder.report.range_table import range_table
from meritorder.report.text import count, energy, number, safe, seconds, share
from meritorder.report.verdict import best, headline
from meritorder.simulate.compare import compare
from meritorder.simulate.store import Run

_ASSUMPTIONS = "assumptions"  # anchor of the section that the first screen points to


def write_report(
    runs: Run | Sequence[Run], path: Path, command: str = "", comparison: dict[str, Any] | None = None
) -> None:
    """Write the report on one run, or on several side by side, to `path` (HTML).

    `command` is shown for reproduction; `comparison` spares computing `compare(runs)` again.
    Raises InputError where the file can't be written, or where the runs have different services.
    """
    shown = [runs] if isinstance(runs, Run) else list(runs)
    for other in shown[1:]:
        if other.services != shown[0].services:
            what = f"has the services {', '.join(other.services)}, not {', '.join(shown[0].services)}"
            raise InputError(Problem(what, where=other.name, fix="compare runs of the same services"))
    write_text(path, render(shown, command, comparison))


def render(
    runs: list[Run],
    command: str = "",
    comparison: dict[str, Any] | None = None,
    contingency: dict[str, Any] | None = None,
) -> str:
    """The HTML of the report; `contingency`: what `simulate.contingency.study` found beside the base case's run."""
    body = Body()
    first = runs[0]
    if contingency is not None:
        _contingencies(body, contingency)
    _verdict(body, runs)
    if len(runs) > 1:
        body.section("Service levels", tables.slo_matrix(runs))
        _policies(body, runs, comparison or compare(runs))
        body.section("One run in detail", tabs("run", [run.name for run in runs]), css="pick", nav=False)
    for i, run in enumerate(runs):
        if len(runs) > 1:
            body.open_panel(f"run-{i}", hidden=i > 0)
        _details(body, run, nav=i == 0, several=len(runs) > 1)
        if len(runs) > 1:
            body.close_panel()
    _assumptions(body, runs)
    _reproduction(body, runs, command)
    return whole_page(body, first.summary["fleet"] or first.name, _about(runs))


def _about(runs: list[Run]) -> str:
    first = runs[0].summary
    source = first["trace"]["source"] or "traffic of unknown source"
    what = f"{count(first['requests'])} requests over {seconds(first['span_s'])}: {source}"
    if len(runs) == 1:
        return f"Policy {first['policy']}. {what}"
    return f"{len(runs)} runs side by side. {what}"


def _verdict(body: Body, runs: list[Run]) -> None:
    verdict = headline(runs)
    lines = "".join(f"<li>{safe(line)}</li>" for line in verdict.lines)
    sign = "✓" if verdict.good else "✗"
    css = "verdict" if verdict.good else "verdict missed"
    body.section(f"{sign} {verdict.title}", f"<ul>{lines}</ul>", css=css, nav=False)
    shown = best(runs)
    s = shown.summary
    cards = [
        ("Cost per million tokens in time", number(s["usd_per_good_mtok"], "USD"), _cost_of_all(s)),
        ("Cost of the fleet", number(_per_hour(s["cost_usd"], s["span_s"]), "USD/h"), _cost_parts(s)),
        ("Goodput", number(s["goodput"]["tokens_per_s"], "tok/s"), f"of {number(s['tokens_per_s'], 'tok/s')} served"),
        ("IT energy per output token", number(s["energy_j_per_output_token"], "J"), _energy_parts(s)),
        ("Time to first token", seconds(s["ttft_s"]["p50"]), f"p99 {seconds(s['ttft_s']['p99'])}"),
        ("Time per output token", seconds(s["tpot_s"]["p50"]), f"p99 {seconds(s['tpot_s']['p99'])}"),
        ("Completed", share(s["completed"] / s["requests"] if s["requests"] else None), _lost(s)),
    ]
    items = "".join(
        f"<div><dt>{safe(k)}</dt><dd>{safe(v)}<small>{safe(note)}</small></dd></div>" for k, v, note in cards
    )
    if len(runs) > 1:
        body.parts.append(f'<p class="lead">The figures below are those of {safe(shown.name)}:</p>')
    body.parts.append(f'<dl class="cards">{items}</dl>{_leaning(shown)}')
    if len(runs) == 1:
        body.section("Service levels", tables.slo_table(shown))


def _leaning(run: Run) -> str:
    """Which machines' figures are guesses, with a link to the list, so that nobody takes a cost for measured."""
    notes = run.summary["notes"]
    if not notes:
        return ""
    machines = {name: run.summary["by_pool"][name]["machine"] for name in notes}
    kinds = {name: "" if name == machine else f" ({machine})" for name, machine in machines.items()}
    pools = ", ".join(f"{name}{kinds[name]} {len(lines)}" for name, lines in notes.items())
    return (
        '<p class="leaning">Some inputs are guesses or ranges, and these figures lean on them; '
        f"so many by pool: {safe(pools)}. "
        f'<a href="#{_ASSUMPTIONS}">Which, and how wide</a></p>'
    )


def _per_hour(value: float, span_s: float) -> float | None:
    return value * 3600.0 / span_s if span_s else None


def _cost_of_all(s: dict[str, Any]) -> str:
    return f"output tokens within targets; {number(s['usd_per_mtok'], 'USD')} of all served"


def _cost_parts(s: dict[str, Any]) -> str:
    total = s["cost_usd"]
    power = s["costs"]["energy_usd"] + s["costs"]["carbon_usd"]
    return f"{share(power / total)} of it energy and carbon" if total else ""


def _energy_parts(s: dict[str, Any]) -> str:
    idle = share(s["idle_energy_j"] / s["energy_j"]) if s["energy_j"] else "0 %"
    return f"{energy(s['facility_energy_j'])} of facility energy; {idle} of IT is idle"


def _lost(s: dict[str, Any]) -> str:
    lost = [f"{count(s[key])} {key}" for key in ("rejected", "shed", "cancelled", "unreached", "lost") if s[key]]
    return ", ".join(lost) or "all requests"


def _contingencies(body: Body, told: dict[str, Any]) -> None:
    title, good = losses.headline(told)
    parts = (body.figures([losses.contingency_figure(told)], wide=True), losses.contingency_table(told))
    css = "verdict" if good else "verdict missed"
    body.section(title, losses.sentences(told), css=css, nav=False)
    body.section("Losses, one at a time", *parts, lead=losses.lead(told))


def _policies(body: Body, runs: list[Run], comparison: dict[str, Any]) -> None:
    made = [figures.cost_attainment_figure(runs), figures.attainment_figure(runs)]
    parts = [body.figures(made)]
    parts.append(tables.comparison_table(comparison))
    note = comparison["method"]
    unpaired = [run.name for run, paired in zip(runs, comparison["paired"], strict=True) if not paired]
    if unpaired:
        note += f" Not the same requests as in the first run, so not paired: {', '.join(unpaired)}."
    parts.append(f'<p class="lead">{safe(note)}</p>')
    body.section("Comparison", *parts, body.figures([figures.energy_figure(runs)], wide=True))
    panels = []
    for i, service in enumerate(runs[0].services):
        made = figures.policy_latency_figures(runs, service)
        panels.append(f'<div data-panel="service-{i}"{" hidden" if i else ""}>{body.figures(made)}</div>')
    body.section("Latency by run", tabs("service", runs[0].services), *panels)


def _details(body: Body, run: Run, nav: bool, several: bool) -> None:
    if several:
        body.section(f"Service levels, {run.name}", tables.slo_table(run), nav=False)
    if "ranges" in run.summary:
        gaps = "".join(f'<p class="lead">No results {safe(line)}.</p>' for line in run.summary["ranges"]["missing"])
        body.section("Ranges", range_table(run), gaps, nav=nav)
    by_service = figures.latency_figures(run, "service")
    by_pool = figures.latency_figures(run, "pool")
    pairs = [figure for pair in zip(by_service, by_pool, strict=True) for figure in pair]
    body.section(
        "What limited what",
        body.figures([figures.misses_figure(run)], wide=True),
        tables.limits_table(run),
        nav=nav,
    )
    body.section("Latency", body.figures(pairs), nav=nav)
    body.section("Over time", body.figures(figures.series_figures(run)), nav=nav)
    _sites(body, run, nav)
    parts = (body.figures([figures.flow_figure(run)], wide=True), tables.routing_table(run), tables.transfer_table(run))
    body.section("Routing", *parts, nav=nav)
    if run.summary.get("halls"):
        body.section("Halls", hall_section(run.summary["halls"], str(len(body.parts))), nav=nav)
    body.section("Pools and sites", tables.pool_table(run), tables.return_table(run), tables.site_table(run), nav=nav)


def _sites(body: Body, run: Run, nav: bool) -> None:
    """Power, heat and limits of the sites, where there is a site model; else what services took, by constant PUE."""
    if not run.summary["sites"]:
        body.section("Footprint", site_tables.footprint_table(run), site_tables.lines_list(run), nav=nav)
        return
    timeline = site_figures.timeline_figure(run)
    each = [figure for place in site_figures.shown_sites(run) for figure in site_figures.site_figures(run, *place)]
    body.section(
        "Power, heat and limits",
        site_tables.lines_list(run),
        body.figures([timeline], wide=True) if timeline else "",
        body.figures(each),
        body.figures(site_figures.sites_figures(run)),
        site_tables.site_model_table(run),
        site_tables.footprint_table(run),
        nav=nav,
    )


def _assumptions(body: Body, runs: list[Run]) -> None:
    notes: dict[str, list[str]] = {}
    for run in runs:
        for pool, lines in run.summary["notes"].items():
            for line in lines:
                pools = notes.setdefault(line, [])
                if pool not in pools:
                    pools.append(pool)
    warnings = list(dict.fromkeys(line for run in runs for line in run.summary["warnings"]))
    parts = []
    if notes:
        items = "".join(f"<li><b>{safe(', '.join(pools))}</b>: {safe(line)}</li>" for line, pools in notes.items())
        parts.append(f"<h3>Machine models that lean on guesses or ranges</h3><ul>{items}</ul>")
    if warnings:
        parts.append(f"<h3>Traffic</h3><ul>{''.join(f'<li>{safe(line)}</li>' for line in warnings)}</ul>")
    rules = (
        "Percentiles interpolate linearly between order statistics of completed requests.",
        "A client that gave up counts as a miss only if a target had already been broken; rejected, shed and never "
        "reached requests are misses.",
        "Every replica is paid for and idles over the whole span, used or not. Facility energy is IT energy, "
        "losses and cooling, by the site model, or IT energy times a constant PUE.",
        "A wait counts as the cause of a late first token if without it the target would have been met; it holds the "
        "network, the front end and the engine's queue.",
    )
    parts.append(f"<h3>How things are counted</h3><ul>{''.join(f'<li>{safe(rule)}</li>' for rule in rules)}</ul>")
    body.section("Warnings and assumptions", *parts, anchor=_ASSUMPTIONS)


def _reproduction(body: Body, runs: list[Run], command: str) -> None:
    import orjson

    parts = [f"<pre>{safe(command)}</pre>"] if command else []
    rows = [
        [
            safe(run.name),
            safe(run.summary["policy"]),
            str(run.summary["seed"]),
            safe(run.summary["trace"]["source"]),
            safe(run.summary["version"]),
            seconds(run.summary["wall_s"]),
            count(run.summary["requests_per_wall_s"]),
        ]
        for run in runs
    ]
    columns = ["Run", "Policy", "Seed", "Traffic", "Version", ">Kernel time", ">Requests per second of it"]
    parts.append(tables.table("The same seed and inputs give the same bits.", columns, rows))
    for text, names in _fleets(runs, orjson).items():
        label = "Fleet" if len(runs) == 1 else f"Fleet of {', '.join(names)}"
        parts.append(f"<details><summary>{safe(label)}, all names resolved</summary><pre>{safe(text)}</pre></details>")
    body.section("Reproduction", *parts)


def _fleets(runs: list[Run], orjson: Any) -> dict[str, list[str]]:
    """Each fleet that differs from the others (but for the policy), with its runs."""
    found: dict[str, list[str]] = {}
    for run in runs:
        fleet = {key: value for key, value in run.fleet.items() if key != "dispatch"}
        found.setdefault(orjson.dumps(fleet, option=orjson.OPT_INDENT_2).decode(), []).append(run.name)
    return found
