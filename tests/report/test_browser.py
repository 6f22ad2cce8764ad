"""The report in a real browser: figures drawn, themes, tabs, and nothing wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.chromium import chromium
from tests.simulate.fake import fake_result

from meritorder.report.page import write_report
from meritorder.simulate.store import Run, run_of

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

# Visible figures that are not drawn yet, or drawn in the other theme.
PENDING = """
const theme = arguments[0];
return [...document.querySelectorAll(".plot")].filter((box) => box.offsetParent &&
  !(box.dataset.drawn === theme && box.querySelector(".main-svg"))).map((box) => box.id);
"""
WIDTHS = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
# Elements that stick out of the screen, without those inside a figure (they are cut off there).
STICKING_OUT = """
return [...document.querySelectorAll("main *, header *, nav *")].filter((element) =>
  !element.closest(".plot") && element.getBoundingClientRect().right > window.innerWidth + 1 &&
  getComputedStyle(element).position !== "absolute" && !element.closest("thead")).map((e) => e.outerHTML.slice(0, 80));
"""
# Text of tables and captions whose contrast with what is behind it is below 4.5 : 1 (WCAG AA).
FAINT = """
const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (!/, 0\\)|transparent/.test(c)) return c; } return "rgb(255,255,255)"; };
return [...document.querySelectorAll("h1,h2,h3,p,li,td,th,dt,dd,small,span.good,span.bad,span.none,a,button,caption")]
  .filter((e) => e.offsetParent && e.textContent.trim()).filter((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5; }).map((e) => e.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, run: Run, runs: list[Run]) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    evil = {"name": "<img src=x onerror=alert(1)>", "fleet": run.fleet}
    hostile = run_of(fake_result(500))
    services = ("<img src=x onerror=alert(1)>", *hostile.services[1:])
    by_service = dict(zip(services, hostile.summary["by_service"].values(), strict=True))
    routing = dict(zip(services, hostile.summary["routing"].values(), strict=True))
    limits = dict(zip(services, hostile.summary["limits"]["services"].values(), strict=True))
    summary = hostile.summary | {
        "fleet": evil["name"],
        "by_service": by_service,
        "routing": routing,
        "limits": {**hostile.summary["limits"], "services": limits},
    }
    made = Run(**(vars(hostile) | {"services": services, "summary": summary}))
    for name, shown in (("one", run), ("several", runs), ("hostile", made)):
        write_report(shown, folder / f"{name}.html", "merit simulate fleet.yaml")
    return {path.stem: path for path in folder.iterdir()}


def show(browser: Chrome, page: Path, width: int, theme: str = "light") -> None:
    metrics = {"width": width, "height": 768, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wanted = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())
    browser.execute_script("localStorage.clear()")
    drawn(browser, theme)


def drawn(browser: Chrome, theme: str) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 60).until(lambda b: not b.execute_script(PENDING, theme))


@pytest.mark.parametrize("name", ["one", "several", "hostile"])
@pytest.mark.parametrize("width", [1366, 390])
def test_figures_fit_and_nothing_complains(browser: Chrome, pages: dict[str, Path], name: str, width: int) -> None:
    show(browser, pages[name], width)
    assert browser.get_log("browser") == []
    scroll, client = browser.execute_script(WIDTHS)
    assert scroll <= client
    assert browser.execute_script(STICKING_OUT) == []
    assert browser.execute_script("return document.querySelectorAll('.plot .main-svg').length") > 10


def test_nothing_is_requested_but_the_page(browser: Chrome, pages: dict[str, Path]) -> None:
    import json

    show(browser, pages["several"], 1366)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert pages["several"].as_uri() in asked
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_theme_switches_page_and_figures(browser: Chrome, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.by import By

    def colours() -> tuple[Any, Any]:
        page = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        tick = "return getComputedStyle(document.querySelector('.plot .xtick text')).fill"
        return page, browser.execute_script(tick)

    show(browser, pages["one"], 1366)
    light = colours()
    browser.find_element(By.ID, "theme").click()
    drawn(browser, "dark")
    dark = colours()
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    browser.find_element(By.ID, "theme").click()
    drawn(browser, "light")
    assert colours() == light


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_follows_the_system_and_is_readable(browser: Chrome, pages: dict[str, Path], theme: str) -> None:
    show(browser, pages["several"], 1366, theme)
    assert browser.execute_script(FAINT) == []


def test_tabs_show_another_run(browser: Chrome, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.by import By

    show(browser, pages["several"], 1366)
    before = browser.execute_script("return document.body.innerText")
    assert "Service levels, merit-order" in before
    tab = browser.find_element(By.CSS_SELECTOR, "[data-for='run-2']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", tab)
    tab.click()
    drawn(browser, "light")
    after = browser.execute_script("return document.body.innerText")
    assert "Service levels, c" in after
    assert "Service levels, merit-order" not in after
    assert browser.get_log("browser") == []
