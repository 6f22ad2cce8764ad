"""What was done when and why: the ring of deeds."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.control.state import ControlState


@inlined
def note(
    control: ControlState,
    site: int,
    row: int,
    cause: int,
    time: float,
    lever: int,
    target: int,
    level: int,
    watts: float,
) -> None:
    """Remember one use of a lever (DEED's words); `watts`: what it is expected to take off."""
    g = control.settings[0]
    deed = control.deeds[g.deeds % len(control.deeds)]
    deed.time, deed.site, deed.row = time, site, row
    deed.lever, deed.target, deed.level = lever, target, level
    deed.binding, deed.watts = cause, watts
    g.deeds += 1
