"""What the requests of a service are like: a sample of its traffic, spread over the whole of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from meritorder.workload.fetch import TRACES
from meritorder.workload.find import find
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.spec import TrafficSpec, load_spec
from meritorder.workload.synthesis.synthesize import synthesize
from meritorder.workload.trace import Trace

SAMPLE = 5000  # requests of a preset: means of lengths to about 2 %
MOST = 200_000  # requests that are read of a file
_SEED = 0


@dataclass(frozen=True)
class Sizes:
    """Mean tokens of a request."""

    prompt_tokens: float
    output_tokens: float
    requests: int  # in the sample
    source: str
    warnings: tuple[str, ...]  # what a careful reader should know of it


def sizes(name: str) -> Sizes:
    """Mean lengths of the requests of a preset, a public trace or a file. Raises InputError where there is none."""
    return _sizes(name, _stamp(name))


@lru_cache(maxsize=256)
def _sizes(name: str, stamp: tuple[int, int]) -> Sizes:
    trace = sample(name)
    return Sizes(
        float(trace.prompt_tokens.mean()), float(trace.output_tokens.mean()), len(trace), trace.source, trace.warnings
    )


def sample(name: str) -> Trace:
    """A few thousand requests drawn from all hours of a preset or specification, or the requests of a recording."""
    spec = None if name in TRACES else specified(name)
    if spec is None:
        return find(name, limit=MOST)
    span = span_s(spec)
    trace = synthesize(spec, _SEED, duration_s=span, rate_per_s=SAMPLE / span)
    return replace(trace, source=f"{spec.name}, seed {_SEED}")


def specified(name: str) -> TrafficSpec | None:
    """The workload that a preset or a YAML file specifies; None: `name` is neither. Raises InputError."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return load_spec(path)
    return presets.load(name) if name in presets.names() and not path.exists() else None


def span_s(spec: TrafficSpec) -> float:
    """How long a workload goes before its rate curves begin again: the longest of them, or its own duration."""
    curves = [client.windows for client in spec.clients.values() if client.windows is not None]
    waves = [client.diurnal.period for client in spec.clients.values() if client.diurnal is not None]
    return max([spec.duration, *waves, *(curve.window * len(curve.per_s) for curve in curves)])


def _stamp(name: str) -> tuple[int, int]:
    """Size and time of a file, so that one that changes is read again; a name that is no file stands for itself."""
    try:
        status = Path(name).stat()
    except (OSError, ValueError):
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
