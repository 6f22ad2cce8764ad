"""What `merit replay` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from meritorder.workload.trace import Trace

_LATENCIES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
_SHOWN = ("mean", "p50", "p90", "p95", "p99")
_NOT_COMPLETED = {
    "refused": "refused",
    "broken": "broke off",
    "failed": "got no answer",
    "timeout": "took too long",
    "cancelled": "cancelled, as in the trace",
    "unreached": "behind one of these in its session",
    "interrupted": "not asked or not ended when it was stopped",
}
# Sent later than this in one of a hundred cases: the schedule was not kept.
_LATE_S = 0.005


def print_replay(summary: dict[str, Any], trace: Trace, url: str, folder: Path | None) -> None:
    """Latencies, beside the simulated ones where there are any, and everything that is not as it should be."""
    from rich.text import Text

    from meritorder.cli.output import console, results
    from meritorder.report import text

    out, notes = results(), console()
    head = f"{trace.source}: {summary['completed']:,} of {summary['requests']:,} requests completed by {url}"
    out.print(Text(f"{head} in {text.seconds(summary['span_s'])}"), soft_wrap=True)
    rate, tokens = (text.number(summary[name]) for name in ("requests_per_s", "output_tokens_per_s"))
    out.print(Text(f"{rate} requests and {tokens} output tokens per second\n"), style="dim")
    out.print(_compared(summary["comparison"]) if "comparison" in summary else _measured(summary))
    lost = [f"{summary[name]:,} {words}" for name, words in _NOT_COMPLETED.items() if summary[name]]
    if lost:
        out.print(Text(f"not completed: {', '.join(lost)}"), soft_wrap=True)
    for why, count in summary["why"].items():
        notes.print(Text(f"{count:,} x {why}", style="yellow"), soft_wrap=True)
    if summary["by_pool"]:
        line = f"answered by: {_counts(summary['by_pool'])}"
        if "comparison" in summary:
            line += f"; as simulated: {_counts(summary['comparison']['by_pool'])}"
        out.print(Text(line), soft_wrap=True)
    for note in _doubts(summary):
        notes.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)
    if folder:
        notes.print(f"written: {folder}", markup=False, soft_wrap=True)


def _counts(by_pool: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(by_pool.items()))


def _measured(summary: dict[str, Any]) -> object:
    from meritorder.cli.output import table
    from meritorder.report import text

    shown = table("Measured", ("latency", *(f">{name}" for name in _SHOWN)))
    for name, label in _LATENCIES.items():
        shown.add_row(label, *(text.seconds(summary[name][key]) for key in _SHOWN))
    return shown


def _compared(comparison: dict[str, Any]) -> object:
    from meritorder.cli.output import table
    from meritorder.report import text

    title = f"Measured and simulated, {comparison['requests']:,} requests"
    shown = table(title, ("latency", "", *(f">{name}" for name in _SHOWN)))
    for name, label in _LATENCIES.items():
        row = comparison[name]
        shown.add_row(label, "measured", *(text.seconds(row["measured"][key]) for key in _SHOWN))
        shown.add_row("", "simulated", *(text.seconds(row["simulated"][key]) for key in _SHOWN))
        differences = (row["difference"][key] for key in _SHOWN)
        shown.add_row("", "difference", *(text.NONE if d is None else f"{d:+.1%}" for d in differences))
    return shown


def _doubts(summary: dict[str, Any]) -> list[str]:
    """What a careful reader should know before believing the figures."""
    from meritorder.report import text

    found = []
    late = summary["sent_late_s"]["p99"]
    if late is not None and late > _LATE_S:
        found.append(f"one in a hundred requests was sent {text.seconds(late)} late or later; the latencies count that")
    if summary["other_length"]:
        found.append(f"{summary['other_length']:,} answers were not as long as the trace's: no ignore_eos there?")
    ratio = summary["prompt_ratio"]
    if ratio is not None and not 0.99 <= ratio <= 1.01:
        found.append(f"the endpoint counted {ratio:.2f} times the trace's prompt tokens")
    return found
