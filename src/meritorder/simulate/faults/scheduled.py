"""The fleet file's faults at set times, with the things they name."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from meritorder.fleet.faults import FaultAt, Faults
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.simulate.faults.places import Places
from meritorder.simulate.faults.repair import Failure
from meritorder.simulate.faults.things import OF_BUILDINGS, Things, things

if TYPE_CHECKING:
    from meritorder.facility.parts import Part

_WHOSE = {
    **dict.fromkeys(("engine", "machine", "pipeline", "slow"), "pool"),
    **dict.fromkeys(("rack", "row", "cdu"), "hall"),
    **{"link": "link", "supplier": "supplier"},
}


def scheduled(faults: Faults, places: Places, parts: Sequence[Part]) -> list[Failure]:
    """Faults at set times. Raises InputError with all that name nothing of the fleet."""
    found: list[Failure] = []
    problems: list[Problem] = []
    for index, at in enumerate(faults.at):
        try:
            these = _named(at, things(at.what, places, parts), f"faults.at.{index}")
        except InputError as error:
            problems += error.problems
            continue
        back_s = inf if at.duration is None else at.start + at.duration
        factor = at.factor if at.what == "slow" else 1.0
        found.append(Failure(at.start, these, at.number, back_s, factor, at.window, stream=f"at {index}", left=at.left))
    if problems:
        raise InputError(problems)
    return found


def _named(at: FaultAt, known: Sequence[Things], key: str) -> Things:
    """The things that a fault names; a hall's by its name alone where no other site has one of that name."""
    if not known:
        fix = "give it under `sites.NAME.facility`" if at.what in OF_BUILDINGS else ""
        raise InputError(Problem(f"no {at.what} is described in this fleet", key=f"{key}.what", fix=fix))
    whose = _WHOSE.get(at.what, "site")
    owners = [one.owner for one in known]
    fitting = [one for one in known if at.name in (None, one.owner)]
    if not fitting:
        fitting = [one for one in known if "/" in one.owner and at.name == one.owner.partition("/")[2]]
    if not fitting:
        what = f'there is no {whose} "{at.name}" with a {at.what}'
        raise InputError(Problem(what, key=f"{key}.name", fix=did_you_mean(str(at.name), owners)))
    if len(fitting) > 1:
        names = ", ".join(one.owner for one in fitting)
        what = f"several have a {at.what}: {names}" if at.name is None else f'several halls are called "{at.name}"'
        raise InputError(Problem(what, key=f"{key}.name", fix=f"name one of {names}"))
    if at.number >= fitting[0].count:
        what = f"{fitting[0].owner} has {fitting[0].count:,} of the kind {at.what}"
        fix = "count from 0" if at.number == fitting[0].count else f"give 0 to {fitting[0].count - 1}"
        raise InputError(Problem(f"is {at.number}, but {what}", key=f"{key}.number", fix=fix))
    return fitting[0]
