"""What `merit calibrate` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LATENCIES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}


def print_calibration(profile: Mapping[str, Any], path: Path) -> None:
    """The machine found, how well the measurements are met, and the check."""
    from rich.text import Text

    from meritorder.cli.output import console, results

    out, notes = results(), console()
    out.print(_fit(profile))
    check = profile.get("check", {})
    if check.get("loads"):
        out.print(Text())
        out.print(_check(check))
        verdict = "passed" if check["passed"] else "failed"
        worst = "answers are missing" if check["worst_mean"] is None else f"{check['worst_mean']:.1%} at worst"
        out.print(Text(f"check {verdict}: {worst}, {check['tolerance']:.0%} allowed"), soft_wrap=True)
    elif "why" in check:
        notes.print(Text(f"note: no check: {check['why']}", style="yellow"), soft_wrap=True)
    notes.print(f"written: {path}; a pool names it with `measured: ./{path.name}`", markup=False, soft_wrap=True)


def print_doubts(profile: Mapping[str, Any]) -> None:
    """What speaks against the profile, on stderr."""
    from rich.text import Text

    from meritorder.cli.output import console

    for doubt in profile["quality"].get("notes", ()):
        console().print(Text(f"note: {doubt}", style="yellow"), soft_wrap=True)


def _fit(profile: Mapping[str, Any]) -> object:
    from meritorder.cli.output import table

    quality, source, reach = profile["quality"], profile["source"], profile["measured"]["range"]
    shown = table(f"{source.get('model') or source['engine']} as measured", ("what", "value"))
    shown.add_row("form", quality["form"])
    held = _share(quality["error_held_out"])
    shown.add_row("error where held out", f"{held} (bias {_share(quality['bias_held_out'], sign=True)})")
    shown.add_row("noise of an iteration", _share(quality["noise_of_an_iteration"]))
    shown.add_row("noise of repeats", _share(quality["noise_of_repeats"]))
    uncertain = ", ".join(f"{kind} {_share(value)}" for kind, value in quality["uncertainty"].items())
    shown.add_row("uncertainty", uncertain)
    shown.add_row("measured up to", ", ".join(f"{most:,} {name.replace('_', ' ')}" for name, most in reach.items()))
    for name, value in profile["engine"].items():
        shown.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    return shown


def _check(check: Mapping[str, Any]) -> object:
    from meritorder.cli.output import table
    from meritorder.report import text

    title = f"Under load, of {text.number(check['capacity_requests_per_s'])} requests/s that it should be able to do"
    pairs = [(key, kind) for key in ("mean", "p90") for kind in ("measured", "simulated")]
    columns = ("load", "latency", *(f">{kind} {key}" for key, kind in pairs))
    shown = table(title, (*columns, ">mean off", ">p90 off"))
    for load in check["loads"]:
        for name, label in _LATENCIES.items():
            row = load[name]
            times = [
                text.seconds(row[f"{kind}_{key}"]) for key in ("mean", "p90") for kind in ("measured", "simulated")
            ]
            off = [_share(row[f"difference_{key}"], sign=True) for key in ("mean", "p90")]
            first = f"{load['load']:.0%}, {load['requests']:,} requests" if label == "TTFT" else ""
            shown.add_row(first, label, *times, *off)
    return shown


def _share(value: float | None, *, sign: bool = False) -> str:
    from meritorder.report import text

    return text.NONE if value is None else f"{value:+.1%}" if sign else f"{value:.1%}"
