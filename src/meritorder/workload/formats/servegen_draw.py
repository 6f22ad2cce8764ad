"""Requests drawn from ServeGen's clients: a renewal process per client, lengths from its distributions.

Gaps have mean 1 / rate and the window's Gamma or Weibull shape. A gap that reaches over a window's end goes on in the
next one (scaled to its rate), so counts per window vary as the process says. Each field is drawn on its own: only
marginal distributions are published.
"""

from __future__ import annotations

import math

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.formats.servegen_client import LENGTH_WINDOW_S, RATE_WINDOW_S, Client, Pmf
from meritorder.workload.reading.options import Options
from meritorder.workload.trace import Floats, Trace, make_trace

_DEFAULT_START_S, _DEFAULT_SPAN_S = 36_000.0, 3_600.0
_MOST_REQUESTS = 100_000_000  # 100 million need 5 GB


def draw(clients: list[Client], model: str, name: str, options: Options) -> Trace:
    """The requests of all clients in the window, sorted. Same seed, same requests.

    Raises InputError where the window holds no traffic or too much of it.
    """
    start, stop = _window(clients, options, name)
    # One generator a client: leaving one out doesn't change the others.
    seeds = np.random.SeedSequence(options.seed).spawn(len(clients))
    donors = [client for client in clients if client.pmfs]
    if not donors:
        raise InputError(
            Problem("has no length distributions", name, fix="the chunk-N-dataset.json or pmfs file is missing")
        )
    times, prompts, outputs = [], [], []
    total = lengthless = 0
    for client, seed in zip(clients, seeds, strict=True):
        rng = np.random.default_rng(seed)
        arrival = _arrivals(client, start, stop, rng)
        if not len(arrival):
            continue
        total += len(arrival)
        if client.pmfs:
            prompt, output = _lengths(client, arrival, rng)
        else:
            lengthless += len(arrival)
            prompt, output = _pooled_lengths(donors, arrival, rng)
        times.append(arrival)
        prompts.append(prompt)
        outputs.append(output)
    if not total:
        raise InputError(Problem(f"has no traffic from {start:g} to {stop:g} s", name, fix="choose another window"))
    arrival, prompt, output = np.concatenate(times), np.concatenate(prompts), np.concatenate(outputs)
    order = np.argsort(arrival, kind="stable")
    order = order[(prompt[order] >= 1) & (output[order] >= 1)][: options.limit]
    notes = ["lengths are drawn from marginal distributions: how prompt and output go together isn't published"]
    if lengthless:
        notes.append(
            f"{lengthless / total:.0%} of the requests are of clients without published lengths: drawn from the others'"
        )
    empty = int(((prompt < 1) | (output < 1)).sum())
    if empty:
        notes.append(f"{empty:,} of {total:,} requests were drawn with no prompt or output token: left out")
    gaps = _empty_windows(clients, start, stop)
    if gaps:
        notes.append(f"{gaps:,} ten-minute windows have no client at all: missing data, not zero load")
    return make_trace(
        *(arrival[order] - start, prompt[order], output[order]),
        services=(model,),
        source=f"ServeGen {model} drawn from {name}, {start:g} to {stop:g} s, seed {options.seed}",
        warnings=tuple(notes),
    )


def _window(clients: list[Client], options: Options, name: str) -> tuple[float, float]:
    starts = np.concatenate([client.start_s for client in clients] or [np.zeros(0)])
    if not len(starts):
        raise InputError(Problem("has no window with traffic", name))
    begin, end = float(starts.min()), float(starts.max()) + RATE_WINDOW_S
    if options.window_s:
        start, stop = options.window_s
        if not (math.isfinite(start) and math.isfinite(stop) and 0 <= start < stop):
            raise InputError(
                Problem(f"{start:g} to {stop:g} s is no window", "--window", fix="start before stop, in seconds")
            )
        if stop <= begin or start >= end:
            fix = f"data go from {begin:g} to {end:g} s"
            raise InputError(Problem(f"{start:g} to {stop:g} s is outside the data", "--window", fix=fix))
    else:
        start = _DEFAULT_START_S if end >= _DEFAULT_START_S + _DEFAULT_SPAN_S else begin
        stop = min(start + _DEFAULT_SPAN_S, end)
    expected = 0.0
    for client in clients:
        overlap = np.minimum(client.start_s + RATE_WINDOW_S, stop) - np.maximum(client.start_s, start)
        expected += float((np.maximum(overlap, 0) * client.rate).sum())
    if expected > _MOST_REQUESTS:
        fix = "choose a shorter --window"
        raise InputError(Problem(f"about {expected / 1e6:,.0f} million requests would be drawn", name, fix=fix))
    return start, stop


def _arrivals(client: Client, start: float, stop: float, rng: np.random.Generator) -> Floats:
    """Arrival times in [start, stop), sorted."""
    found = []
    left = None  # what is left of the current gap, in mean gaps
    windows = np.flatnonzero((client.start_s < stop) & (client.start_s + RATE_WINDOW_S > start))
    for w in windows:
        shape, weibull, rate = float(client.shape[w]), bool(client.weibull[w]), float(client.rate[w])
        if left is None:
            # A warm-up longer than the window makes the first gap one that an onlooker would meet.
            left = _renewal(0.0, max(rate * RATE_WINDOW_S, 200.0), shape, weibull, rng)[1]
        begin = max(float(client.start_s[w]), start)
        span = min(float(client.start_s[w]) + RATE_WINDOW_S, stop) - begin
        events, left = _renewal(left, span * rate, shape, weibull, rng)
        found.append(begin + events / rate)
    return np.concatenate(found) if found else np.zeros(0)


def _renewal(first: float, span: float, shape: float, weibull: bool, rng: np.random.Generator) -> tuple[Floats, float]:
    """Events in [0, span) of a renewal process with mean gap 1 from an event at `first` on, and the next - span."""
    parts = []
    at = first
    while at < span:
        count = int((span - at) * 1.1) + 64
        gaps = rng.weibull(shape, count) / math.gamma(1 + 1 / shape) if weibull else rng.gamma(shape, 1 / shape, count)
        events = at + np.concatenate((np.zeros(1), np.cumsum(gaps)))
        parts.append(events[:-1])
        at = float(events[-1])
    if not parts:
        return np.zeros(0), first - span
    events = np.append(np.concatenate(parts), at)
    inside = int(np.searchsorted(events, span))
    return events[:inside], float(events[inside]) - span


def _lengths(client: Client, arrival: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Prompt and output tokens; the distribution of the latest published window at or before each arrival."""
    starts = np.array(sorted(client.pmfs))
    window = np.maximum(
        np.searchsorted(starts, np.floor(arrival / LENGTH_WINDOW_S) * LENGTH_WINDOW_S, side="right") - 1, 0
    )
    prompt, output = np.zeros(len(arrival)), np.zeros(len(arrival))
    for w in np.unique(window):
        rows = np.flatnonzero(window == w)
        fields = client.pmfs[float(starts[w])]
        prompt[rows] = _prompts(fields, len(rows), rng)
        output[rows] = _draws(fields.get("output_tokens"), len(rows), rng)
    return np.minimum(prompt, 10_000_000), np.minimum(output, 10_000_000)


def _prompts(fields: dict[str, Pmf], count: int, rng: np.random.Generator) -> Floats:
    if "input_tokens" in fields:
        return _draws(fields["input_tokens"], count, rng)
    text = _draws(fields.get("text_tokens"), count, rng)
    images = _draws(fields.get("image_count"), count, rng).astype(np.int64)
    each = _draws(fields.get("image_tokens"), int(images.sum()), rng)
    return text + np.bincount(np.repeat(np.arange(count), images), weights=each, minlength=count)


def _draws(pmf: Pmf | None, count: int, rng: np.random.Generator) -> Floats:
    if pmf is None:
        return np.zeros(count)
    values, cumulated = pmf
    place = np.minimum(np.searchsorted(cumulated, rng.random(count), side="right"), len(values) - 1)
    return np.maximum(np.round(values[place]), 0)


def _pooled_lengths(donors: list[Client], arrival: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Lengths of other clients, each in proportion to its requests."""
    weights = np.array([client.rate.sum() for client in donors])
    chosen = rng.choice(len(donors), len(arrival), p=weights / weights.sum())
    prompt, output = np.zeros(len(arrival)), np.zeros(len(arrival))
    for d in np.unique(chosen):
        rows = np.flatnonzero(chosen == d)
        prompt[rows], output[rows] = _lengths(donors[d], arrival[rows], rng)
    return prompt, output


def _empty_windows(clients: list[Client], start: float, stop: float) -> int:
    first = math.floor(start / RATE_WINDOW_S)
    last = math.ceil(stop / RATE_WINDOW_S)
    served = {math.floor(s / RATE_WINDOW_S) for client in clients for s in client.start_s.tolist()}
    return sum(window not in served for window in range(first, last))
