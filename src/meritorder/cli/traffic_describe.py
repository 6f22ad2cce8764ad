"""`merit traffic describe TRACE|PRESET`: the statistics of a trace, as tables or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

_SUFFIXES = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def command(
    source: Annotated[
        str, typer.Argument(help="Trace in any known format, name of a public trace, or preset.", show_default=False)
    ],
    format: Annotated[str | None, typer.Option("--format", help="Say the format instead of recognising it.")] = None,
    jitter: Annotated[int | None, typer.Option(help="Spread timestamps inside their grid, with this seed.")] = None,
    cache_tokens: Annotated[
        str | None, typer.Option(help="Prefix cache sizes in tokens, as 1M,5M,512k.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a preset's traffic.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the statistics of a trace and what to beware of in it.

    Arrivals (rate, CV, index of dispersion at 1, 10 and 60 s), lengths and their rank correlation, sessions, and how
    much of the prompts a prefix cache of any size would have held.
    """
    from meritorder.cli.output import print_json, progress
    from meritorder.workload.find import find
    from meritorder.workload.statistics.describe import CACHE_TOKENS, describe

    sizes = CACHE_TOKENS if cache_tokens is None else _sizes(cache_tokens)
    with progress(f"Reading {source}", quiet=as_json) as advance:
        trace = find(source, format=format, jitter_seed=jitter, seed=seed, progress=advance)
    found = describe(trace, sizes)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _sizes(text: str) -> tuple[int, ...]:
    from meritorder.problems import InputError, Problem

    sizes, problems = [], []
    for part in (part.strip() for part in text.split(",")):
        number, scale = (part[:-1], _SUFFIXES[part[-1]]) if part[-1:] in _SUFFIXES else (part, 1)
        try:
            size = int(float(number) * scale)
        except (ValueError, OverflowError):
            size = 0
        if size <= 0:
            problems.append(Problem(f'"{part}" is no size', "--cache-tokens", fix="write tokens as 1M,5M,512k"))
        sizes.append(size)
    if problems:
        raise InputError(problems)
    return tuple(sizes)


def _print(found: Mapping[str, Any]) -> None:
    from rich.text import Text

    from meritorder.cli.output import results, table

    def show(title: str, rows: Iterable[tuple[str, str]]) -> None:
        made = table(title, ("", ">"))
        made.show_header = False
        for name, value in rows:
            made.add_row(name, value)
        results().print(made)
        results().print()

    show(found["source"] or "Trace", _arrival_rows(found))
    if len(found["services"]) > 1:
        show("Requests by service", [(name, f"{count:,}") for name, count in found["services"].items()])
    lengths = table("Tokens", ("", ">mean", ">p50", ">p90", ">p99", ">max"))
    for name, key in (("prompt", "prompt_tokens"), ("output", "output_tokens")):
        if found[key]:
            lengths.add_row(name, *(_count(found[key][q]) for q in ("mean", "p50", "p90", "p99", "max")))
    results().print(lengths)
    results().print()
    show(
        "Lengths together",
        [("rank correlation (Spearman)", _number(found["spearman"])), ("in per out", _number(found["in_per_out"]))],
    )
    if found["sessions"]:
        show("Sessions", _session_rows(found["sessions"]))
    if found["prefix"]:
        _print_prefix(found["prefix"])
    for warning in found["warnings"]:
        results().print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)


def _arrival_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    arrivals = found["arrivals"]
    clock = "session starts" if found["closed_loop"] else "requests"
    return [
        ("requests", f"{found['requests']:,}"),
        ("span", f"{found['span_s']:,.1f} s"),
        (f"{clock} per second", _number(arrivals["mean_per_s"], 4)),
        (f"CV of gaps between {clock}", _number(arrivals["cv"])),
        ("index of dispersion 1 / 10 / 60 s", " / ".join(_number(arrivals["idc"][w]) for w in ("1", "10", "60"))),
        ("peak over mean 1 / 60 s", " / ".join(_number(arrivals["peak_to_mean"][w]) for w in ("1", "60"))),
        ("empty seconds", _share(arrivals["empty_seconds"])),
        ("empty minutes", f"{arrivals['empty_minutes']} of {arrivals['minutes']}"),
        ("gaps below 10 ms", _share(arrivals["gaps_below_10ms"])),
    ]


def _session_rows(sessions: Mapping[str, Any]) -> list[tuple[str, str]]:
    size, gap = sessions["requests"], sessions["gap_s"]
    rows = [
        ("sessions", f"{sessions['count']:,}"),
        ("requests in one: mean / p50 / p90 / max", " / ".join(_count(size[q]) for q in ("mean", "p50", "p90", "max"))),
    ]
    if gap:
        rows.append(("gap p50", f"{gap['p50']:,.1f} s"))
        over = " / ".join(_share(gap[q]) for q in ("over_1min", "over_5min", "over_1h"))
        rows.append(("gaps over 1 min / 5 min / 1 h", over))
    if "hit_ratio" in sessions:
        hits = " / ".join(_share(sessions["hit_ratio"][q]) for q in ("p5", "p50", "p95"))
        rows.append(("cached share of a session p5 / p50 / p95", hits))
    if "new_tokens_after_first_call" in sessions:
        rows.append(("cached share after the first call", _share(sessions["hit_ratio_after_first_call"])))
        new = sessions["new_tokens_after_first_call"]
        rows.append(("new tokens a call p50 / p90 / p99", " / ".join(_count(new[q]) for q in ("p50", "p90", "p99"))))
    return rows


def _print_prefix(prefix: Mapping[str, Any]) -> None:
    from meritorder.cli.output import results, table

    made = table("Prefix reuse", (">LRU cache, tokens", ">blocks", ">hit tokens", ">hit ratio"))
    for row in prefix["lru"]:
        cells = (f"{row['cache_tokens']:,}", f"{row['blocks']:,}", f"{row['hit_tokens']:,}")
        made.add_row(*cells, f"{row['hit_ratio']:.2%}")
    made.add_row("unlimited", f"{prefix['unique_blocks']:,}", f"{prefix['hit_tokens']:,}", f"{prefix['hit_ratio']:.2%}")
    results().print(made)
    results().print()


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
