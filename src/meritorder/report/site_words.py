"""What limited sites, what was done about it, and what became of requests, in sentences."""

from __future__ import annotations

from meritorder.report.text import count, seconds, share
from meritorder.simulate.store import Run

_DONE = {
    "move": "sent new requests of {} elsewhere",
    "cap": "capped {}",
    "hold": "kept {} waiting",
    "shed": "closed to some of {}",
}


def limit_lines(run: Run) -> list[str]:
    """Which limit each site was at, and for how much of the time."""
    lines = []
    for name, site in run.summary["sites"].items():
        parts = [f"{limit} {_part(run, at_s)}" for limit, at_s in site["limits"].items()]
        if parts:
            over = f"; over it {_part(run, site['over_s'])}" if site["over_s"] else ""
            lines.append(f"{name} was at its limit: {', '.join(parts)}{over}")
    return lines


def lever_lines(run: Run) -> list[str]:
    """Levers that each site's controller used: on what, how long, why."""
    lines = []
    for name, site in run.summary["sites"].items():
        for lever, used in site["levers"].items():
            on = ", ".join(f"{target} for {seconds(held)}" for target, held in used["on"].items())
            why = ", ".join(f"{cause} {times}x" for cause, times in used["why"].items())
            lines.append(f"{name} {_DONE[lever].format(on)}: {why}")
    return lines


def downtime_lines(run: Run) -> list[str]:
    """Pools whose replicas were down: how often, for how long, and by which fault."""
    lines = []
    for name, row in run.summary["by_pool"].items():
        if row["down_s"]:
            causes = ", ".join(f"{cause} {seconds(down)}" for cause, down in row["down_by_cause"].items())
            lines.append(f"{name}: replicas up {share(row['availability'])} of the time, down {causes}")
    return lines


def fate_lines(run: Run) -> list[str]:
    """Requests lost, refused for want of power or machines, sent anew and held, by service."""
    lines = []
    for name in run.services:
        row = run.summary["by_service"][name]
        parts = []
        if row["lost"]:
            parts.append(f"{count(row['lost'])} lost ({_causes(row['lost_by_cause'])})")
        refused = {cause: n for cause, n in row["refused_by_cause"].items() if cause != "overloaded"}
        if refused:
            parts.append(f"{count(sum(refused.values()))} refused ({_causes(refused)})")
        if row["sent_anew"]:
            done = f"{count(row['delayed'])} of them completed"
            parts.append(f"{count(row['sent_anew'])} sent anew after a failure, {done}")
        if row["held"]["requests"]:
            held = row["held"]["held_s"]
            times = f"{seconds(held['p50'])} at the median, {seconds(held['max'])} at most"
            parts.append(f"{count(row['held']['requests'])} held in the gateway, {times}")
        if parts:
            lines.append(f"{name}: {'; '.join(parts)}")
    return lines


def _causes(by_cause: dict[str, int]) -> str:
    return ", ".join(f"{cause} {count(number)}" for cause, number in by_cause.items())


def _part(run: Run, part_s: float) -> str:
    return f"{share(part_s / run.span_s)} of the time" if run.span_s else seconds(part_s)
