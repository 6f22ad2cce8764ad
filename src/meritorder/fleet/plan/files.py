"""Files that `plan.demand` names, as seen from the fleet file that names them."""

from __future__ import annotations

from pathlib import Path

from meritorder.fleet.document import Document
from meritorder.fleet.surroundings import is_file


def with_plan_files(document: Document) -> Document:
    """The document with the paths of traffic, past, forecast and day curves made absolute.

    Names that are no paths (presets, public traces) stay; files that aren't there are told with the other problems.
    """
    plan = document.data.get("plan")
    demand = plan.get("demand") if isinstance(plan, dict) else None
    for name, asked in demand.items() if isinstance(demand, dict) else ():
        if not isinstance(asked, dict):
            continue
        for key in ("traffic", "history", "forecast", "day"):
            named = asked.get(key)
            if not isinstance(named, str) or not named or (key in ("traffic", "day") and not is_file(named)):
                continue
            place = ("plan", "demand", name, key)
            path = Path(document.where(place).rpartition(":")[0]).parent / Path(named).expanduser()
            asked[key] = str(path.absolute())
            if not path.exists():
                what = f"there is no file {path.absolute()}"
                document.problems.append(document.problem(place, what, "a path is seen from the file that names it"))
    return document
