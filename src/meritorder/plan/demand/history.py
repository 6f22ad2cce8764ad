"""What the past of a service tells of its future: growth fitted to a monthly series, with its interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from meritorder.fleet.plan.span import later, months_between
from meritorder.plan.demand.columns import month, number, read_rows
from meritorder.plan.demand.regression import Family, Posterior, draws, fit
from meritorder.plan.instance import Floats
from meritorder.problems import InputError, Problem

QUANTILES = (0.1, 0.5, 0.9)  # what low, best and high growth are: a fifth of the months should lie outside
LEAST = 8  # months
SEASONAL = 24  # months from which on month factors can be told from growth
_S_CURVE = 12  # months from which on an S-curve is tried
_DRAWS = 8000
_SEED = 20260101
_WIDEST = 1000.0  # high over low at which a series says nothing about a month


@dataclass(frozen=True)
class Fit:
    """A fitted series, for reports."""

    models: dict[str, float]  # "exponential", "S-curve", each also "with seasons": how much it counts, likeliest first
    months: int
    first: str
    last: str
    per_year: tuple[float, float, float]  # growth a year from the last year of the past to the end: low, best, high
    noise: float  # standard deviation of a month's new error, as a share, of the likeliest model
    memory: float  # correlation of its errors of months next to one another
    aicc: dict[str, float]  # of every model that was tried; less is better
    error: float  # median absolute error, as a share, of forecasts up to a year ahead from earlier months
    inside: float  # share of those months that were within their interval; it should be 0.8
    tried: int  # how many of them
    past: Floats = field(repr=False)  # [months]
    future: tuple[str, ...] = field(repr=False)  # months behind the past
    interval: Floats = field(repr=False)  # [future,3] low, best, high


def read_history(path: Path) -> tuple[str, Floats]:
    """First month and rates [n] of a CSV file `month,requests_per_s`. Raises InputError with the line."""
    rows = read_rows(path, ("month", "requests_per_s"))
    months = [month(rows, row) for row in range(len(rows))]
    for row in range(1, len(rows)):
        if months[row] != later(months[row - 1], 1):
            what = f"is {months[row]}, after {months[row - 1]}"
            raise rows.fault(row, "month", what, f"go on with {later(months[row - 1], 1)}: a row a month, in order")
    if len(rows) < LEAST:
        fix = f"give {LEAST} at least, or `requests_per_s` and `growth` as a range"
        raise InputError(Problem(f"has {len(rows)} months", rows.name, fix=fix))
    return months[0], np.array([number(rows, row, "requests_per_s", above=0.0) for row in range(len(rows))])


def fitted(path: Path, until: str) -> Fit:
    """The fit of a file's series, with the interval of every month up to `until`. Raises InputError."""
    first, series = read_history(path)
    return _fitted(str(path), first, tuple(series), max(1, months_between(first, until) + 1 - len(series)))


@lru_cache(maxsize=64)
def _fitted(name: str, first: str, series: tuple[float, ...], ahead: int) -> Fit:
    y = np.log(np.array(series))
    start = int(first[5:7]) - 1
    models = models_of(y, start, ahead)
    interval = predicted(models)
    spans = interval[:, 2] / interval[:, 0]
    if (spans > _WIDEST).any():
        told = int(np.argmax(spans > _WIDEST))
        what = (
            f"says next to nothing of {later(first, len(y) + told)}: its interval spans a factor of {spans[told]:.3g}"
        )
        fix = "give a longer past, plan for less, or give `requests_per_s` and `growth` as a range"
        raise InputError(Problem(what, name, fix=fix))
    errors, inside = _looking_back(y, start)
    likeliest = models[0].posterior
    return Fit(
        models={model.posterior.family.name: model.weight for model in models},
        months=len(y),
        first=first,
        last=later(first, len(y) - 1),
        per_year=_per_year(y, interval),
        noise=likeliest.noise,
        memory=likeliest.memory,
        aicc={model.posterior.family.name: model.posterior.aicc for model in models},
        error=float(np.median(errors)) if errors else float("nan"),
        inside=float(np.mean(inside)) if inside else float("nan"),
        tried=len(errors),
        past=np.array(series),
        future=tuple(later(first, len(y) + month) for month in range(ahead)),
        interval=interval,
    )


@dataclass(frozen=True)
class Weighed:
    """A model and how much it counts: its Akaike weight (Burnham and Anderson, 2002, section 2.9)."""

    posterior: Posterior
    weight: float


def models_of(y: Floats, start: int, ahead: int) -> list[Weighed]:
    """Models of the logarithms y, whose first month of the year is `start` (0 to 11), the likeliest first.

    Where an S-curve fits as well as exponential growth both count: a short past can't tell them apart.
    """
    tried = [fit(family, y) for family in _families(len(y), start, ahead)]
    aicc = np.array([posterior.aicc for posterior in tried])
    weights = np.exp(-0.5 * (aicc - aicc.min()))
    weighed = [Weighed(p, float(w)) for p, w in zip(tried, weights / weights.sum(), strict=True)]
    return sorted(weighed, key=lambda model: -model.weight)


def predicted(models: list[Weighed], count: int = _DRAWS) -> Floats:
    """[h,3] low, best and high of the months behind the series."""
    shares = [round(count * model.weight) for model in models]
    futures = [draws(m.posterior, share, _SEED) for m, share in zip(models, shares, strict=True) if share]
    interval: Floats = np.exp(np.quantile(np.concatenate(futures), QUANTILES, axis=0).T)
    return interval


def _families(n: int, start: int, ahead: int) -> list[Family]:
    """Models to try."""
    time = np.arange(n + ahead, dtype=np.float64)
    ones = np.ones_like(time)
    year = np.eye(12)[(start + np.arange(n + ahead)) % 12]
    factors = year[:, 1:] - year[:, :1]  # the twelve add up to none
    none = np.zeros((1, n + ahead))
    line = np.stack([ones, (time - n / 2) / 12.0], axis=1)
    seasons = [False, True] if n >= SEASONAL else [False]
    families = []
    for seasonal in seasons:
        suffix, more = (" with seasons", [factors]) if seasonal else ("", [])
        families.append(Family("exponential" + suffix, np.concatenate([line, *more], axis=1), none, 0))
        if n >= _S_CURVE:
            design = np.concatenate([ones[:, None], *more], axis=1)
            families.append(Family("S-curve" + suffix, design, _s_curves(time, n), 2))
    return families


def _s_curves(time: Floats, n: int) -> Floats:
    """[G, months] logarithms of logistic curves: 24 steepnesses, 48 turning points from the start to a year after."""
    rate = np.geomspace(0.03, 1.0, 24)[:, None, None]
    turn = np.linspace(0.0, n + 12.0, 48)[None, :, None]
    curves: Floats = -np.logaddexp(0.0, -rate * (time - turn)).reshape(-1, len(time))
    return curves


def _looking_back(y: Floats, start: int) -> tuple[list[float], list[bool]]:
    """Rolling origin: errors of forecasts up to a year ahead from earlier months, and whether they were inside."""
    errors: list[float] = []
    inside: list[bool] = []
    origins = np.unique(np.linspace(max(LEAST, len(y) // 2), len(y) - 1, 6).astype(int))
    for origin in origins[origins < len(y)]:
        ahead = min(12, len(y) - int(origin))
        interval, actual = predicted(models_of(y[:origin], start, ahead)), np.exp(y[origin : origin + ahead])
        errors += list(np.abs(interval[:, 1] / actual - 1.0))
        inside += list((interval[:, 0] <= actual) & (actual <= interval[:, 2]))
    return errors, inside


def _per_year(y: Floats, interval: Floats) -> tuple[float, float, float]:
    """Growth a year of low, best and high, from the mean of the past's last year to that of the interval's last."""
    before, after = y[-12:], np.log(interval[-12:])
    years = ((len(before) - 1) / 2 + len(interval) - (len(after) - 1) / 2) / 12.0
    low, best, high = np.exp((after.mean(axis=0) - before.mean()) / years)
    return float(low), float(best), float(high)
