"""What tests of pages ask of a browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Elements with text of their own whose contrast with what is behind them is below 4.5 : 1 (WCAG AA).
FAINT = """
const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgb = (c) => { context.clearRect(0, 0, 1, 1); context.fillStyle = c; context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data; };
const light = (c) => { const [r, g, b] = [...rgb(c)].slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (rgb(c)[3] > 128) return c; } return "white"; };
return [...document.querySelectorAll("body *:not(option, script, style)")].filter((e) => e.offsetParent
  && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).filter((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5; }).map((e) => e.outerHTML.slice(0, 90));
"""
WIDTHS = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
# Buttons and fields that a screen reader could say nothing about.
NAMELESS = """
return [...document.querySelectorAll("button, input, select, textarea")].filter((e) =>
  !e.textContent.trim() && !e.getAttribute("aria-label") && !e.labels?.length).map((e) => e.outerHTML.slice(0, 90));
"""


def show(browser: Chrome, url: str, width: int = 1366, theme: str = "dark") -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wanted = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(url)


def until(browser: Chrome, script: str, seconds: float = 15) -> Any:
    """Wait until a script returns something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := browser.execute_script(script):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never true: {script}\n{browser.execute_script('return document.body.innerText')[:1500]}")


def soon(true: Callable[[], object], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def asked(browser: Chrome) -> set[str]:
    """Every address that the page asked for since `show`."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}


def complaints(browser: Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]
