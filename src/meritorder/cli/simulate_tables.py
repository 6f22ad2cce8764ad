"""What `merit simulate` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meritorder.simulate.store import Run
    from meritorder.workload.trace import Trace


_LOST = {
    "rejected": "too long for every pool",
    "shed": "refused by the policy",
    "cancelled": "cancelled by the client",
    "unreached": "behind one of these in its session",
    "lost": "lost because a machine failed",
}


def print_runs(runs: list[Run], trace: Trace) -> None:
    """Service levels, latency, energy and cost of every run, a line each, in 80 columns where names allow it."""
    from rich.text import Text

    from meritorder.cli.output import console, results
    from meritorder.cli.simulate_sites import print_sites
    from meritorder.report import text

    out = results()
    span, wall_s = runs[0].summary["span_s"], sum(run.summary["wall_s"] for run in runs)
    speed = sum(run.summary["requests"] for run in runs) / wall_s if wall_s else 0.0
    out.print(Text(f"{trace.source}: {len(trace):,} requests over {text.seconds(span)}"))
    out.print(Text(f"simulated in {text.seconds(wall_s)}: {speed:,.0f} requests per second of it\n"), style="dim")
    out.print(_service_levels(runs), "")
    out.print(_totals(runs))
    if "ranges" in runs[0].summary:
        out.print("", _ranges(runs))
    print_sites(runs)
    for run in runs:
        lost = [f"{run.summary[key]:,} {words}" for key, words in _LOST.items() if run.summary[key]]
        if lost:
            out.print(Text(f"not served by {run.name}: {', '.join(lost)}"), soft_wrap=True)
        for row in run.summary["transfers"]:
            spread = row["transfer_s"]
            times = f"{text.seconds(spread['p50'])} at the median, p99 {text.seconds(spread['p99'])}"
            words = f"{run.name}: {row['requests']:,} KV caches sent from {row['prefill']} to {row['decode']}, {times}"
            out.print(Text(words), soft_wrap=True)
        for row in run.summary["returns"]:
            spread = row["return_s"]
            times = f"{text.seconds(spread['p50'])} at the median, p99 {text.seconds(spread['p99'])}"
            words = f"{run.name}: {row['tokens']:,} prompt tokens came back from the slow tier of {row['pool']}"
            out.print(Text(f"{words} for {row['requests']:,} requests, {times}"), soft_wrap=True)
    guessed = ", ".join(f"{name} {len(lines)}" for name, lines in runs[0].summary["notes"].items())
    if guessed:
        words = f"note: inputs that are guesses or ranges, by pool: {guessed}; `merit check` lists them"
        console().print(Text(words, style="dim"), soft_wrap=True)
    for line in runs[0].summary.get("ranges", {}).get("missing", ()):
        console().print(Text(f"note: no results {line}", style="yellow"), soft_wrap=True)
    for line in dict.fromkeys(warning for run in runs for warning in run.summary["warnings"]):
        console().print(Text(f"note: {line}", style="yellow"), soft_wrap=True)


def _service_levels(runs: list[Run]) -> object:
    from rich.text import Text

    from meritorder.cli.output import table
    from meritorder.report import text

    goals = {name: runs[0].summary["by_service"][name]["slo"]["percentile"] for name in runs[0].services}
    headings = (f">{name}\n{text.share(goal)} wanted" for name, goal in goals.items())
    shown = table("Requests within their SLO", ("policy", *headings))
    for run in runs:
        cells = []
        for name in run.services:
            row = run.summary["by_service"][name]
            mark, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "")}[row["slo_met"]]
            cells.append(Text(f"{text.share(row['slo_attainment'])} {mark}", style=style))
        shown.add_row(run.name, *cells)
    return shown


def _totals(runs: list[Run]) -> object:
    from meritorder.cli.output import table
    from meritorder.report import text

    columns = (">TTFT\np50", ">\np99", ">TPOT\np50", ">\np99", ">IT\nenergy", ">cost\nUSD", ">USD\nper Mtok")
    lost = any(_not_served(run) for run in runs)
    shown = table("Latency, energy and cost", ("policy", *columns, *((">not\nserved",) if lost else ())))
    for run in runs:
        s = run.summary
        cells = [
            text.seconds(s["ttft_s"]["p50"]),
            text.seconds(s["ttft_s"]["p99"]),
            text.seconds(s["tpot_s"]["p50"]),
            text.seconds(s["tpot_s"]["p99"]),
            text.energy(s["energy_j"]),
            text.number(s["cost_usd"]),
            text.number(s["usd_per_mtok"]),
        ]
        shown.add_row(run.name, *cells, *((text.count(_not_served(run)),) if lost else ()))
    return shown


def _ranges(runs: list[Run]) -> object:
    """Low and high of each figure, with uncertain machines at both ends of their ranges."""
    from meritorder.cli.output import table
    from meritorder.report import text

    services = [f">{name}\nin SLO" for name in runs[0].services]
    columns = (*services, ">TTFT\np99", ">TPOT\np50", ">IT\nenergy", ">USD/\nMtok")
    machines = ", ".join(runs[0].summary["ranges"]["machines"])
    shown = table(f"Ranges, with {machines} at both ends of what is known", ("policy", *columns))
    for run in runs:
        shown.add_row(run.name)
        for end in ("low", "high"):
            shown.add_row(
                f"  {end}",
                *(text.share(_end(run, end, "slo_attainment", name)) for name in run.services),
                text.seconds(_end(run, end, "ttft_s", "p99")),
                text.seconds(_end(run, end, "tpot_s", "p50")),
                text.energy(_end(run, end, "energy_j")),
                text.number(_end(run, end, "usd_per_mtok")),
            )
    return shown


def _end(run: Run, end: str, *path: str) -> Any:
    """A figure of the summary at an end of its range; the figure itself where it has none."""
    value, ranged = run.summary, run.summary["ranges"]["figures"]
    for key in path:
        value, ranged = value[key], ranged.get(key, {})
    return ranged.get(end, value)


def _not_served(run: Run) -> int:
    return sum(run.summary[key] for key in _LOST)
