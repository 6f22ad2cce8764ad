"""`write_halls`: where racks stand, as one HTML page that holds everything it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from meritorder import __version__
from meritorder.files import write_text
from meritorder.report.floor import CAUSES, floor_plan
from meritorder.report.tables import table
from meritorder.report.text import NONE, count, safe, share, watts

_FOLDER = Path(__file__).parent


def write_halls(facts: Mapping[str, Any], path: Path) -> None:
    """Write the page on the halls of `facts` (as `merit check` says them) to `path`. InputError where it can't be."""
    write_text(path, render(facts))


def render(facts: Mapping[str, Any]) -> str:
    """The HTML of the page."""
    halls = facts["halls"]
    given = [hall for hall in halls if hall["given"]]
    parts = [f'<section id="halls"><h2>Where racks stand</h2>{hall_section(halls)}</section>'] if halls else []
    if not halls:
        parts.append(
            "<section><h2>No halls</h2><p>No site of this fleet file has a <code>facility</code>.</p></section>"
        )
    notes = "".join(f"<li>{safe(line)}</li>" for line in facts["warnings"])
    if notes:
        parts.append(f'<section id="warnings"><h2>Warnings</h2><ul>{notes}</ul></section>')
    return Template((_FOLDER / "page.html").read_text(encoding="utf-8")).substitute(
        version=__version__,
        title=safe(facts["fleet"]),
        about=safe(_about(given or halls)),
        css=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        js=(_FOLDER / "page.js").read_text(encoding="utf-8"),
        plotly="",
        nav="",
        main=_cards(given) + "".join(parts),
        figures="{}",
        hint="",
    )


def hall_section(halls: Sequence[Mapping[str, Any]], name: str = "") -> str:
    """Floor plan and table of halls, as parts of a section; `name` tells it from others on the page."""
    lead = (
        "A bar is a row, as long as the IT power of its busway; its racks stand from the left with their nameplate. "
        "Under it a small box is a rack place."
    )
    return f'<p class="lead">{lead}</p>{floor_plan(halls, name)}{_table([hall for hall in halls if hall["given"]])}'


def _about(halls: Sequence[Mapping[str, Any]]) -> str:
    racks = sum(pool["racks"] for hall in halls for pool in hall["pools"].values())
    sites = len({hall["site"] for hall in halls})
    return f"{count(racks)} racks in {count(len(halls))} halls at {sites} site{'s' if sites > 1 else ''}"


def _cards(given: Sequence[Mapping[str, Any]]) -> str:
    if not given:
        return ""
    power = sum(hall["power_w"] for hall in given)
    stranded = {cause: sum(hall["stranded_w"][cause] for hall in given) for cause in CAUSES}
    lost, most = sum(stranded.values()), max(stranded, key=lambda cause: stranded[cause])
    taken, places = (sum(hall[key] for hall in given) for key in ("places_taken", "places"))
    nameplate, usable = (sum(hall[key] for hall in given) for key in ("nameplate_w", "deployable_w"))
    cards = [
        ("IT nameplate placed", watts(nameplate), f"{share(nameplate / power)} of {watts(power)}"),
        ("Usable", watts(usable), f"{share(usable / power)}: by more of the site's machines"),
        ("Stranded", watts(lost), f"{share(lost / power)}; most by {most}" if lost >= 1 else "nothing"),
        ("Rack places taken", count(taken), f"of {count(places)}"),
    ]
    items = "".join(f"<div><dt>{k}</dt><dd>{safe(v)}<small>{safe(note)}</small></dd></div>" for k, v, note in cards)
    return f'<dl class="cards">{items}</dl>'


def _table(given: Sequence[Mapping[str, Any]]) -> str:
    if not given:
        return ""
    columns = ["Hall", ">Places taken", ">IT nameplate", ">Of its power", ">Usable", "By"]
    causes = [cause for cause in CAUSES if any(hall["stranded_w"][cause] >= 1 for hall in given)]
    columns += [f">Stranded by {cause}" for cause in causes]
    rows = []
    for hall in given:
        kind = hall["deployable"] if hall["deployable_w"] >= 1 else ""
        row = [
            safe(f"{hall['site']}, {hall['hall']}"),
            f"{count(hall['places_taken'])} of {count(hall['places'])}",
            watts(hall["nameplate_w"]),
            watts(hall["power_w"]),
            watts(hall["deployable_w"]) if kind else NONE,
            safe(f"{count(hall['further_systems'][kind])} {kind}") if kind else NONE,
        ]
        rows.append([*row, *(watts(w) if w >= 1 else NONE for w in (hall["stranded_w"][c] for c in causes))])
    caption = (
        "Usable: the most that further systems of one of the site's machines can have. "
        "Stranded: what is left of the free power, put down to the limit in its way."
    )
    return table(caption, columns, rows)
