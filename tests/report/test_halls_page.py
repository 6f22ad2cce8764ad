"""The page on halls: what it draws, what it escapes, and how it looks in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.chromium import chromium
from tests.facility.halls.tiny import hall, stand
from tests.report.test_browser import FAINT, STICKING_OUT, WIDTHS
from tests.report.test_page import Elements

from meritorder.facility.halls.facts import room_facts
from meritorder.facility.halls.room import Room
from meritorder.report.halls import hall_section, render

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

EVIL = "<img src=x onerror=alert(1)>"


def facts(name: str = "nodes", rows: int = 3) -> dict[str, Any]:
    """A hall with racks of two pools, usable power, and power stranded by density and for want of it."""
    kinds = [stand("p", "m", watts=10e3, replicas=9), stand(name, "n", watts=13e3, replicas=2)]
    room = Room(hall(name, rows=rows, places=4, rack_w=25e3, row_w=95e3), kinds)
    room.put(0, np.array([8, 1] + [0] * (rows - 2)))
    room.put(1, np.array([0, 2] + [0] * (rows - 2)))
    return {"fleet": name, "halls": [room_facts(room)], "warnings": [f"hall {name} is nearly full"]}


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as chrome:
        yield chrome


def test_it_draws_each_rack_and_what_is_left_as_long_as_its_power() -> None:
    page = Elements(render(facts()))
    assert page.unbalanced == []
    boxes = [attrs for tag, attrs in page.tags if tag == "rect"]
    racks = [box for box in boxes if str(box.get("class", "")).startswith("rack")]
    assert [round(float(str(box["width"]).rstrip("%")), 1) for box in racks] == [21.1] * 4 + [10.5, 13.7, 13.7]
    stranded = [box for box in boxes if box.get("class") == "stranded"]
    assert {box["fill"] for box in stranded} == {"url(#hatch-power)", "url(#hatch-density)"}
    places = [str(box["class"]) for box in boxes if str(box.get("class", "")).startswith("place")]
    assert len(places) == 3 * 4
    assert sum("empty" in place for place in places) == 5
    # bars end where the row's power ends
    ends = [
        float(str(b["x"]).rstrip("%")) + float(str(b["width"]).rstrip("%"))
        for b in boxes
        if b.get("height") == "20" and "x" in b
    ]
    assert max(ends) == pytest.approx(100.0, abs=0.01)


def test_large_halls_tell_equal_rows_once() -> None:
    page = render(facts(rows=200))
    assert "<span>3–200</span>" in page
    assert page.count('class="row"') == 3


def test_names_are_no_markup() -> None:
    page = render(facts(EVIL))
    assert EVIL not in page
    assert "&lt;img" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_and_is_readable(browser: Chrome, tmp_path: Path, width: int, theme: str) -> None:
    file = tmp_path / "halls.html"
    file.write_text(render(facts("a hall with a rather long name of its own")))
    metrics = {"width": width, "height": 768, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wanted = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    browser.get_log("browser")
    browser.get(file.as_uri())
    assert browser.get_log("browser") == []
    scroll, client = browser.execute_script(WIDTHS)
    assert scroll <= client
    assert browser.execute_script(STICKING_OUT) == []
    assert browser.execute_script(FAINT) == []
    colours = browser.execute_script(
        "return [...document.querySelectorAll('.rack, .usable')].map((e) => getComputedStyle(e).fill)"
    )
    assert len(set(colours)) >= 3
    assert not [colour for colour in colours if re.fullmatch(r"rgb\(0, 0, 0\)|none", colour)]


def test_two_plans_on_a_page_have_hatches_of_their_own() -> None:
    one, two = (hall_section(facts()["halls"], name) for name in ("1", "2"))
    ids = [set(re.findall(r'<pattern id="([^"]+)"', part)) for part in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for part, own in zip((one, two), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", part)) <= own
