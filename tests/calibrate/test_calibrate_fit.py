"""The fit finds the machine that made the measurements, whatever its form, as well as their noise allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calibrate.truth import BUDGET, REQUEST_S, off, rows_of

from meritorder.calibrate.fit import Fitted, fit
from meritorder.calibrate.nonnegative import nonnegative
from meritorder.calibrate.rows import Rows, averaged, noise
from meritorder.fleet.measured import MeasuredCoefficients
from meritorder.fleet.schema import Engine
from meritorder.perf.measured import measured_table
from meritorder.perf.table import IterationTable

ENGINE = Engine(max_sequences=8, token_budget=BUDGET)
# F16 on a core: a batch of seven takes less time than one of five
UNEVEN = [(1, 0.035), (2, 0.068), (3, 0.092), (4, 0.113), (5, 0.126), (6, 0.124), (7, 0.104), (8, 0.108)]
MACHINES: dict[str, dict[str, Any]] = {
    "affine": {"host_s": 0.02, "per_token_s": 0.001, "per_sequence_s": 0.002, "per_kv_token_s": 2e-6},
    "uneven": {"host_s": 0.001, "decode_s": UNEVEN, "prompt_s": [(1, 0.01), (256, 1.0)], "per_kv_token_s": 2e-6},
    "tokens": {"step_s": [(1, 0.01), (8, 0.011), (64, 0.03), (256, 0.11)], "per_pair_s": 1e-7},
}


def table_of(**coefficients: Any) -> IterationTable:
    return measured_table(MeasuredCoefficients(kv_tokens=10**6, **coefficients), ENGINE)


def found_in(table: IterationTable, spread: float, seed: int) -> Fitted:
    rows = rows_of(table, spread, seed)
    return fit(Rows.of(averaged(rows)), noise(rows)[0])


@pytest.mark.parametrize("name", MACHINES)
def test_every_kind_of_machine_is_found(name: str) -> None:
    table = table_of(**MACHINES[name])
    found = found_in(table, 0.05, seed=1)
    worst = off(table, table_of(**found.coefficients))
    assert worst["decode"] < 0.05
    assert worst["mixed"] < 0.10
    assert worst["prompt"] < 0.15
    assert found.error < 0.08  # the noise of a single time
    assert abs(found.bias) < 0.02
    assert found.request_s < 6 * REQUEST_S


def test_the_form_is_chosen_by_what_is_held_out() -> None:
    assert "affine" in found_in(table_of(**MACHINES["affine"]), 0.05, seed=2).form
    uneven = found_in(table_of(**MACHINES["uneven"]), 0.05, seed=2)
    assert "curve over sequences" in uneven.form or "curves over sequences" in uneven.form
    assert uneven.tried["affine"] > 1.5 * uneven.error


@settings(max_examples=4, deadline=None)
@given(
    host=st.floats(1e-3, 0.1),
    token=st.floats(1e-5, 5e-3),
    sequence=st.floats(0.0, 0.02),
    kv=st.floats(0.0, 1e-5),
    spread=st.floats(0.0, 0.1),
    seed=st.integers(0, 1000),
)
def test_affine_machines_are_found_within_their_noise(
    host: float, token: float, sequence: float, kv: float, spread: float, seed: int
) -> None:
    table = table_of(host_s=host, per_token_s=token, per_sequence_s=sequence, per_kv_token_s=kv)
    found = found_in(table, spread, seed)
    assert off(table, table_of(**found.coefficients))["decode"] < 0.02 + 0.6 * spread
    assert found.error < 0.03 + 1.5 * spread


def test_a_stall_of_another_program_moves_little() -> None:
    table = table_of(**MACHINES["affine"])
    rows = rows_of(table, 0.03, seed=3)
    for i in range(0, len(rows), 40):
        rows[i] = rows[i]._replace(seconds=5.0 * rows[i].seconds)
    found = fit(Rows.of(averaged(rows)), 0.05)
    assert off(table, table_of(**found.coefficients))["mixed"] < 0.2


def test_uncertainty_grows_with_noise() -> None:
    table = table_of(**MACHINES["affine"])
    quiet, loud = (found_in(table, spread, seed=4).uncertainty for spread in (0.01, 0.2))
    assert quiet["decode"] < loud["decode"]
    assert quiet["mixed"] < loud["mixed"]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), columns=st.integers(1, 8))
def test_least_squares_without_negatives_is_that_of_scipy(seed: int, columns: int) -> None:
    from scipy.optimize import nnls

    draw = np.random.default_rng(seed)
    matrix, values = draw.normal(size=(20, columns)), draw.normal(size=20)
    mine, theirs = nonnegative(matrix, values), nnls(matrix, values)[0]
    assert (mine >= 0.0).all()
    assert np.linalg.norm(matrix @ mine - values) == pytest.approx(np.linalg.norm(matrix @ theirs - values), abs=1e-8)
