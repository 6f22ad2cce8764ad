"""The certificate: which promises hold when the plan is simulated, and what was lost in which contingency."""

from __future__ import annotations

from meritorder.report.body import Body
from meritorder.report.plan.words import Told


def section(body: Body, told: Told) -> None:
    """The section on the proof; nothing where none was asked for."""
    if told["certificate"] is None:
        return
