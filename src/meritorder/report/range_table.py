"""The table of figures whose range is known because a machine's figures are ranges."""

from __future__ import annotations

from typing import Any

from meritorder.report.tables import table
from meritorder.report.text import energy, number, safe, seconds, share
from meritorder.simulate.store import Run

_RANGED = (
    ("TTFT, median", ("ttft_s", "p50"), seconds),
    ("TTFT, p99", ("ttft_s", "p99"), seconds),
    ("Time per token, median", ("tpot_s", "p50"), seconds),
    ("Time per token, p99", ("tpot_s", "p99"), seconds),
    ("Tokens per second within targets", ("goodput", "tokens_per_s"), number),
    ("IT energy", ("energy_j",), energy),
    ("IT J per output token", ("energy_j_per_output_token",), number),
    ("Cost, USD", ("cost_usd",), number),
    ("USD per million tokens", ("usd_per_mtok",), number),
    ("USD per million tokens within targets", ("usd_per_good_mtok",), number),
)


def range_table(run: Run) -> str:
    """Figures whose range is known, with uncertain machines at both ends of theirs."""
    services = [(f"{name} within targets", ("slo_attainment", name), share) for name in run.services]
    rows = []
    for label, path, show in (*services, *_RANGED):
        value: Any = run.summary
        span: Any = run.summary["ranges"]["figures"]
        for key in path:
            value, span = value[key], span.get(key, {})
        if span:
            rows.append([safe(label), show(value), show(span["low"]), show(span["high"])])
    machines = ", ".join(run.summary["ranges"]["machines"])
    caption = f"Lowest and highest of three runs: {machines} as used, and with all its ranges at either end."
    return table(caption, ["Figure", ">As used", ">Low", ">High"], rows)
