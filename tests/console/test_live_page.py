"""The live page in a real browser: it shows what there is, sets limits, notices silence, and asks nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from starlette.types import ASGIApp
from tests.console.look import FAINT, NAMELESS, WIDTHS, asked, complaints, show, soon, until
from tests.serve.admin.admin_control import FakeControl, pool, replica, service, small_state

from meritorder.console.pages import admin_pages
from meritorder.serve.admin.app import make_app

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
LIVE = "return document.getElementById('status').className === 'live'"
TEXT = "return document.body.innerText"


def decision(**other: Any) -> dict[str, Any]:
    return {
        **{"time": time.time(), "id": "req_1", "service": "chat", "model": "small", "api": "chat", "tier": "default"},
        **{"stream": True, "pool": "fast", "replica": "fast/0", "reason": "cheapest that meets its targets"},
        **{"status": 200, "outcome": "ok", "why": "", "prompt_tokens": 40, "cached_tokens": 32, "output_tokens": 20},
        **{"wait_s": 0.0, "ttft_s": 0.131, "predicted_ttft_s": 0.12, "tpot_s": 0.02, "predicted_tpot_s": 0.019},
        **{"e2e_s": 0.5, "retries": 1, "continued": 0, "hedged": False, "joules": 2.0, "usd": 1e-6},
        **other,
    }


@pytest.fixture
def control() -> FakeControl:
    pools = [
        pool(
            "dear", usd_per_mtok=2.0, replicas=[replica(f"dear/{i}", "down" if i == 3 else "up", 2) for i in range(90)]
        ),
        pool("fast", usd_per_mtok=0.5, in_flight=3, replicas=[replica("fast/0", in_flight=3)]),
    ]
    services = [service("chat", met=95, missed=5, outcomes={"ok": 100}), service("batch", tier="flex", waiting=7)]
    control = FakeControl(small_state(pools=pools, services=services))
    control.recent = [decision()]  # type: ignore[list-item]
    return control


@pytest.fixture
def url(control: FakeControl, serve: Callable[[ASGIApp], str]) -> str:
    return serve(make_app(control, admin_pages(), loopback=True))


def test_it_shows_the_fleet_and_asks_only_its_own_server(console_browser: Chrome, url: str) -> None:
    show(console_browser, url)
    until(console_browser, LIVE)
    text = console_browser.execute_script(TEXT)
    for wanted in (
        "Laptop",
        "3 of 8 in flight",
        "1 of 90 not up",
        "0 running, 7 waiting",
        "95 % of 90 %",
        "20 W of 50 W",
    ):
        assert wanted in text
    assert text.index("\nfast") < text.index("\ndear")  # the cheapest first
    assert all(address.startswith((url, "data:")) for address in asked(console_browser))
    assert complaints(console_browser) == []


def test_counters_become_rates(console_browser: Chrome, url: str, control: FakeControl) -> None:
    show(console_browser, url)
    until(console_browser, LIVE)
    control.now["services"][0]["outcomes"]["ok"] += 20
    control.now["now"] += 4
    tile = "return document.querySelector('#tiles div').innerText"
    assert soon(lambda: "\n5\n" in console_browser.execute_script(tile)), console_browser.execute_script(tile)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_is_readable(console_browser: Chrome, url: str, theme: str) -> None:
    show(console_browser, url, theme=theme)
    until(console_browser, LIVE)
    assert console_browser.execute_script(FAINT) == []
    assert console_browser.execute_script(NAMELESS) == []


@pytest.mark.parametrize("width", [1920, 900, 390])
def test_it_fits(console_browser: Chrome, url: str, width: int) -> None:
    show(console_browser, url, width)
    until(console_browser, LIVE)
    scroll, client = console_browser.execute_script(WIDTHS)
    assert scroll <= client


def test_limits_are_set_and_wrong_ones_explained(console_browser: Chrome, url: str, control: FakeControl) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    show(console_browser, url)
    until(console_browser, LIVE)
    console_browser.find_element(By.ID, "control").click()
    site = console_browser.find_element(By.CSS_SELECTOR, "#site-limits input")
    site.send_keys("2 horses" + Keys.ENTER)
    until(console_browser, "return document.getElementById('said').innerText.includes('horses')")
    site.clear()
    site.send_keys("40 W" + Keys.ENTER)
    assert soon(lambda: ("sites", "desk", 40.0) in control.told)
    until(console_browser, "return document.getElementById('sites').innerText.includes('limit 40 W')")
    console_browser.find_element(By.CSS_SELECTOR, "#pool-limits input").send_keys("3" + Keys.ENTER)
    assert soon(lambda: ("pools", "dear", 3) in control.told)
    console_browser.find_element(By.CSS_SELECTOR, "#site-limits button.plain").click()
    assert soon(lambda: ("sites", "desk", None) in control.told)


def test_draining_needs_a_second_click(console_browser: Chrome, url: str, control: FakeControl) -> None:
    from selenium.webdriver.common.by import By

    show(console_browser, url)
    until(console_browser, LIVE)
    console_browser.find_element(By.ID, "control").click()
    button = console_browser.find_element(By.ID, "drain")
    button.click()
    assert "Really" in button.text
    assert ("drain",) not in control.told
    button.click()
    assert soon(lambda: ("drain",) in control.told)


def test_a_decision_is_explained(console_browser: Chrome, url: str) -> None:
    from selenium.webdriver.common.by import By

    show(console_browser, url)
    until(console_browser, LIVE)
    console_browser.find_element(By.CSS_SELECTOR, "#decisions button").click()
    text = console_browser.find_element(By.ID, "detail").text
    assert "chat went to fast/0: cheapest that meets its targets." in text
    assert "1 other backend was tried first." in text
    assert "120 ms 131 ms" in text


def test_names_are_never_markup(console_browser: Chrome, control: FakeControl, url: str) -> None:
    control.now["name"] = EVIL
    control.now["pools"][0]["name"] = control.now["services"][0]["name"] = control.now["sites"][0]["name"] = EVIL
    control.recent = [decision(service=EVIL, pool=EVIL, reason=EVIL)]  # type: ignore[list-item]
    show(console_browser, url)
    until(console_browser, LIVE)
    assert console_browser.execute_script(TEXT).count(EVIL) >= 5
    assert console_browser.execute_script("return document.images.length") == 0
    assert complaints(console_browser) == []


def test_silence_is_noticed(console_browser: Chrome, control: FakeControl) -> None:
    from tests.console.conftest import served

    with served(make_app(control, admin_pages(), loopback=True)) as url:
        show(console_browser, url)
        until(console_browser, LIVE)
    until(console_browser, "return document.getElementById('status').innerText.includes('no answer')")
