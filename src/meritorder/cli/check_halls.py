"""What `merit check` says of halls: racks placed, power left, power stranded by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meritorder.facility.halls.seats import Placement
    from meritorder.fleet.document import Document
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica


def place(fleet: Fleet, replicas: Mapping[str, Replica], document: Document) -> Placement:
    """Where the machines stand. Raises InputError with the lines of those that find no room."""
    from meritorder.facility.halls.seats import placement
    from meritorder.problems import InputError

    try:
        return placement(fleet, replicas)
    except InputError as error:
        told = [document.problem(tuple(one.key.split(".")), one.what, one.fix) for one in error.problems]
        raise InputError(told) from None


def print_halls(halls: Sequence[Mapping[str, Any]]) -> None:
    """Halls of sites with a building, and what is stranded in those that the fleet file gives."""
    from rich.text import Text

    from meritorder.cli.output import results
    from meritorder.units import show

    out = results()
    out.print(_halls_table(halls), "")
    given = [hall for hall in halls if hall["given"]]
    if not given:
        return
    out.print(_stranded_table(given))
    words = "Power of the IT nameplate. Usable: by further systems of the kind named. Stranded: by nothing that the site has;"
    out.print(Text(f"{words} because of"))
    out.print(
        Text(
            "power: less than a system needs; cooling: of the row; density: rack_power; space: places; coolant: class.\n"
        )
    )
    for hall in given:
        lost = sum(hall["stranded_w"].values())
        if lost > 0.2 * hall["power_w"]:
            cause = max(hall["stranded_w"], key=lambda one: hall["stranded_w"][one])
            share = f"{show(lost, 'W', 3)} of {show(hall['power_w'], 'W', 3)}"
            words = f"warning: {hall['site']}, {hall['hall']}: {share} can't be used, most of it by {cause}"
            out.print(Text(words, style="yellow"), soft_wrap=True)


def _halls_table(halls: Sequence[Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("site", "hall", "coolant", ">rows", ">places\ntaken", ">IT\nnameplate", ">of its\npower", "racks of")
    result = table("Halls", columns)
    for hall in halls:
        taken = f"{hall['places_taken']:,} of {hall['places']:,}" if hall["given"] else f"{hall['places_taken']:,}"
        result.add_row(
            hall["site"],
            hall["hall"] if hall["given"] else "(made to hold them)",
            hall["coolant"],
            f"{hall['rows']:,}",
            taken,
            show(hall["nameplate_w"], "W", 3),
            show(hall["power_w"], "W", 3) if hall["given"] else "-",
            ", ".join(f"{pool} {entry['racks']:,}" for pool, entry in hall["pools"].items()) or "-",
        )
    return result


def _stranded_table(halls: Sequence[Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    causes = list(halls[0]["stranded_w"])
    result = table("Power left in them", ("hall", ">free", ">usable", "by", *(f">stranded:\n{one}" for one in causes)))
    for hall in halls:
        kind = hall["deployable"]
        more = f"{hall['further_systems'][kind]:,} {kind}" if kind and hall["deployable_w"] else "-"
        stranded = [show(hall["stranded_w"][one], "W", 3) if hall["stranded_w"][one] >= 1 else "-" for one in causes]
        name = f"{hall['site']}, {hall['hall']}"
        result.add_row(name, show(hall["free_w"], "W", 3), show(hall["deployable_w"], "W", 3), more, *stranded)
    return result
