"""Halls from above: a bar a row, as long as its power, with its racks, what is still usable and what is stranded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meritorder.report.text import count, safe, watts

CAUSES = {
    "power": "less than one more system needs",
    "cooling": "its row can't be cooled",
    "density": "a rack may draw no more",
    "space": "no places or rack units left",
    "coolant": "no machine of the site suits its coolant",
}
_COOLED = {"air": "air", "liquid-21c": "liquid at 21 °C", "liquid-45c": "liquid at 45 °C"}
_SLOTS = 8  # colours of the page
_SINGLE_ROWS = 24  # a hall with more is drawn with equal neighbours as one bar
_MOST_LINES = 40  # of a hall

Hall = Mapping[str, Any]


def floor_plan(halls: Sequence[Hall], name: str = "") -> str:
    """HTML of all halls, a figure each, with one legend. `halls` as `hall_facts` gives them.

    `name` tells it from other plans on the page: hatches of a part that is hidden are not drawn elsewhere.
    """
    pools = list(dict.fromkeys(pool for hall in halls for pool in hall["pools"]))
    slots = {pool: i % _SLOTS for i, pool in enumerate(pools)}
    causes = [cause for cause in CAUSES if any(hall.get("stranded_w", {}).get(cause, 0) >= 1 for hall in halls)]
    usable = any(hall.get("deployable_w", 0) >= 1 for hall in halls)
    unfed = any(hall["given"] and hall["power_w"] < hall["rows"] * hall["row_power_w"] - 1 for hall in halls)
    figures = "".join(_hall(hall, slots, name) for hall in halls)
    return f'{_patterns(name)}{_legend(slots, causes, usable, unfed, name)}<div class="figures floor">{figures}</div>'


def _patterns(name: str) -> str:
    """Hatches by cause, in the theme's colours."""
    lines = {
        "power": '<circle cx="4" cy="4" r="1.3" class="ink"/>',
        "cooling": '<path d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4" class="line"/>',
        "density": '<path d="M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4" class="line"/>',
        "space": '<path d="M0,0 l8,8 M0,8 l8,-8" class="line"/>',
        "coolant": '<path d="M0,2 h8 M0,6 h8" class="line"/>',
    }
    made = "".join(
        f'<pattern id="hatch{name}-{cause}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" class="ground"/>{line}</pattern>'
        for cause, line in lines.items()
    )
    return f'<svg class="hatches" width="0" height="0" aria-hidden="true"><defs>{made}</defs></svg>'


def _legend(slots: Mapping[str, int], causes: Sequence[str], usable: bool, unfed: bool, name: str) -> str:
    def entry(box: str, words: str) -> str:
        chip = f'<svg width="22" height="14" aria-hidden="true"><rect width="22" height="14" {box}/></svg>'
        return f"<li>{chip}<span>{words}</span></li>"

    items = [entry(f'class="slot-{slot}"', safe(pool)) for pool, slot in slots.items()]
    if usable:
        items.append(entry('class="usable"', "usable: room for more of the site's machines"))
    items += [entry(f'fill="url(#hatch{name}-{c})"', f"stranded by <b>{c}</b>: {CAUSES[c]}") for c in causes]
    if unfed:
        items.append(entry('class="unfed"', "a row could carry it, but the hall's own power ends before"))
    return f'<ul class="legend">{"".join(items)}</ul>'


def _hall(hall: Hall, slots: Mapping[str, int], plan: str) -> str:
    name = f"{hall['site']}, {hall['hall']}" if hall["given"] else f"{hall['site']}, made to hold its machines"
    groups = hall["row_groups"]
    if hall["rows"] <= _SINGLE_ROWS:
        groups = [group | {"count": 1} for group in groups for _ in range(group["count"])]
    lines, first = [], 1
    for group in groups[:_MOST_LINES]:
        lines.append(_row(hall, group, slots, first, plan))
        first += group["count"]
    if first <= hall["rows"]:
        lines.append(f'<p class="more">and {count(hall["rows"] - first + 1)} more rows</p>')
    note = _note(hall)
    return (
        f'<figure class="hall"><figcaption><h3>{safe(name)}</h3><p>{safe(note)}</p></figcaption>'
        f'<div role="img" aria-label="{safe(f"{name}: {note}")}">{"".join(lines)}'
        f'<div class="scale"><span>row</span><span>0</span><span>{safe(watts(hall["row_power_w"]))} a row</span></div>'
        "</div></figure>"
    )


def _note(hall: Hall) -> str:
    parts = [f"{_COOLED[hall['coolant']]}; {count(hall['rows'])} rows"]
    if not hall["given"]:
        return f"{parts[0]}, {count(hall['places_taken'])} racks, {watts(hall['nameplate_w'])}"
    feeds = hall["feeds"]
    parts[0] += f" on feed{'s' if len(feeds) > 1 else ''} {', '.join(map(str, feeds))}"
    parts.append(f"{count(hall['places_taken'])} of {count(hall['places'])} rack places taken")
    parts.append(f"{watts(hall['nameplate_w'])} of {watts(hall['power_w'])} IT power")
    if hall["deployable_w"] >= 1:
        kind = hall["deployable"]
        parts.append(f"usable {watts(hall['deployable_w'])} ({count(hall['further_systems'][kind])} {kind})")
    lost = sum(hall["stranded_w"].values())
    if lost >= 1:
        parts.append(f"stranded {watts(lost)}")
    return "; ".join(parts)


def _row(hall: Hall, group: Mapping[str, Any], slots: Mapping[str, int], first: int, plan: str) -> str:
    last = first + group["count"] - 1
    label = f"{first}" if last == first else f"{first}–{last}"
    full = hall["row_power_w"] or 1.0
    boxes, at = [], 0.0

    def box(power: float, css: str, words: str, height: int = 20) -> None:
        nonlocal at
        boxes.append(
            f'<rect x="{100 * at / full:.3f}%" width="{100 * power / full:.3f}%" y="0" height="{height}" {css}>'
            f"<title>{safe(words)}</title></rect>"
        )
        at += power

    for one in group["racks"]:
        words = f"{one['pool']}: {one['racks']} racks, {one['systems']} systems, {watts(one['nameplate_w'])}"
        for _ in range(one["racks"]):
            box(one["nameplate_w"] / one["racks"], f'class="rack slot-{slots[one["pool"]]}"', words)
    if group["deployable_w"] >= 1:
        box(group["deployable_w"], 'class="usable"', f"usable: {watts(group['deployable_w'])} of {hall['deployable']}")
    for cause, power in group["stranded_w"].items():
        box(power, f'class="stranded" fill="url(#hatch{plan}-{cause})"', f"stranded by {cause}: {watts(power)}")
    places = _places(hall, group, slots)
    return (
        f'<div class="row"><span>{label}</span><svg width="100%" height="33">'
        f'<rect width="100%" height="20" class="busway"/>{"".join(boxes)}{places}</svg></div>'
    )


def _places(hall: Hall, group: Mapping[str, Any], slots: Mapping[str, int]) -> str:
    """A small box for each place of the row: whose rack stands there, or none."""
    width = 100 / hall["places_in_row"]
    owners = [slots[one["pool"]] for one in group["racks"] for _ in range(one["places"])]
    boxes = []
    for place in range(hall["places_in_row"]):
        css = f"slot-{owners[place]}" if place < len(owners) else "empty"
        boxes.append(f'<rect x="{place * width:.3f}%" width="{width:.3f}%" y="22" height="7" class="place {css}"/>')
    return (
        f"<g><title>{count(group['places_taken'])} of {hall['places_in_row']} places taken</title>{''.join(boxes)}</g>"
    )
