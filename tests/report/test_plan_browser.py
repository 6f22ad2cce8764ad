"""The report on a plan in a real browser: every figure drawn, in both themes, on screens large and small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.chromium import chromium
from tests.report.test_browser import FAINT, STICKING_OUT, WIDTHS, show
from tests.report.told_plan import told_plan, told_proof

from meritorder.report.plan.page import render

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = told_plan("a fleet with a rather long name of its own", told_proof())
    file = tmp_path_factory.mktemp("plan") / "plan.html"
    file.write_text(render(told, "merit plan fleet.yaml", "name: x"))
    return file


@pytest.mark.parametrize(("width", "theme"), [(1366, "light"), (1366, "dark"), (390, "light")])
def test_it_is_drawn_fits_and_is_readable(browser: Chrome, page: Path, width: int, theme: str) -> None:
    show(browser, page, width, theme)
    assert browser.get_log("browser") == []
    scroll, client = browser.execute_script(WIDTHS)
    assert scroll <= client
    assert browser.execute_script(STICKING_OUT) == []
    assert browser.execute_script(FAINT) == []
    boxes, drawn = browser.execute_script(
        "return [document.querySelectorAll('.plot').length, document.querySelectorAll('.plot .xtick text').length]"
    )
    assert boxes >= 15
    assert drawn > 5 * boxes


def test_the_range_of_the_scenarios_is_filled(browser: Chrome, page: Path) -> None:
    show(browser, page, 1366)
    fills = browser.execute_script("return document.querySelectorAll('.plot .fills .js-fill').length")
    assert fills == 3
