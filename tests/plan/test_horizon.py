"""Periods, their months and what money in them is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.fleet.plan.demand import ServiceDemand, Stretch
from meritorder.fleet.plan.ground import Block, Ground
from meritorder.fleet.plan.offers import Offer, Run
from meritorder.fleet.plan.plan import Plan
from meritorder.fleet.plan.span import Span, later, months_between
from meritorder.plan.horizon import YEAR_S, Horizon, of

STARTS = st.builds("{}-{:02d}".format, st.integers(2000, 2094), st.integers(1, 12))


def horizon(start: str, periods: int, length: float, rate: float = 0.08) -> Horizon:
    offer = Offer(accelerator="h100", runs={"m": Run()}, price=Span(low=1.0, best=1.0, high=1.0), supply=1)
    ground = Ground(blocks={"row": Block(power=1e6, coolant="air", most=1)})
    demand = {"chat": ServiceDemand(traffic="azure-2023-conv", requests_per_s=1)}
    stretch = Stretch(start=start, periods=periods, length=length, discount_rate=rate)
    return of(Plan(horizon=stretch, demand=demand, offers={"gpu": offer}, sites={"iowa": ground}))


@pytest.mark.parametrize(
    ("start", "length", "names"),
    [
        ("2026-01", 3, ("2026-Q1", "2026-Q2")),
        ("2026-10", 3, ("2026-Q4", "2027-Q1")),
        ("2026-02", 3, ("2026-02..2026-04", "2026-05..2026-07")),
        ("2026-12", 1, ("2026-12", "2027-01")),
        ("2026-11", 2, ("2026-11..2026-12", "2027-01..2027-02")),
        ("2026-07", 6, ("2026-H2", "2027-H1")),
        ("2026-01", 12, ("2026", "2027")),
        ("2026-04", 12, ("2026-04..2027-03", "2027-04..2028-03")),
    ],
)
def test_names(start: str, length: float, names: tuple[str, ...]) -> None:
    assert horizon(start, 2, length).names == names


def test_money_later_is_worth_less() -> None:
    found = horizon("2026-01", 4, 12, rate=0.1)
    assert found.discount == pytest.approx([1.1**-0.5, 1.1**-1.5, 1.1**-2.5, 1.1**-3.5])
    assert found.seconds == pytest.approx(np.full(4, YEAR_S))
    assert horizon("2026-01", 4, 3, rate=0.0).discount == pytest.approx(np.ones(4))


@given(STARTS, st.integers(1, 60), st.sampled_from([1, 2, 3, 6, 12]))
def test_every_month_is_in_the_period_that_says_so(start: str, periods: int, length: int) -> None:
    found = horizon(start, periods, length)
    assert len(found.all_months) == periods * length == months_between(start, found.all_months[-1]) + 1
    for period, months in enumerate(found.months):
        assert {found.period_of(month) for month in months} == {period}
        assert found.starts(months[0]) == period
        assert all(found.starts(month) == period + 1 for month in months[1:])
    assert found.period_of(later(start, -1)) == -1
    assert found.period_of(later(found.all_months[-1], 1)) == periods
    assert found.years.sum() == pytest.approx(periods * length / 12)


@given(STARTS, st.integers(-500, 500))
def test_months_add_up(start: str, by: int) -> None:
    assert months_between(start, later(start, by)) == by
