"""The fit: relative least squares without negative coefficients, in the form that held-out measurements prefer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from meritorder.calibrate.forms import FORMS, Basis, Form
from meritorder.calibrate.nonnegative import nonnegative
from meritorder.calibrate.rows import Floats, Rows
from meritorder.fleet.measured import Curve
from meritorder.problems import InputError, Problem

_NOISE = 0.05  # where nothing was repeated
_FLOOR = 0.03  # relative error of any form: rows that average many times don't count without limit
_FAR = 3.0  # errors beyond so many times the usual count less (Huber)
_TURNS = 4
_RIDGE = 1e-3  # keeps coefficients finite that the data can't tell apart
_DRAWS = 20


@dataclass(frozen=True)
class Fitted:
    """Coefficients by their names in `MeasuredCoefficients`, and how far they can be trusted."""

    coefficients: dict[str, float | Curve]
    request_s: float
    prompt_token_s: float
    form: str
    rows: int
    error: float  # mean relative error of rows held out
    bias: float  # of the same, signed
    own_error: float  # of the rows fitted to
    uncertainty: dict[str, float]  # relative standard error of predicted times, by kind of iteration
    tried: dict[str, float] = field(default_factory=dict)  # error of rows held out, by form


def fit(rows: Rows, noise: float, seed: int = 0) -> Fitted:
    """Fit the form that does best on parts held out; `noise`: relative deviation of a single time, NaN: not known.

    Raises InputError where there is too little to fit to.
    """
    noise = _NOISE if np.isnan(noise) else noise
    if not (rows.decoding > 0).any() or not (rows.prompt_tokens > 0).any():
        what = "tell of no iteration that decodes" if (rows.prompt_tokens > 0).any() else "tell of no prompt"
        fix = "measure for longer; iterations much below a millisecond can't be told apart from outside"
        raise InputError(Problem(f"the measurements {what}", "merit calibrate", fix=fix))
    parts = np.unique(rows.part)
    held = {form: _held_out(form, rows, noise) for form in FORMS} if len(parts) > 1 else {}
    best = _simplest(held)
    basis = Basis.of(best, rows)
    values = solve(basis, rows, noise)
    own = basis.matrix(rows) @ values / rows.seconds - 1.0
    coefficients, request_s, prompt_token_s = basis.coefficients(values)
    errors = held.get(best, np.full(1, np.nan))
    return Fitted(
        coefficients,
        request_s,
        prompt_token_s,
        form=best.name,
        rows=len(rows),
        error=float(np.abs(errors).mean()),
        bias=float(errors.mean()),
        own_error=float(np.abs(own).mean()),
        uncertainty=_uncertainty(basis, rows, noise, seed),
        tried={form.name: round(float(np.abs(off).mean()), 4) for form, off in held.items()},
    )


def solve(basis: Basis, rows: Rows, noise: float) -> Floats:
    """The coefficients: errors relative to what is predicted (so that the mean is met), far ones damped."""
    rising = basis.rising()
    matrix = basis.matrix(rows) @ rising
    spread = np.sqrt(max(noise, 0.005) ** 2 / rows.count + _FLOOR**2)
    predicted = rows.seconds
    damped = np.ones(len(rows))
    values = np.zeros(matrix.shape[1])
    size = np.sqrt(((matrix / predicted[:, None]) ** 2).mean(axis=0))
    for _ in range(_TURNS):
        weight = damped / (predicted * spread)
        ridge = np.diag(_RIDGE * size / spread.mean())
        values = nonnegative(
            np.vstack([matrix * weight[:, None], ridge]), np.concatenate([rows.seconds * weight, np.zeros(len(ridge))])
        )
        predicted = np.maximum(matrix @ values, 0.2 * rows.seconds)
        off = np.abs(rows.seconds / predicted - 1.0) / spread
        usual = max(1.0, float(np.median(off)) / 0.6745)
        damped = np.sqrt(np.minimum(1.0, _FAR * usual / np.maximum(off, 1e-12)))
    coefficients: Floats = rising @ values
    return coefficients


def _held_out(form: Form, rows: Rows, noise: float) -> Floats:
    """Relative errors of all rows, each part in turn predicted from the others."""
    errors = []
    for part in np.unique(rows.part):
        others, mine = rows.where(rows.part != part), rows.where(rows.part == part)
        basis = Basis.of(form, others)
        errors.append(basis.matrix(mine) @ solve(basis, others, noise) / mine.seconds - 1.0)
    every: Floats = np.concatenate(errors)
    return every


def _simplest(held: dict[Form, Floats]) -> Form:
    """The simplest form whose errors are not worse than the least by more than a standard error of the difference."""
    if not held:
        return FORMS[0]
    off = {form: np.abs(errors) for form, errors in held.items()}
    least = min(off.values(), key=lambda errors: float(errors.mean()))
    for form, errors in off.items():
        more = errors - least
        if more.mean() <= more.std() / np.sqrt(len(more)):
            return form
    raise AssertionError("the least is not worse than itself")


def _uncertainty(basis: Basis, rows: Rows, noise: float, seed: int) -> dict[str, float]:
    """Standard error of predictions over fits to rows drawn again with replacement (bootstrap), by kind of row."""
    draw = np.random.default_rng(seed)
    matrix = basis.matrix(rows)
    times = []
    for _ in range(_DRAWS):
        again = rows.drawn(draw.integers(0, len(rows), len(rows)))
        times.append(matrix @ solve(basis, again, noise))
    relative = np.std(times, axis=0) / np.maximum(np.mean(times, axis=0), 1e-12)
    prompts, decoding = rows.summed(rows.prompt_tokens) > 0, rows.summed(rows.decoding) > 0
    kinds = {"decode": ~prompts, "prompt": prompts & ~decoding, "mixed": prompts & decoding}
    return {kind: round(float(relative[chosen].mean()), 4) for kind, chosen in kinds.items() if chosen.any()}
