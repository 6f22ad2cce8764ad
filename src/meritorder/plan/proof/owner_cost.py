"""What a system costs per hour, energy and ground not included: the annuity of its price, or its rent."""

from __future__ import annotations

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build

HOURS_PER_MONTH = 365.25 * 24.0 / 12.0


def usd_per_hour(fleet: Fleet, instance: Instance, build: Build, t: int, h: int) -> float:
    """Of one system of an offer in service in period t, USD: those of several deliveries at their mean price."""
    assert fleet.plan is not None
    offer, horizon = fleet.plan.offers[instance.names.systems[h]], fleet.plan.horizon
    if offer.rent_per_month is not None:
        return offer.rent_per_month.best / HOURS_PER_MONTH
    assert offer.price is not None
    came = build.delivered[: t + 1, :, h].sum(axis=1)
    stood = max(float(build.systems[t, :, h].sum() - came.sum()), 0.0)
    years = np.arange(t + 1) * horizon.length / 12.0
    prices = offer.price.best * offer.price_per_year**years
    count = stood + float(came.sum())
    mean = (stood * offer.price.best + float(came @ prices)) / count if count > 0.0 else offer.price.best
    monthly = (1.0 + horizon.discount_rate) ** (1.0 / 12.0) - 1.0
    annuity = monthly / (1.0 - (1.0 + monthly) ** -offer.term) if monthly > 0.0 else 1.0 / offer.term
    return mean * (annuity + offer.upkeep / 12.0) / HOURS_PER_MONTH
