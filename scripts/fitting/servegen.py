"""ServeGen: each of the busiest clients with its own rate curve, gaps and lengths, and the rest as one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as parquet
from scripts.fitting.arrival_search import statistics
from scripts.fitting.judge import Row
from scripts.fitting.tables import rounded, weighted_quantiles

from meritorder.workload.synthesis.arrivals import arrivals, mean_rate, renewals
from meritorder.workload.synthesis.spec import Gaps, TrafficSpec

Numbers = npt.NDArray[np.float64]
WINDOW_S = 600
SHARE = 0.9  # of the requests come from clients that get parameters of their own
MOST_CLIENTS = 16
LENGTH_FIELDS = {"prompt_tokens": "input_tokens", "output_tokens": "output_tokens"}
AT = (0, 0.02, 0.05, *(k / 10 for k in range(1, 10)), 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)


class Service:
    """The published windows of one service between two times (seconds)."""

    def __init__(self, folder: Path, model: str, start_s: float = 0.0, end_s: float = math.inf) -> None:
        span = [("model", "=", model), ("start_s", ">=", int(start_s)), ("start_s", "<", min(end_s, 1e9))]
        rates = parquet.read_table(folder / "servegen_rates.parquet", filters=span)
        self.model = model
        self.client = rates["client"].to_numpy().astype(np.int64)
        self.window = rates["start_s"].to_numpy().astype(np.int64) // WINDOW_S
        self.rate, self.cv = rates["rate"].to_numpy(), np.minimum(rates["cv"].to_numpy(), 100.0)
        self.gamma = np.array([p == "Gamma" for p in rates["pattern"].to_pylist()])
        self.first, self.last = int(self.window.min()), int(self.window.max())
        self.pmfs = parquet.read_table(folder / "servegen_token_pmfs.parquet", filters=span)

    def curve(self, clients: npt.NDArray[np.int64]) -> Numbers:
        """Summed rate of these clients per window; windows in which nobody sends anything are missing: NaN."""
        n = self.last - self.first + 1
        chosen = np.isin(self.client, clients)
        own = np.bincount(self.window[chosen] - self.first, self.rate[chosen], n)
        every = np.bincount(self.window - self.first, self.rate, n)
        return np.where(every > 0, own, np.nan)

    def busiest(self) -> npt.NDArray[np.int64]:
        """Clients by number of requests, the busiest first."""
        return np.argsort(-np.bincount(self.client, self.rate), kind="stable")


def preset(service: Service) -> dict[str, Any]:
    """The clients of one service."""
    order = service.busiest()
    totals = np.bincount(service.client, service.rate)[order]
    own = min(int(np.searchsorted(np.cumsum(totals) / totals.sum(), SHARE)) + 1, MOST_CLIENTS)
    result = {f"client-{c}": _client(service, np.array([c])) for c in order[:own]}
    rest = order[own:][totals[own:] > 0]
    if len(rest):
        result["rest"] = _client(service, rest)
    return result


def _client(service: Service, clients: npt.NDArray[np.int64]) -> dict[str, Any]:
    chosen = np.isin(service.client, clients)
    cv = _typical_cv(service, chosen)
    gamma = float(service.rate[chosen & service.gamma].sum()) > 0.5 * float(service.rate[chosen].sum())
    curve = _without_gaps(service.curve(clients))
    return {
        "windows": {"window": "10 min", "per_s": [rounded(v, 3) for v in curve]},
        "gaps": {"process": "gamma" if gamma or cv > 30 else "weibull", "cv": rounded(max(cv, 0.05), 3)},
        **{ours: lengths(service, ours, clients) for ours in LENGTH_FIELDS},
    }


def _typical_cv(service: Service, chosen: npt.NDArray[np.bool_]) -> float:
    """CV of a usual window: counts have variance cv^2 x rate, which adds up over clients; the median over requests."""
    window = service.window[chosen] - service.first
    rates = np.bincount(window, service.rate[chosen])
    variances = np.bincount(window, service.rate[chosen] * service.cv[chosen] ** 2)
    active = np.flatnonzero(rates > 0)
    squared = variances[active] / rates[active]
    order = np.argsort(squared)
    total = np.cumsum(rates[active][order])
    return math.sqrt(float(squared[order][np.searchsorted(total, total[-1] / 2)]))


def _without_gaps(curve: Numbers) -> Numbers:
    """Missing windows from their neighbours."""
    known = np.flatnonzero(~np.isnan(curve))
    return np.interp(np.arange(len(curve)), known, curve[known])


def lengths(service: Service, ours: str, clients: npt.NDArray[np.int64] | None = None) -> dict[str, Any]:
    """Quantiles of the pooled pmfs of these clients (of all, where they have none), weighted by requests."""
    if service.model == "mm-image" and ours == "prompt_tokens":
        values, weights = _image_prompts(service, clients)
    else:
        values, weights = _pooled(service, LENGTH_FIELDS[ours], clients)
    if not len(values):
        return lengths(service, ours)
    return weighted_quantiles(np.maximum(values, 1), weights, AT)


def _pooled(service: Service, field: str, clients: npt.NDArray[np.int64] | None) -> tuple[Numbers, Numbers]:
    table = service.pmfs
    owner = table["client"].to_numpy()
    chosen = np.array([f == field for f in table["field"].to_pylist()])
    if clients is not None:
        chosen &= np.isin(owner, clients)
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return np.zeros(0), np.zeros(0)
    requests = _requests(service, owner[rows], table["start_s"].to_numpy()[rows])
    part = table.take(rows)
    values = part["value"].combine_chunks()
    sizes = np.diff(values.offsets.to_numpy())
    flat = values.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    probability = part["prob"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    different, which = np.unique(flat, return_inverse=True)
    weights: Numbers = np.bincount(which, probability * np.repeat(requests, sizes)).astype(np.float64)
    return different.astype(np.float64), weights


def _requests(service: Service, owner: npt.NDArray[np.int16], start_s: npt.NDArray[np.int32]) -> Numbers:
    """Rate summed over the six hours of each pmf."""
    six_hours = 36
    key = service.client * 10_000 + service.window // six_hours
    keys, which = np.unique(key, return_inverse=True)
    sums = np.bincount(which, service.rate)
    wanted = owner.astype(np.int64) * 10_000 + start_s // (six_hours * WINDOW_S)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, sums[place], 0.0)


def _image_prompts(service: Service, clients: npt.NDArray[np.int64] | None) -> tuple[Numbers, Numbers]:
    """Text plus the tokens of every image, drawn independently (only the marginals were published)."""
    if clients is None:  # what goes together is known for each client only
        each = [(c, _image_prompts(service, np.array([c]))) for c in np.unique(service.client)]
        weight = np.bincount(service.client, service.rate)
        known = [(values, weights * weight[c]) for c, (values, weights) in each if len(values)]
        return np.concatenate([values for values, _ in known]), np.concatenate([weights for _, weights in known])
    rng = np.random.default_rng(0)
    drawn = []
    for field in ("text_tokens", "image_tokens", "image_count"):
        values, weights = _pooled(service, field, clients)
        if not len(values) or weights.sum() <= 0:
            return np.zeros(0), np.zeros(0)
        drawn.append((values, weights / weights.sum()))
    n = 50_000
    (text, p_text), (image, p_image), (count, p_count) = drawn
    total = rng.choice(text, n, p=p_text)
    images = rng.choice(count, n, p=p_count)
    for k in range(int(images.max())):
        total = total + np.where(images > k, rng.choice(image, n, p=p_image), 0)
    return total, np.ones(n)


def sampled(service: Service, part: int, parts: int) -> Row:
    """Arrival statistics of one hour, in the middle of the `part`-th of `parts` equal spans, window by window."""
    start = service.first + int((part + 0.5) * (service.last - service.first - 6) / parts)
    while not np.isin(np.arange(start, start + 6), service.window).all():  # not over a gap in the data
        start += 1
    rng = np.random.default_rng([part, parts])
    times = []
    for k in np.flatnonzero((service.window >= start) & (service.window < start + 6)):
        rate, cv = float(service.rate[k]), float(max(service.cv[k], 0.02))
        gaps = Gaps(process="gamma" if service.gamma[k] or cv > 30 else "weibull", cv=cv)
        times.append(renewals(gaps, rate * WINDOW_S, rng) / rate + (service.window[k] - start) * WINDOW_S)
    return _arrival_row(np.sort(np.concatenate(times)))


def length_row(service: Service) -> Row:
    """Quantiles of the lengths of all clients that have any."""
    row: Row = {}
    for short, ours in (("in", "prompt_tokens"), ("out", "output_tokens")):
        every = lengths(service, ours)["quantiles"]
        row |= {f"{short} p{q}": float(np.interp(q / 100, every["at"], every["values"])) for q in (50, 90, 99)}
    return row


def synthetic_row(trial: TrafficSpec, span_s: float, parts: int) -> Row:
    """The same numbers of a fitted workload: hours spread over its span, lengths weighted by its clients' rates."""
    rows = []
    for part in range(parts):
        start = float(int((part + 0.5) * (span_s // WINDOW_S - 7) / parts) * WINDOW_S)  # the hours of `sampled`
        rng = np.random.default_rng([part, parts, 1])
        times = [arrivals(client, 1.0, start, start + 3600, rng) for client in trial.clients.values()]
        rows.append(_arrival_row(np.sort(np.concatenate(times))))
    row = {name: float(np.median([r[name] for r in rows])) for name in rows[0]}
    rng = np.random.default_rng(0)
    rates = np.array([mean_rate(client, 0, span_s) for client in trial.clients.values()])
    counts = np.rint(rates / rates.sum() * 400_000).astype(int)
    for short, ours in (("in", "prompt_tokens"), ("out", "output_tokens")):
        drawn = [getattr(c, ours).sample(rng, n) for c, n in zip(trial.clients.values(), counts, strict=True)]
        values = np.percentile(np.concatenate(drawn), (50, 90, 99))
        row |= {f"{short} p{q}": float(v) for q, v in zip((50, 90, 99), values, strict=True)}
    return row


def _arrival_row(times: Numbers) -> Row:
    found = statistics(times)
    return {"requests/s": found["rate"], **{k: found[k] for k in ("CV", "IDC 1 s", "IDC 10 s", "IDC 60 s")}}
