"""What the requests of a service are like: a sample of its traffic, spread over the whole of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from meritorder.workload.fetch import TRACES
from meritorder.workload.find import find
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.spec import TrafficSpec
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


def sizes(name: str) -> Sizes:
    """Mean lengths of the requests of a preset, a public trace or a file. Raises InputError where there is none."""
    return _sizes(name, _stamp(name))


@lru_cache(maxsize=256)
def _sizes(name: str, stamp: tuple[int, int]) -> Sizes:
    trace = sample(name)
    return Sizes(float(trace.prompt_tokens.mean()), float(trace.output_tokens.mean()), len(trace), trace.source)


def sample(name: str) -> Trace:
    """A few thousand requests drawn from all hours of a preset, or the requests of a file."""
    if not Path(name).exists() and name not in TRACES and name in presets.names():
        spec = presets.load(name)
        span = span_s(spec)
        return synthesize(spec, _SEED, duration_s=span, rate_per_s=SAMPLE / span)
    return find(name, limit=MOST)


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
