"""`Window`: the busiest hour of some traffic, and when in it things are lost and come back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from meritorder.workload.rows import by_time, recorded_times, take
from meritorder.workload.trace import Trace

PEAK_S = 3600.0  # how long the busiest time is, if the traffic is as long
_WARM_UP = 1 / 6  # before it, as part of it: caches fill, queues settle
_LOST = 1 / 4  # of it, from its middle on
_STEPS = 12  # how finely the busiest time is looked for


@dataclass(frozen=True)
class Window:
    """Seconds from the trace's time 0: simulated from `start_s`, judged from `peak_s`, lost from `loss_s` on."""

    start_s: float
    peak_s: float
    loss_s: float
    back_s: float  # repaired; replicas then load their weights
    stop_s: float  # no request arrives any more

    @property
    def outage_s(self) -> float:
        """How long the loss lasts."""
        return self.back_s - self.loss_s

    def phases(self) -> dict[str, tuple[float, float]]:
        """When requests must have arrived to count as before, during and after the loss."""
        return {
            "before": (self.peak_s, self.loss_s),
            "during": (self.loss_s, self.back_s),
            "after": (self.back_s, inf),
        }


def busiest(trace: Trace) -> Window:
    """The hour in which most tokens are asked for (prompts and answers), with a warm-up before it.

    The loss comes at its middle and lasts a quarter of it; the last quarter shows the aftermath. Traffic shorter than
    an hour is its own peak, of which the first part warms up.
    """
    times = recorded_times(trace)
    first, last = float(times.min()), float(times.max())
    span_s = min(PEAK_S, last - first)
    order = np.argsort(times, kind="stable")
    tokens = np.concatenate([[0], np.cumsum((trace.prompt_tokens + trace.output_tokens)[order], dtype=np.float64)])
    starts = np.arange(first, max(last - span_s, first) + 1e-9, span_s / _STEPS if span_s > 0 else 1.0)
    edges = np.searchsorted(times[order], [starts, starts + span_s], side="left")
    edges[1][starts + span_s >= last] = len(times)
    peak_s = float(starts[np.argmax(tokens[edges[1]] - tokens[edges[0]])])
    start_s = max(first, peak_s - _WARM_UP * span_s)
    stop_s = peak_s + span_s
    judged_s = max(peak_s, start_s + _WARM_UP * span_s)
    loss_s = peak_s + 0.5 * span_s
    return Window(start_s, judged_s, loss_s, loss_s + _LOST * span_s, stop_s)


def within(trace: Trace, window: Window) -> Trace:
    """The requests recorded in the window, at their own times: weather, prices and orders keep their hours."""
    times = recorded_times(trace)
    kept = np.flatnonzero((times >= window.start_s) & (times <= window.stop_s))
    cut = by_time(take(replace(trace, arrival_s=times), kept))
    note = f"requests from {window.start_s:,.0f} to {window.stop_s:,.0f} s"
    return replace(cut, source=f"{trace.source}, {note}")
