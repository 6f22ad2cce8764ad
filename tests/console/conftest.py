"""A browser, and servers for the pages to look at."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.types import ASGIApp
from tests.chromium import chromium

from meritorder.serve.admin.server import AdminServer

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

Serve = Callable[[ASGIApp], str]


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of an app that is served meanwhile, from another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))
    server = AdminServer(app, listener)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@pytest.fixture(scope="module")
def console_browser() -> Iterator[Chrome]:
    with chromium() as chrome:
        yield chrome
