"""Pages hold all they need and allow nothing else."""

from __future__ import annotations

import re

import pytest

from meritorder.console.pages import admin_pages, gateway_pages

PAGES = {"chat": gateway_pages()["/"], "live": admin_pages()["/"]}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing(name: str) -> None:
    kind, body = PAGES[name]
    text = body.decode()
    assert kind == "text/html; charset=utf-8"
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|@import|url\(", text)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert len(body) < 100_000


def test_an_address_in_a_page_is_no_markup() -> None:
    assert b'"><script>x' not in gateway_pages('"><script>x')["/"][1]
