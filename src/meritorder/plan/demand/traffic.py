"""How long the requests of a service are: means of the very requests that its capacities are simulated with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.traffic import requests_like

_SEED = 0


@dataclass(frozen=True)
class Sizes:
    """Mean tokens of a request."""

    prompt_tokens: float
    output_tokens: float
    requests: int  # that were counted
    source: str
    warnings: tuple[str, ...]  # what a careful reader should know of it


def sizes(fleet: Fleet, service: str) -> Sizes:
    """Mean lengths of a service's requests. Raises InputError where its traffic can't be had."""
    assert fleet.plan is not None
    name = fleet.plan.demand[service].traffic
    return _sizes(name, fleet.services[service].match or service, _stamp(name))


@lru_cache(maxsize=256)
def _sizes(name: str, wanted: str, stamp: tuple[int, int]) -> Sizes:
    trace = requests_like(name, wanted, _SEED)
    prompts, outputs = float(trace.prompt_tokens.mean()), float(trace.output_tokens.mean())
    return Sizes(prompts, outputs, len(trace), trace.source, trace.warnings)


def _stamp(name: str) -> tuple[int, int]:
    """Size and time of a file, so that one that changes is read again; a name that is no file stands for itself."""
    try:
        status = Path(name).stat()
    except (OSError, ValueError):
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
