"""When clients send: a rate curve made of pieces, and a renewal process run through it.

A stationary renewal process with mean gap 1 (Gamma or Weibull, coefficient of variation c) is drawn in operational
time and mapped to the clock by the inverse of the integrated rate (time change; Cox and Isham, Point Processes, 1980).
So the expected count of any window is exactly its integrated rate, and counts keep the renewal process's variance:
their index of dispersion goes to c squared. Nothing is rescaled to window borders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meritorder.workload.synthesis.spec import Client, Diurnal, Drift, Gaps, OnOff, Windows
from meritorder.workload.trace import Floats


@dataclass(frozen=True)
class RateCurve:
    """A rate (1/s) that is constant between `edges` (seconds, rising); one rate fewer than edges."""

    edges: Floats
    per_s: Floats

    def times(self, other: RateCurve) -> RateCurve:
        """The product of two curves over the same span."""
        edges = np.union1d(self.edges, other.edges)
        middle = (edges[1:] + edges[:-1]) / 2
        return RateCurve(edges, self.at(middle) * other.at(middle))

    def at(self, time_s: Floats) -> Floats:
        """The rate at these times."""
        index = np.searchsorted(self.edges, time_s, side="right") - 1
        return self.per_s[np.clip(index, 0, len(self.per_s) - 1)]


def arrivals(client: Client, factor: float, start_s: float, end_s: float, rng: np.random.Generator) -> Floats:
    """Sorted times in [start_s, end_s) at which one client sends, at `factor` times its rate."""
    return through(rate_curve(client, factor, start_s, end_s, rng), client.gaps, rng)


def mean_rate(client: Client, start_s: float, end_s: float) -> float:
    """Expected arrivals per second of one client over this span (drift and bursts have mean 1)."""
    curve = planned(client, start_s, end_s)
    return float((curve.per_s * np.diff(curve.edges)).sum() / (end_s - start_s))


def rate_curve(client: Client, factor: float, start_s: float, end_s: float, rng: np.random.Generator) -> RateCurve:
    """The client's rate over the span, with its random parts drawn."""
    curve = planned(client, start_s, end_s)
    for drift in client.drift:
        curve = curve.times(_drift(drift, start_s, end_s, rng))
    if client.on_off is not None:
        curve = curve.times(_bursts(client.on_off, start_s, end_s, rng))
    return RateCurve(curve.edges, curve.per_s * factor)


def through(curve: RateCurve, gaps: Gaps, rng: np.random.Generator) -> Floats:
    """A renewal process with this rate curve."""
    integrated = np.concatenate(([0.0], np.cumsum(curve.per_s * np.diff(curve.edges))))
    operational = renewals(gaps, float(integrated[-1]), rng)
    return _unmap(operational, integrated, curve.edges)


def renewals(gaps: Gaps, length: float, rng: np.random.Generator) -> Floats:
    """A stationary renewal process with mean gap 1 on [0, length)."""
    if length <= 0:
        return np.zeros(0)
    parts = [np.array([_first_gap(gaps, rng)])]
    while parts[-1][-1] < length:
        left = length - parts[-1][-1]
        n = int(left + 4 * gaps.cv * math.sqrt(left)) + 16
        parts.append(parts[-1][-1] + np.cumsum(_gaps(gaps, n, rng)))
    times = np.concatenate(parts)
    return times[: np.searchsorted(times, length)]


def weibull_shape(cv: float) -> float:
    """Shape k of the Weibull law with this coefficient of variation, by bisection (relative error below 1e-9)."""
    low, high = 0.05, 100.0
    for _ in range(80):
        k = math.sqrt(low * high)
        squared = math.exp(math.lgamma(1 + 2 / k) - 2 * math.lgamma(1 + 1 / k)) - 1
        low, high = (k, high) if squared > cv * cv else (low, k)
    return math.sqrt(low * high)


def _gaps(gaps: Gaps, n: int, rng: np.random.Generator) -> Floats:
    """`n` independent gaps with mean 1."""
    if gaps.process == "poisson":
        return rng.exponential(1.0, n)
    if gaps.process == "gamma":
        return rng.gamma(1 / gaps.cv**2, gaps.cv**2, n)
    k = weibull_shape(gaps.cv)
    return rng.weibull(k, n) / math.gamma(1 + 1 / k)


def _first_gap(gaps: Gaps, rng: np.random.Generator) -> float:
    """Time to the first renewal of a process that has run for ever: a uniform part of a length-biased gap."""
    if gaps.process == "poisson":
        return float(rng.exponential())
    if gaps.process == "gamma":
        biased = rng.gamma(1 + 1 / gaps.cv**2, gaps.cv**2)
    else:
        k = weibull_shape(gaps.cv)
        biased = rng.gamma(1 + 1 / k) ** (1 / k) / math.gamma(1 + 1 / k)
    return float(rng.random() * biased)


def _unmap(operational: Floats, integrated: Floats, edges: Floats) -> Floats:
    """Clock times at which the integrated rate reaches these values."""
    index = np.searchsorted(integrated, operational, side="right") - 1
    index = np.minimum(index, len(edges) - 2)
    step = integrated[index + 1] - integrated[index]
    share = (operational - integrated[index]) / np.where(step > 0, step, 1)
    return edges[index] + share * (edges[index + 1] - edges[index])


def planned(client: Client, start_s: float, end_s: float) -> RateCurve:
    """The client's rate over the span without its random parts."""
    if client.per_s is not None:
        return RateCurve(np.array([start_s, end_s]), np.array([client.per_s]))
    if client.windows is not None:
        return _windows(client.windows, start_s, end_s)
    assert client.diurnal is not None
    return _wave(client.diurnal, start_s, end_s)


def _windows(windows: Windows, start_s: float, end_s: float) -> RateCurve:
    first, last = math.floor(start_s / windows.window), math.ceil(end_s / windows.window)
    index = np.arange(first, last)
    edges: Floats = (np.arange(first, last + 1) * windows.window).astype(np.float64)
    edges[0], edges[-1] = start_s, end_s
    return RateCurve(edges, np.asarray(windows.per_s)[index % len(windows.per_s)])


def _wave(wave: Diurnal, start_s: float, end_s: float) -> RateCurve:
    """Pieces of a 1/1,440 period (a minute of a day): the error against the smooth wave is below 0.3 %."""
    pieces = max(int((end_s - start_s) / wave.period * 1440), 1)
    edges = np.linspace(start_s, end_s, pieces + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    phase = 2 * math.pi * (middle - wave.peak) / wave.period
    return RateCurve(edges, np.asarray(wave.mean_per_s * (1 + wave.amplitude * np.cos(phase)), np.float64))


def _drift(drift: Drift, start_s: float, end_s: float, rng: np.random.Generator) -> RateCurve:
    """Log-normal factor on steps of a twentieth of its memory."""
    steps = max(math.ceil((end_s - start_s) / drift.memory * 20), 1)
    edges = np.linspace(start_s, end_s, steps + 1)
    keep = math.exp(-(end_s - start_s) / steps / drift.memory)
    noise = rng.standard_normal(steps)
    noise[1:] *= math.sqrt(1 - keep * keep)
    state = _remembered(noise, keep)
    sigma = math.sqrt(math.log(1 + drift.cv**2))
    return RateCurve(edges, np.exp(sigma * state - sigma**2 / 2))


def _remembered(noise: Floats, keep: float, length: int = 200) -> Floats:
    """x[k] = keep x[k-1] + noise[k] from 0, in rows of `length`; `keep` near 1, so that its powers stay in range."""
    rows = -(-len(noise) // length)
    padded = np.zeros(rows * length)
    padded[: len(noise)] = noise
    powers = keep ** np.arange(length)
    inside = np.cumsum(padded.reshape(rows, length) / powers, axis=1) * powers
    carried = np.zeros(rows)
    for row in range(1, rows):
        carried[row] = inside[row - 1, -1] + keep**length * carried[row - 1]
    result: Floats = (inside + carried[:, None] * (keep * powers)).reshape(-1)[: len(noise)]
    return result


def _bursts(phases: OnOff, start_s: float, end_s: float, rng: np.random.Generator) -> RateCurve:
    """On phases of rate `intensity` / share of time on, silence between; starts at a random place of the cycle."""
    on_mean, off_mean = phases.on_s.mean(), phases.off_s.mean()
    # A random lead of several cycles lets the phase at the start be any.
    lead = (on_mean + off_mean) * (4 + rng.random())
    cycles = 0
    on_parts, off_parts = [], []
    covered = 0.0
    while covered < end_s - start_s + lead:
        n = int((end_s - start_s + lead - covered) / (on_mean + off_mean) * 1.1) + 16
        on_parts.append(phases.on_s.sample(rng, n))
        off_parts.append(phases.off_s.sample(rng, n))
        covered += float(on_parts[-1].sum() + off_parts[-1].sum())
        cycles += n
    length = np.empty(2 * cycles)
    length[0::2], length[1::2] = np.concatenate(on_parts), np.concatenate(off_parts)
    rate = np.zeros(2 * cycles)
    rate[0::2] = phases.intensity.sample(rng, cycles) / phases.intensity.mean() * (on_mean + off_mean) / on_mean
    ends = start_s - lead + np.cumsum(length)
    first, last = np.searchsorted(ends, start_s, side="right"), np.searchsorted(ends, end_s)
    edges = np.concatenate(([start_s], ends[first:last], [end_s]))
    return RateCurve(edges, rate[first : last + 1])
