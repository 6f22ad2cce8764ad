"""What `merit check` says of halls: racks placed, power left, power stranded by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

_MUCH = 0.1  # of a hall's power, stranded

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

    out = results()
    out.print(_halls_table(halls), "")
    given = [hall for hall in halls if hall["given"]]
    if not given:
        return
    out.print(_stranded_table(given))
    out.print(
        Text("Watts of IT nameplate. Usable: by so many more of one of the site's machines. Stranded: by none of")
    )
    out.print(
        Text("them, because of power (less than one needs), cooling, density (of racks), space, or its coolant.\n")
    )


def hall_warnings(halls: Sequence[Mapping[str, Any]]) -> list[str]:
    """Halls of which much can't be used."""
    from meritorder.units import show

    found = []
    for hall in halls:
        stranded = hall.get("stranded_w", {})
        lost = sum(stranded.values())
        if lost > _MUCH * hall.get("power_w", 0.0) and lost:
            cause = max(stranded, key=lambda one: stranded[one])
            share = f"{show(lost, 'W', 3)} of {show(hall['power_w'], 'W', 3)}"
            found.append(f"hall {hall['hall']} of {hall['site']}: {share} can't be used, most of it because of {cause}")
    return found


def site_warnings(fleet: Fleet, halls: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sites whose machines could draw more than is there for all halls together, whatever each of them carries."""
    from meritorder.units import show

    found = []
    for name, site in fleet.sites.items():
        nameplate = sum(hall["nameplate_w"] for hall in halls if hall["site"] == name)
        if site.facility is None:
            continue
        power, drawn = site.facility.power, show(nameplate, "W", 3)
        limits = {
            "power_limit": site.power_limit,
            "facility.power.capacity": power.capacity and power.capacity * power.oversubscription,
            "facility.grid": site.facility.grid,
        }
        found += [
            f"site {name}: its machines can draw {drawn}, more than its `{key}` of {show(limit, 'W', 3)}"
            for key, limit in limits.items()
            if limit is not None and nameplate > limit
        ]
    return found


def unused_chips(fleet: Fleet, replicas: Mapping[str, Replica]) -> list[str]:
    """Pools whose replicas leave chips of their machines idle: they stand there, but nobody pays or feeds them."""
    found = []
    for name, pool in fleet.pools.items():
        if fleet.sites[pool.site].facility is None or pool.accelerator is None:
            continue
        chips, system = replicas[name].accelerators, fleet.accelerators[pool.accelerator].stands.system_chips
        idle = -chips % system if chips > system else 0
        if idle:
            found.append(
                f"pool {name}: a replica of {chips} takes {(chips + idle) // system} systems of {system} to itself: "
                f"{idle * pool.replicas} {pool.accelerator} stand idle, in neither its cost nor its energy"
            )
    return found


def housing_notes(fleet: Fleet) -> list[str]:
    """What is assumed of how machines stand, where a site has a building."""
    notes = {}
    for pool in fleet.pools.values():
        if fleet.sites[pool.site].facility is None:
            continue
        if pool.accelerator is None:
            notes["measured"] = "measured machines are taken to be air-cooled nodes of 8 rack units, four a rack"
            continue
        chip, name = fleet.accelerators[pool.accelerator], pool.accelerator
        coolant, supply = chip.loop
        if chip.coolant == "liquid":
            known = "a guess of" if chip.stands.coolant_supply is not None else "nobody states its temperature:"
            words = f"{known} {supply:g} C at its inlet puts it on {coolant}"
            notes[name] = f"{name}: cooled by liquid, {words}; write `coolant` out under `accelerators` to change that"
        if chip.housing is None:
            housing = chip.stands
            notes[f"{name} racks"] = (
                f"{name}: no `housing` given, taken to be systems of {housing.system_chips} chips and "
                f"{housing.rack_units} rack units, {housing.systems_per_rack} a rack"
            )
    return list(notes.values())


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
