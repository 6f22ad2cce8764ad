"""What is charged for capital adds up to its price over its life, and only the horizon's part is charged."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_plan import small_fleet

from meritorder.fleet.plan.plan import Plan
from meritorder.plan.assemble.annuity import annuity, charged
from meritorder.plan.horizon import Horizon, of

LENGTHS = {"1 month": 1, "2 months": 2, "1 quarter": 3, "6 months": 6, "1 year": 12}


@cache
def known() -> Plan:
    plan = small_fleet().plan
    assert plan is not None
    return plan


def horizon_of(length: str, periods: int, rate: float) -> Horizon:
    plan = known()
    stretch = plan.horizon.model_copy(
        update={"length": float(LENGTHS[length]), "periods": periods, "discount_rate": rate}
    )
    return of(Plan.model_construct(**{**dict(plan), "horizon": stretch}))


@given(st.sampled_from(sorted(LENGTHS)), st.integers(1, 20), st.floats(0.0, 0.3), st.integers(1, 40))
def test_all_of_a_life_is_the_price(length: str, periods: int, rate: float, life: int) -> None:
    horizon = horizon_of(length, periods, rate)
    price = np.full(periods, 1000.0)
    found = charged(horizon, price, life)
    paid = price * horizon.discount  # if it were paid when it comes
    whole = np.arange(periods) + life <= periods  # lives that end within the horizon
    assert found[whole] == pytest.approx(paid[whole], rel=1e-9)
    assert (found[~whole] < paid[~whole]).all()
    assert (found > 0.0).all()


def test_without_interest_each_period_is_charged_alike() -> None:
    horizon = horizon_of("1 quarter", 8, 0.0)
    assert annuity(horizon, 16) == pytest.approx(1 / 16)
    assert charged(horizon, np.full(8, 16.0), 16) == pytest.approx(np.arange(8, 0, -1))


def test_interest_is_paid_on_what_is_owed() -> None:
    """Written out for three yearly charges that begin at once: 100 = a (1 + 1/1.1 + 1/1.21)."""
    horizon = horizon_of("1 year", 5, 0.1)
    assert annuity(horizon, 3) == pytest.approx(1.0 / (1 + 1 / 1.1 + 1 / 1.21))
