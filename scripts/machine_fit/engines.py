"""Engines: factors on kernels and host times from InferenceX runs, by engine, version, arithmetic and model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.terms import Level, Sample, Spread, Terms, fit_terms
from scripts.machine_fit.write import SOURCES

from meritorder.catalog.engine import FIRST_TOKEN, KERNEL_KINDS, EngineProfile, Engines
from meritorder.catalog.load import Catalog, catalog, engines_of
from meritorder.files import write_text
from meritorder.predict.closed_loop import first_token_parts, server, server_table, token_parts, told
from meritorder.predict.inferencex import Point, point

FILE = "e2e_inferencex_calib.csv"
UNIT = EngineProfile(host=1.0, host_sequence=1.0, layer=1.0, expert_layer=1.0, linear_layer=1.0, mixed=1.0)
BASE = {
    **dict.fromkeys(KERNEL_KINDS, 1.0),
    **{"host": 5e-4, "layer": 8e-6, "expert_layer": 1e-5, "linear_layer": 2e-5, "sequence": 1e-5, "mixed": 2e-4},
}
FIRST_BASE = {
    **{"first_request": 0.03, "first_prompt_token": 20e-6, "first_prefill": 1.0, "first_lookahead": 1.0},
    **{"first_burst": 0.1, "first_queue": 0.5, "first_crowd": 0.03},
}
# Rows whose measurement is of something else: seconds of compiling kernels before the first token (SGLang, autumn
# 2025), batches that no memory holds, prompts answered from a cache.
COMPILING = 1.5
STEADY = 1000
CACHED = ("vllm", "llama-3.1-8b")


def fit_engines(data: Data) -> dict[str, Any]:
    """What `engines.yaml` holds; first tokens need the waits of simulated servers, those just fitted."""
    known = catalog()
    runs = [(row, point(row)) for row in data.rows(FILE)]
    runs = [(row, run) for row, run in runs if usable(row, run)]
    months: dict[str, dict[str, list[str]]] = {}
    for _, run in runs:
        months.setdefault(run.engine, {}).setdefault(run.version, []).append(run.month)
    versions = {e: {v: sorted(m)[len(m) // 2] for v, m in sorted(found.items())} for e, found in months.items()}
    tokens = fit_terms(
        [Sample(told(run, known), _parts(run), seconds(row, "silicon_tpot_ms")) for row, run in runs],
        BASE, TOKEN_LEVELS, "all", 0.15, _lane, 0.5,
    )  # fmt: skip
    simulated = engines_of({"base": BASE, "versions": versions, "terms": tokens.entries})
    first = _first(runs, known, simulated)
    return document(versions, tokens, first, len(runs))


def document(versions: Mapping[str, Any], tokens: Terms, first: Terms, rows: int) -> dict[str, Any]:
    """The section as the catalog reads it."""
    return {
        "note": f"{rows} rows; time per token: median error {tokens.median:.1%}, mean {tokens.mean:.1%}; "
        f"first token: median {first.median:.1%}, mean {first.mean:.1%}",
        "base": {**BASE, **FIRST_BASE},
        "versions": versions,
        "terms": [*tokens.entries, *first.entries],
    }


def usable(row: Row, run: Point) -> bool:
    """Rows that show this model's server: whole, of good quality, and not of another effect."""
    whole = row["mode"] == "agg" and run.prefill is None and row["quality"] in ("ok", "ttft_dominated")
    return whole and (run.engine, run.model) != CACHED and (run.concurrency <= STEADY or run.split.data > 1)


def seconds(row: Row, column: str) -> float:
    """A measured time."""
    return float(row[column]) / 1e3


@cache
def _parts(run: Point) -> Mapping[str, float]:
    return token_parts(server(run, catalog(), UNIT))


def _first(runs: list[tuple[Row, Point]], known: Catalog, simulated: Engines) -> Terms:
    """First tokens, by the waits of simulated servers."""
    samples = []
    for row, run in runs:
        measured = seconds(row, "silicon_ttft_ms") if row["silicon_ttft_ms"] else 0.0
        compiling = run.engine == "sglang" and run.version == "2025-11" and measured > COMPILING
        if row["quality"] != "ok" or measured <= 0 or compiling:
            continue
        samples.append(Sample(told(run, known), _waits(run, simulated), measured))
    return fit_terms(samples, FIRST_BASE, FIRST_LEVELS, "first_all", 0.3, _lane, 0.4)


def _waits(run: Point, simulated: Engines) -> dict[str, float]:
    known = catalog()
    loop = server(run, known, simulated.profile(told(run, known), run.month))
    parts = first_token_parts(loop, server_table(loop))
    return {f"first_{name}": parts[name] for name in FIRST_TOKEN}


def _lane(when: Mapping[str, str]) -> str:
    return "|".join(when[name] for name in ("engine", "version", "model", "arithmetic", "weights"))


def _spread(kernels: float, engine: float) -> Spread:
    return lambda kind: kernels if kind in KERNEL_KINDS else engine


LANE = ("engine", "version", "model", "arithmetic", "weights")
TOKEN_LEVELS = (
    Level((), _spread(0.05, 0.7)),
    Level(("engine",), _spread(0.05, 0.3)),
    Level(("engine", "arithmetic"), _spread(0.05, 0.2)),
    Level(("engine", "version"), _spread(0.03, 0.1)),
    Level(("engine", "arithmetic", "weights"), _spread(0.05, 0.02)),
    Level(("engine", "version"), lambda _: 0.12, kinds=False),
    Level(("engine", "model"), lambda _: 0.15, kinds=False),
    Level(("engine", "version", "model"), lambda _: 0.15, kinds=False),
    Level(LANE, lambda _: 0.15, kinds=False),
    Level(("engine", "speculation"), lambda _: 0.3, kinds=False),
)
FIRST_LEVELS = (
    Level((), lambda _: 0.7),
    Level(("engine",), lambda _: 0.4),
    Level(("engine", "origin"), lambda _: 0.5),
    Level(("engine", "version"), lambda _: 0.15),
    Level(LANE, lambda _: 0.2),
    Level(("engine", "origin"), lambda _: 0.1, kinds=False),
    Level(("engine", "version"), lambda _: 0.15, kinds=False),
    Level(("engine", "model"), lambda _: 0.1, kinds=False),
    Level(LANE, lambda _: 0.1, kinds=False),
    Level(("engine", "speculation"), lambda _: 0.3, kinds=False),
)


HEAD = """# What engines add to the kernels of machines. Written by scripts/fit_machines.py; don't edit by hand.
# A coefficient is its base (seconds, or a factor on a kind of kernel) times the factor of every term that holds
# (meritorder/catalog/engine.py). `rows`: measured rows behind a term.
"""


def write_engines(section: Mapping[str, Any], path: Path) -> None:
    """Write the section as the catalog's `engines.yaml`."""
    title, date = SOURCES["serving"]
    head = {"source": {"title": title, "date": date}, **{key: section[key] for key in ("note", "base", "versions")}}
    text = HEAD + yaml.safe_dump(head, sort_keys=False, width=1000) + "terms:\n"
    for term in section["terms"]:
        text += f"- {yaml.safe_dump(term, default_flow_style=True, sort_keys=False, width=1000).strip()}\n"
    write_text(path, text)
