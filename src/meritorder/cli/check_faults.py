"""What `merit check` says of faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meritorder.facility.halls.seats import Placement
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica


def fault_facts(fleet: Fleet, replicas: Mapping[str, Replica], placing: Placement) -> dict[str, Any]:
    """Failures to expect and the availability that comes of them; empty where nothing breaks."""
    from meritorder.facility.parts import parts_of
    from meritorder.simulate.faults.expected import expected

    if not (fleet.faults.rates or fleet.faults.at):
        return {}
    return expected(fleet, tuple(replicas.values()), placing, parts_of(fleet, placing))


def print_faults(facts: Mapping[str, Any]) -> None:
    """Two lines: how often what fails, and how much of each pool is up."""
    from rich.text import Text

    from meritorder.cli.output import results

    out = results()
    often = [f"{what} {_rate(count)}" for what, count in facts["per_day"].items() if count > 0]
    if facts["scheduled"]:
        often.append(f"{facts['scheduled']} at set times")
    out.print(Text(f"Faults: {', '.join(often)}"), soft_wrap=True)
    if facts["per_day"]:
        up = ", ".join(f"{name} {share:.3%}" for name, share in facts["availability"].items())
        out.print(
            Text(f"Replicas up in the long run, without spares and the building's faults: {up}\n"), soft_wrap=True
        )


def _rate(per_day: float) -> str:
    units = ((1.0, "a day"), (30.0, "a month"), (365.0, "a year"))
    size, unit = next((pair for pair in units if per_day * pair[0] >= 1), units[-1])
    return f"{per_day * size:.2g} {unit}"
