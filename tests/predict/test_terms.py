"""Products of factors: what is shared is found, what only one group shows stays with it, and little moves little."""

import numpy as np
import pytest
from scripts.machine_fit.terms import Level, Sample, fit_terms

BASE = {"compute": 1.0, "host": 1e-3}
LEVELS = (
    Level((), lambda kind: 0.5),
    Level(("engine",), lambda kind: 0.3),
    Level(("engine", "model"), lambda kind: 0.3, kinds=False),
)


def _samples(n, factors, seed=0, **when):
    draw = np.random.default_rng(seed)
    for _ in range(n):
        compute, host = draw.uniform(1e-3, 2e-2), draw.choice([0.0, 1.0, 4.0])
        truth = compute * factors["compute"] + host * 1e-3 * factors["host"]
        yield Sample(when, {"compute": compute, "host": host}, truth * np.exp(draw.normal(0, 0.02)))


def _fit(samples):
    return fit_terms(list(samples), BASE, LEVELS, "all", 0.05, lambda when: when["engine"], 0.0)


def _factor(terms, kind, **when):
    product = 1.0
    for entry in terms.entries:
        if all(when.get(key) == value for key, value in entry["when"].items()):
            product *= entry["factors"].get(kind, 1.0)
    return product


def test_factors_of_each_engine_are_found():
    terms = _fit(
        [
            *_samples(200, {"compute": 1.2, "host": 2.0}, engine="a", model="m"),
            *_samples(200, {"compute": 0.9, "host": 0.5}, seed=1, engine="b", model="m"),
        ]
    )
    whole = _factor(terms, "all", engine="a", model="m")
    assert _factor(terms, "compute", engine="a", model="m") * whole == pytest.approx(1.2, rel=0.02)
    assert _factor(terms, "host", engine="a", model="m") * whole == pytest.approx(2.0, rel=0.05)
    assert terms.median < 0.03


def test_an_engine_nobody_measured_gets_what_the_others_share():
    samples = [s for e in "abcd" for s in _samples(50, {"compute": 1.3, "host": 1.3}, ord(e), engine=e, model=e)]
    assert _factor(_fit(samples), "compute", engine="z", model="z") == pytest.approx(1.3, rel=0.06)


def test_one_sample_moves_less_than_many():
    few, many = (_fit(_samples(n, {"compute": 2.0, "host": 1.0}, engine="a", model="m")) for n in (1, 100))
    moved = [
        _factor(t, "compute", engine="a", model="m") * _factor(t, "all", engine="a", model="m") for t in (few, many)
    ]
    assert 1.0 < moved[0] < moved[1] + 0.1
    assert moved[1] == pytest.approx(2.0, rel=0.05)
