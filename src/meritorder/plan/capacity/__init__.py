"""Capacities are simulated, not assumed: what systems carry of each service within its service level, by pool size."""

from meritorder.plan.capacity.capacities import capacities
from meritorder.plan.capacity.capacity import Capacity
from meritorder.plan.capacity.case import Case, Key, cases_of

__all__ = ["Capacity", "Case", "Key", "capacities", "cases_of"]
