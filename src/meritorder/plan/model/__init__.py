"""The optimisation model: a file per family of constraints; `formulate` writes them, `solve` finds the plan."""

from meritorder.plan.model.formulate import Formulated, formulate
from meritorder.plan.model.situations import Case, all_cases, design_hour, first_cases, median_scenario
from meritorder.plan.model.solve import Infeasible, Unsolved, plan_of, settled, solve, solved

__all__ = [
    "Case",
    "Formulated",
    "Infeasible",
    "Unsolved",
    "all_cases",
    "design_hour",
    "first_cases",
    "formulate",
    "median_scenario",
    "plan_of",
    "settled",
    "solve",
    "solved",
]
