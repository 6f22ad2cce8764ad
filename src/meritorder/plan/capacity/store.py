"""Capacities on disk, by a hash of all that they come from: what was simulated once is not simulated again."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import meritorder
from meritorder import __version__
from meritorder.files import write_text
from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.capacity import Capacity
from meritorder.plan.capacity.case import Case
from meritorder.plan.capacity.dispatch import spread
from meritorder.plan.capacity.rig import alone
from meritorder.workload.trace import Trace

# All that a simulated figure depends on, data included.
_CODE = (
    *("catalog", "fleet", "workload", "perf", "facility", "dispatch", "control", "simulate", "plan/capacity"),
    *("compiled.py", "records.py", "units.py"),
)
_SUFFIXES = (".py", ".yaml", ".json", ".csv", ".npz", ".parquet")


def cache_folder() -> Path:
    """Where capacities are kept ($XDG_CACHE_HOME/meritorder/capacities)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meritorder" / "capacities"


def fingerprint(fleet: Fleet, case: Case, base: Trace, seed: int) -> str:
    """Hash of everything that the case's capacity depends on: machines, model, run, service, traffic, seed and code."""
    plan = fleet.plan
    assert plan is not None
    offers = [plan.offers[name] for name in (case.offer, case.decode) if name]
    parts: dict[str, Any] = {
        "code": code(),
        "key": tuple(case.key),
        "machines": [fleet.accelerators[offer.accelerator].model_dump(mode="json") for offer in offers],
        "chips": [offer.chips for offer in offers],
        "model": fleet.models[case.model].model_dump(mode="json"),
        "runs": [run.model_dump(mode="json") for run in (case.run, case.decode_run) if run is not None],
        "service": alone(fleet.services[case.service]).model_dump(mode="json"),
        "dispatch": spread(fleet.dispatch).model_dump(mode="json"),
        "traffic": traffic_hash(base),
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def load(name: str) -> Capacity | None:
    """What is kept under this name; None: nothing, or something that can't be read."""
    try:
        return Capacity.from_json(json.loads((cache_folder() / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save(name: str, capacity: Capacity) -> None:
    """Keep a capacity under this name."""
    write_text(cache_folder() / f"{name}.json", json.dumps(capacity.to_json()))


def traffic_hash(base: Trace) -> str:
    """Hash of all requests."""
    digest = hashlib.sha256()
    columns = (base.arrival_s, base.prompt_tokens, base.output_tokens, base.session, base.cancel_s)
    for column in (*columns, base.block_start, base.blocks):
        digest.update(column.tobytes())
    digest.update(repr((base.block_tokens, base.warnings)).encode())
    return digest.hexdigest()


@cache
def code() -> str:
    """Hash of the sources and data that simulate, and of the package's version."""
    root = Path(meritorder.__file__).parent
    digest = hashlib.sha256(__version__.encode())
    for source in _CODE:
        path = root / source
        files = [file for file in sorted(path.rglob("*")) if file.suffix in _SUFFIXES] if path.is_dir() else [path]
        for file in files:
            digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return digest.hexdigest()
