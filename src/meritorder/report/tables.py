"""The tables of a report as HTML. On narrow screens the page shows each row as a card, with `data-label` as key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meritorder.report.text import (
    NONE,
    change,
    count,
    energy,
    number,
    of_unit,
    points,
    safe,
    seconds,
    share,
    watts,
)
from meritorder.simulate.columns import latency
from meritorder.simulate.store import Run


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a header cell a column and a row; columns named with a leading `>` are set flush right.

    Cells are HTML already: `safe` what comes from a user.
    """
    names = [column.lstrip(">") for column in columns]
    right = [' class="number"' if column.startswith(">") else "" for column in columns]
    head = "".join(f'<th scope="col"{r}>{safe(n)}</th>' for n, r in zip(names, right, strict=True))
    body = []
    for row in rows:
        cells = [f'<th scope="row">{row[0]}</th>']
        cells += [
            f'<td{r} data-label="{safe(n)}">{cell}</td>'
            for n, r, cell in zip(names[1:], right[1:], row[1:], strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="table"><table><caption>{safe(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def met(row: dict[str, Any]) -> str:
    """A service's verdict in a sign and words."""
    if row["slo_met"] is None:
        return '<span class="none">not judged</span>'
    if row["slo_met"]:
        return '<span class="good">✓ met</span>'
    short = row["slo"]["percentile"] - row["slo_attainment"]
    return f'<span class="bad">✗ missed</span> by {points(short).replace("percentage ", "")}'


def bar(value: float | None, goal: float | None = None) -> str:
    """A share as number and small bar, with a mark at its target."""
    if value is None:
        return NONE
    mark = f'<i style="left:{100 * goal:.2f}%"></i>' if goal is not None else ""
    filled = f'<b style="width:{100 * min(value, 1):.2f}%"></b>'
    return f'{share(value)}<span class="bar" aria-hidden="true">{filled}{mark}</span>'


def slo_table(run: Run) -> str:
    """Service levels of one run."""
    ttft, tpot = latency(run.requests, "ttft_s"), latency(run.requests, "tpot_s")
    rows = []
    for i, (name, row) in enumerate(run.summary["by_service"].items()):
        slo = row["slo"]
        mine = run.requests["service"] == i
        lost = {key: row[key] for key in ("rejected", "shed", "cancelled", "unreached", "lost") if row[key]}
        rows.append(
            [
                safe(name),
                count(row["requests"]),
                bar(row["slo_attainment"], slo["percentile"]),
                share(slo["percentile"]),
                met(row),
                _against(_at(ttft[mine], slo["percentile"]), slo["ttft_s"], seconds, lower=True),
                _against(_rate(tpot[mine], slo["percentile"]), slo["token_rate"], _tokens, lower=False),
                ", ".join(f"{count(n)} {key}" for key, n in lost.items()) or "all",
                safe(run.summary["limits"]["services"][name]["text"]),
            ]
        )
    columns = ["Service", ">Requests", "Within targets", ">Wanted", "Verdict", ">TTFT at that share"]
    columns += [">Token rate at that share", "Served", "Why targets were missed"]
    return table("Service levels: a request counts when it keeps the TTFT and the token rate target.", columns, rows)


def _at(values: Any, q: float) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.quantile(known, q)) if len(known) else None


def _rate(tpot: Any, q: float) -> float | None:
    slowest = _at(tpot, q)
    return 1.0 / slowest if slowest else None


def _tokens(value: float | None) -> str:
    return number(value, "tok/s")


def _against(value: float | None, goal: float | None, show: Any, lower: bool) -> str:
    """A value with its target beside it, marked where it misses."""
    if goal is None or value is None:
        return str(show(value))
    kept = value <= goal if lower else value >= goal
    sign = "≤" if lower else "≥"
    return f'<span class="{"good" if kept else "bad"}">{show(value)}</span> <small>{sign} {show(goal)}</small>'


def slo_matrix(runs: list[Run]) -> str:
    """Service levels of several runs."""
    rows = []
    for run in runs:
        by_service = run.summary["by_service"]
        cells = [f"{bar(row['slo_attainment'], row['slo']['percentile'])} {met(row)}" for row in by_service.values()]
        cost = number(run.summary["usd_per_good_mtok"])
        rows.append([safe(run.name), *cells, cost, number(run.summary["energy_j_per_output_token"])])
    goals = runs[0].summary["by_service"]
    names = [f"{name} (wants {share(goals[name]['slo']['percentile'])})" for name in runs[0].services]
    columns = ["Run", *names, ">USD per million tokens within targets", ">IT J per output token"]
    return table("Service levels, cost and energy of every run.", columns, rows)


def comparison_table(comparison: dict[str, Any]) -> str:
    """Metrics of several runs with the differences to the first."""
    names = [run["name"] for run in comparison["runs"]]
    rows = []
    for row in comparison["metrics"]:
        cells = [safe(row["label"]), of_unit(row["values"][0], row["unit"])]
        for value, difference in zip(row["values"][1:], row["differences"], strict=True):
            cells.append(f"{of_unit(value, row['unit'])} <small>{_change(difference, row)}</small>")
        rows.append(cells)
    columns = ["Metric", f">{names[0]} (reference)", *(f">{name}" for name in names[1:])]
    return table("Differences to the first run: ✓ better, ✗ worse, ≈ can't be told from chance.", columns, rows)


def _change(difference: dict[str, Any], row: dict[str, Any]) -> str:
    sign, words = change(difference, row)
    css = {"✓": "good", "✗": "bad"}.get(sign, "none")
    return f'<span class="{css}">{sign} {words}</span>'.replace(" </span>", "</span>")


def pool_table(run: Run) -> str:
    """Load, energy, cost and speed of every pool."""
    rows = [
        [
            f"{safe(name)} <small>{safe(_described(row))}</small>",
            count(row["replicas"]),
            count(row["requests"]),
            bar(row["utilisation"]),
            number(row["mean_batch"]),
            bar(row["kv_occupancy"]),
            share(row["hit_ratio"]),
            count(row["preemptions"]),
            _median_and_p99(row["ttft_s"]),
            _median_and_p99(row["tpot_s"]),
            watts(row["mean_w"]),
            number(row["energy_j_per_output_token"]),
            number(row["usd_per_mtok"]),
        ]
        for name, row in run.summary["by_pool"].items()
    ]
    columns = ["Pool", ">Replicas", ">Requests", "Busy", ">Batch", "KV in use", ">Prefix hits", ">Preempted"]
    columns += [">TTFT", ">Time per token", ">IT power", ">J per token", ">USD per Mtok"]
    return table(
        "Pools: means over the run; batch is the mean of running sequences while busy; J and USD are per output token.",
        columns,
        rows,
    )


def _described(row: dict[str, Any]) -> str:
    """A pool's machine, site and, where it has one, role."""
    return f"{row['machine']} at {row['site']}" + (f", {row['role']}" if row["role"] != "both" else "")


def _median_and_p99(times: Mapping[str, float | None]) -> str:
    """Both, or that there are none: a pool that only computes prompts makes no further tokens."""
    return seconds(times["p50"]) + (f" <small>p99 {seconds(times['p99'])}</small>" if times["p99"] is not None else "")


def transfer_table(run: Run) -> str:
    """KV caches sent between pools; nothing where there are none."""
    rows = [
        [safe(row["prefill"]), safe(row["decode"]), count(row["requests"])]
        + [seconds(row["transfer_s"][key]) for key in ("mean", "p50", "p99")]
        for row in run.summary["transfers"]
    ]
    caption = "KV caches sent: from the end of a prompt's computation until decoding can begin (room, link and wire)."
    columns = ["Prompt computed in", "Decoded in", ">Requests", ">Mean", ">Median", ">p99"]
    return table(caption, columns, rows) if rows else ""


def return_table(run: Run) -> str:
    """Prefixes that came back from slow tiers; nothing where none did."""
    rows = [
        [safe(row["pool"]), count(row["requests"]), count(row["tokens"]), share(row["share"])]
        + [seconds(row["return_s"][key]) for key in ("mean", "p50", "p99")]
        for row in run.summary["returns"]
    ]
    caption = "Prefixes from the slow tier: they are among the prefix hits; the wait is for the link and the wire."
    columns = ["Pool", ">Requests", ">Tokens", ">Of all prompt tokens", ">Mean", ">Median", ">p99"]
    return table(caption, columns, rows) if rows else ""


def site_table(run: Run) -> str:
    """Energy, cost and carbon of every site."""
    rows = [
        [
            safe(name),
            count(row["requests"]),
            number(row["pue"]),
            watts(row["mean_w"]),
            watts(row["peak_bin_w"]),
            energy(row["energy_j"]),
            energy(row["facility_energy_j"]),
            number(row["cost_usd"]),
            number(row["carbon_kg"]),
        ]
        for name, row in run.summary["by_site"].items()
    ]
    columns = ["Site", ">Requests", ">PUE", ">Mean IT power", ">Peak IT power", ">IT energy", ">Facility energy"]
    return table("Sites. Facility energy is IT energy times PUE.", [*columns, ">USD", ">kg CO2"], rows)


def limits_table(run: Run) -> str:
    """How long each pool was at which bound."""
    rows = [
        [
            safe(name),
            safe(row["text"]),
            *(bar(row[f"{key}_share"]) for key in ("kv_full", "sequences_full", "waiting", "busy", "idle")),
        ]
        for name, row in run.summary["limits"]["pools"].items()
    ]
    columns = ["Pool", "What limited it", "KV full", "Sequences full", "Requests waiting", "Busy ≥ 95%", "Busy < 5%"]
    return table("Share of the time that each pool stood at a bound (means over the pool, by bins).", columns, rows)


def routing_table(run: Run) -> str:
    """Requests of each service to each pool with the reasons."""
    rows = []
    for service, pools in run.summary["routing"].items():
        total = run.summary["by_service"][service]["requests"] or 1
        for pool, cell in sorted(pools.items(), key=lambda item: -item[1]["requests"]):
            reasons = sorted(cell["reasons"].items(), key=lambda item: -item[1])
            why = ", ".join(f"{safe(reason)} {share(n / cell['requests'])}" for reason, n in reasons)
            rows.append([safe(service), safe(pool), count(cell["requests"]), bar(cell["requests"] / total), why])
    caption = "Where requests went."
    if run.summary["transfers"]:
        caption += " Pools that only compute prompts hand them on: the KV caches sent stand below."
    return table(caption, ["Service", "Pool", ">Requests", "Of the service", "Why"], rows)
