"""Backends of two workers with the books that these share: what one finds out holds for both."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.serve.backends.told import VLLM_METRICS, Pages, until
from tests.serve.new_folder import new_folder

from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.serve.backends.backend import make_backends
from meritorder.serve.backends.health import FAILURES
from meritorder.serve.backends.watch import Watch
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import Dispatcher, NoPlace, Ticket

pytestmark = pytest.mark.usefixtures("hurried")

FLEET = """
sites: {{here: {{usd_per_kwh: 0.08 USD/kWh, kg_per_kwh: 300 g/kWh}}}}
pools:
  pool:
    site: here
    model: llama-3.1-8b
    replicas: 1
    measured: {{host_s: 0.01, idle_w: 100, busy_w: 400, kv_tokens: 200000, usd_per_hour: 2 USD/h}}
    endpoint: {{kind: vllm, urls: ["{url}"]}}
services:
  chat: {{model: llama-3.1-8b}}
"""


def test_what_one_worker_finds_out_holds_for_all() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        pages = Pages()
        pages.pages["/metrics"] = (200, VLLM_METRICS)
        await pages.open()
        fleet = loads(FLEET.format(url=pages.url))
        replicas = [compile_replica(fleet, "pool")]
        books = Books.create(fleet, replicas, workers=2, folder=new_folder(), prefix_slots=1 << 10)
        first, second = (Dispatcher(Books.attach(books.name, fleet, replicas), worker) for worker in range(2))
        (mine,), (theirs,) = (make_backends(fleet, each, loop=loop) for each in (first, second))
        watches = [Watch([mine], books, loop=loop), Watch([theirs], books, loop=loop)]
        tasks = [loop.create_task(watch.run()) for watch in watches]
        try:
            placed = second.place(0, 10, 10)
            assert isinstance(placed, Ticket)
            second.ended(placed, 0)

            await until(lambda: books.live.fleet.replicas.in_flight[0] == 23)  # 20 run there, 3 wait, none of them ours

            for _ in range(FAILURES):
                mine.failed("a cut")
            assert second.place(0, 10, 10) is NoPlace.DOWN
            await until(lambda: isinstance(second.place(0, 10, 10), Ticket))  # a look was answered
            assert mine.state == "half-open"

            pages.pages["/health"] = None
            await until(lambda: mine.state == theirs.state == "down")  # the one that does not lead has seen it, too
            assert first.place(0, 10, 10) is NoPlace.DOWN
            pages.pages["/health"] = (200, b"")
            await until(lambda: mine.usable and theirs.usable)

        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await pages.close()
        assert not Path(f"{books.name}.lead").exists()

    asyncio.run(run())


def test_what_a_worker_found_out_that_is_gone_does_not_hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meritorder.serve.backends.health.HOLD_S", 0.5)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        pages = Pages()
        await pages.open()
        fleet = loads(FLEET.format(url=pages.url))
        replicas = [compile_replica(fleet, "pool")]
        books = Books.create(fleet, replicas, workers=2, folder=new_folder(), prefix_slots=1 << 10)
        first, second = (Dispatcher(Books.attach(books.name, fleet, replicas), worker) for worker in range(2))
        (mine,), (theirs,) = (make_backends(fleet, each, loop=loop) for each in (first, second))
        watching = loop.create_task(Watch([mine], books, loop=loop).run())
        try:
            theirs.failed("a cut")
            theirs.failed("a cut")
            theirs.failed("a cut")  # and then it dies: nobody ticks it
            assert first.place(0, 10, 10) is NoPlace.DOWN
            assert mine.usable
            await until(lambda: isinstance(first.place(0, 10, 10), Ticket))
            assert mine.state == "starting"

            mine.throttled(300.0)
            (next_one,) = make_backends(fleet, second, loop=loop)
            assert first.place(0, 10, 10) is NoPlace.DOWN, "who starts knows nothing better"
            assert next_one.state == "half-open", "and lifts the limit if the first is gone as well"
            await asyncio.sleep(0.3)
            assert first.place(0, 10, 10) is NoPlace.DOWN
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await pages.close()

    asyncio.run(run())
