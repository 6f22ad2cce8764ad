"""The admin server beside other things in one event loop."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
from tests.serve.admin.admin_control import FakeControl

from meritorder.serve.admin.app import make_app
from meritorder.serve.admin.server import AdminServer


def test_it_answers_when_started_leaves_signals_alone_and_stops() -> None:
    async def live() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
        server = AdminServer(make_app(FakeControl(), {}, loopback=True), listener)
        await server.start()
        assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/state")).json()["name"] == "Laptop"
        await server.stop()
        async with httpx.AsyncClient() as client:
            try:
                await client.get(f"{url}/state")
            except httpx.ConnectError:
                return
        raise AssertionError("still answers")

    asyncio.run(asyncio.wait_for(live(), 10))
