"""The chat page in a real browser, against a gateway of a few lines that says what it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp
from tests.console.look import FAINT, NAMELESS, WIDTHS, asked, complaints, show, soon, until

from meritorder.console.pages import gateway_pages

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

IDLE = "return !document.getElementById('send').hidden && document.querySelectorAll('.answer').length"
TEXT = "return document.body.innerText"
WHY = (
    'pool=quick; replica=0; reason="cheapest that meets its targets"; predicted-ttft=0.03; predicted-tpot=0.01; '
    "attempts=2"
)


class Fake:
    """A gateway: `parts` are the texts that it streams."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.parts = ["Ships ", "float."]
        self.key = ""
        self.cut = False
        self.forever = False
        self.gone = False

    async def models(self, request: Request) -> Response:
        if refused := self._refuse(request):
            return refused
        return JSONResponse({"object": "list", "data": [{"id": "background"}, {"id": "chat"}, {"id": "only-quick"}]})

    async def chat(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        if refused := self._refuse(request):
            return refused
        headers = {"x-merit-decision": WHY, "x-request-id": "req_7"}
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    def _refuse(self, request: Request) -> Response | None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": {"message": "no such key", "code": "invalid_api_key"}}, 401)
        return None

    async def _stream(self) -> AsyncIterator[str]:
        for part in self.parts:
            yield f"data: {json.dumps({'choices': [{'delta': {'content': part}}]})}\n\n"
            await asyncio.sleep(0.02)
        try:
            while self.forever:
                await asyncio.sleep(0.02)
                yield ": still here\n\n"
        except asyncio.CancelledError:
            self.gone = True
            raise
        if not self.cut:
            yield f"data: {json.dumps({'choices': [], 'usage': {'completion_tokens': 9}})}\n\ndata: [DONE]\n\n"

    def app(self, live: str = "") -> Starlette:
        kind, body = gateway_pages(live)["/"]

        async def page(request: Request) -> Response:
            return Response(body, media_type=kind)

        return Starlette(
            routes=[
                Route("/", page),
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ]
        )


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def chat(console_browser: Chrome, fake: Fake, serve: Callable[[ASGIApp], str]) -> str:
    url = serve(fake.app())
    show(console_browser, url)
    until(console_browser, "return document.querySelector('.picks select').options.length === 3")
    return url


def say(browser: Chrome, text: str) -> None:
    from selenium.webdriver.common.by import By

    browser.find_element(By.ID, "text").send_keys(text + "\n")


def test_an_answer_says_where_it_came_from_and_why(console_browser: Chrome, chat: str, fake: Fake) -> None:
    from selenium.webdriver.common.by import By

    say(console_browser, "Why do ships float?")
    until(console_browser, IDLE)
    text = console_browser.execute_script(TEXT)
    assert "Ships float." in text
    assert "quick/0" in text
    assert "9 tokens" in text
    console_browser.find_element(By.CSS_SELECTOR, ".facts button").click()
    why = console_browser.find_element(By.CSS_SELECTOR, ".why").text
    assert "cheapest that meets its targets" in why
    assert "first token in 30 ms" in why
    assert "2 backends were tried" in why
    assert fake.asked[0]["model"] == "chat"
    assert fake.asked[0]["messages"] == [{"role": "user", "content": "Why do ships float?"}]
    assert fake.headers[0]["x-merit-explain"] == "1"
    assert "authorization" not in fake.headers[0]
    say(console_browser, "And now?")
    until(console_browser, "return document.querySelectorAll('.facts button').length === 2")
    assert [m["role"] for m in fake.asked[1]["messages"]] == ["user", "assistant", "user"]
    assert all(address.startswith((chat, "data:")) for address in asked(console_browser))
    assert complaints(console_browser) == []


def test_models_write_text_not_markup(console_browser: Chrome, chat: str, fake: Fake) -> None:
    fake.parts = [
        "<b>no</b>",
        "\n\n1. **one** `code`\n2. two\n\n```js\nalert(1)\n",
        "```\n# Title\n",
        "<script>alert(1)</script>",
    ]
    say(console_browser, "Go")
    until(console_browser, IDLE)
    shown = console_browser.execute_script("return document.querySelector('.text').innerHTML")
    assert "&lt;b&gt;no&lt;/b&gt;" in shown
    assert '<ol start="1"><li><b>one</b> <code>code</code></li><li>two</li></ol>' in shown
    assert "<pre><code>alert(1)\n</code></pre>" in shown
    assert "<h4>Title</h4>" in shown
    assert "<script" not in shown


def test_an_answer_that_breaks_off_is_not_taken_for_whole(console_browser: Chrome, chat: str, fake: Fake) -> None:
    fake.cut = True
    say(console_browser, "Go")
    until(console_browser, IDLE)
    assert "the answer broke off" in console_browser.execute_script(TEXT)


def test_stop_leaves_at_once(console_browser: Chrome, chat: str, fake: Fake) -> None:
    from selenium.webdriver.common.by import By

    fake.forever = True
    say(console_browser, "Go")
    until(console_browser, "return document.querySelector('.text')?.innerText.includes('float')")
    console_browser.find_element(By.ID, "stop").click()
    until(console_browser, IDLE)
    assert soon(lambda: fake.gone)
    assert "broke off" not in console_browser.execute_script(TEXT)


def test_a_key_is_asked_for_where_one_is_needed(
    console_browser: Chrome, fake: Fake, serve: Callable[[ASGIApp], str]
) -> None:
    from selenium.webdriver.common.by import By

    fake.key = "sk-right"
    show(console_browser, serve(fake.app()))
    until(console_browser, "return !document.getElementById('key-form').hidden")
    console_browser.find_element(By.ID, "key").send_keys("sk-right\n")
    until(console_browser, "return document.querySelector('.picks select').options.length === 3")
    say(console_browser, "Go")
    until(console_browser, IDLE)
    assert "Ships float." in console_browser.execute_script(TEXT)
    assert "sk-right" not in console_browser.execute_script("return document.documentElement.outerHTML")


def test_two_models_answer_side_by_side(console_browser: Chrome, chat: str, fake: Fake) -> None:
    from selenium.webdriver.common.by import By

    console_browser.find_element(By.ID, "compare").click()
    say(console_browser, "Go")
    until(console_browser, "return document.querySelectorAll('.facts button').length === 2")
    assert {each["model"] for each in fake.asked} == {"chat", "background"}
    scroll, client = console_browser.execute_script(WIDTHS)
    assert scroll <= client


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_chat_is_readable(console_browser: Chrome, fake: Fake, serve: Callable[[ASGIApp], str], theme: str) -> None:
    show(console_browser, serve(fake.app("http://127.0.0.1:8001/")), theme=theme)
    say(console_browser, "Go")
    until(console_browser, IDLE)
    assert console_browser.execute_script(FAINT) == []
    assert console_browser.execute_script(NAMELESS) == []
    link = "return document.getElementById('live').offsetParent && document.getElementById('live').href"
    assert console_browser.execute_script(link) == "http://127.0.0.1:8001/"


def test_the_chat_fits_a_phone(console_browser: Chrome, fake: Fake, serve: Callable[[ASGIApp], str]) -> None:
    show(console_browser, serve(fake.app()), 390)
    until(console_browser, "return document.querySelector('.picks select').options.length === 3")
    fake.parts = ["a" * 300]
    say(console_browser, "b" * 300)
    until(console_browser, IDLE)
    scroll, client = console_browser.execute_script(WIDTHS)
    assert scroll <= client
