"""The controller on a running gateway's books: what it orders is what the next request meets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.serve.books.fleets import make
from tests.serve.new_folder import new_folder

from meritorder.fleet.control import DemandResponse
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import Dispatcher, NoPlace, Ticket
from meritorder.serve.power.driver import DriverError
from meritorder.serve.power.loop import PowerLoop, controls_power
from meritorder.serve.power.told import metrics, told

CHAT, BATCH = 0, 1
QUARTER = DemandResponse(start=0.0, duration=60.0, reduce=0.25, within=5.0)


def text(order: str, power: str = "power: {limit: 'true'}") -> str:
    urls = ", ".join(f"'http://127.0.0.1:{9000 + n}'" for n in range(4))
    return f"""
name: live power
sites:
  here: {{usd_per_kwh: 0.08 USD/kWh, kg_per_kwh: 300 g/kWh, pue: 1.2}}
pools:
  h100:
    site: here
    accelerator: h100
    model: llama-3.1-8b
    replicas: 4
    caps: [0.8, 0.6, 0.5]
    endpoint: {{urls: [{urls}], {power}}}
services:
  chat: {{model: llama-3.1-8b, share: 0.5}}
  batch: {{model: llama-3.1-8b, share: 0.5, priority: 3, flexible: {{within: 1 h}}}}
control: {{order: {order}, release: 10 s}}
"""


class Driver:
    """Remembers limits; fails while `broken`."""

    def __init__(self) -> None:
        self.limits: list[tuple[float, float]] = []
        self.broken = False
        self.watts: float | None = None

    async def read(self) -> float | None:
        return self.watts

    async def limit(self, watts: float, part: float) -> None:
        if self.broken:
            raise DriverError("no permission")
        self.limits.append((watts, part))


class Gateway:
    """Books with requests in flight, the loop and its one driver."""

    def __init__(self, order: str, requests: int = 120, power: str = "power: {limit: 'true'}") -> None:
        fleet, replicas = make(text(order, power))
        self.books = Books.create(fleet, replicas, workers=1, folder=new_folder(), prefix_slots=1 << 12)
        self.dispatcher = Dispatcher(self.books, 0)
        self.queued: Sequence[int] = (0, 0)
        self.loop = PowerLoop(fleet, replicas, self.books, lambda: self.queued)
        self.driver = Driver()
        if self.loop.drivers:
            self.loop.drivers = {0: self.driver}
        for number in range(requests):
            ticket = self.dispatcher.place(number % 2, 500, 500)
            assert isinstance(ticket, Ticket)
            self.dispatcher.answered(ticket)

    def run(self, steps: int) -> None:
        async def look() -> None:
            for _ in range(steps):
                await self.loop.once(1.0)

        asyncio.run(look())


@pytest.mark.slow
def test_a_load_target_caps_boards_and_is_let_go() -> None:
    gateway = Gateway("[cap]")
    gateway.run(20)
    before = gateway.loop.sites.facility.sites[0].it_w
    assert gateway.loop.sites.ask(0, QUARTER)
    gateway.run(8)
    assert gateway.driver.limits
    assert gateway.driver.limits[-1][0] == pytest.approx(700.0 * gateway.driver.limits[-1][1])
    assert gateway.loop.sites.facility.sites[0].it_w < before
    level = gateway.books.live.fleet.pools[0].cap
    assert level > 0
    shown = told(gateway.loop)
    assert shown["pools"][0]["level"] == level
    assert shown["deeds"][-1]["lever"] == "cap"
    assert shown["sites"][0]["binding"] == "demand response"
    gateway.run(90)
    assert gateway.driver.limits[-1] == (700.0, 1.0)
    assert gateway.books.live.fleet.pools[0].cap == 0


@pytest.mark.slow
def test_a_driver_that_fails_is_told_and_tried_again() -> None:
    gateway = Gateway("[cap]")
    gateway.run(10)
    gateway.driver.broken = True
    gateway.loop.sites.ask(0, QUARTER)
    gateway.run(5)
    assert gateway.books.live.fleet.pools[0].cap == 0  # nothing is believed that was not done
    assert told(gateway.loop)["pools"][0]["driver_error"] == "no permission"
    failed = next(family for family in metrics(gateway.loop) if family.name == "merit_power_driver_errors")
    assert failed.samples[0].value >= 3
    gateway.driver.broken = False
    gateway.run(2)
    assert gateway.books.live.fleet.pools[0].cap > 0
    assert told(gateway.loop)["pools"][0]["driver_error"] is None


@pytest.mark.slow
def test_flexible_requests_wait_and_are_let_in_by_number() -> None:
    gateway = Gateway("[hold]")
    gateway.run(10)
    gateway.loop.sites.ask(0, QUARTER)
    gateway.run(3)
    assert gateway.dispatcher.place(BATCH, 500, 500) is NoPlace.FULL
    assert not gateway.dispatcher.room(BATCH)
    assert isinstance(gateway.dispatcher.place(CHAT, 500, 500), Ticket)
    gateway.books.live.fleet.services[BATCH].hold = 3  # two may go
    placed = [gateway.dispatcher.place(BATCH, 500, 500) for _ in range(3)]
    assert [isinstance(ticket, Ticket) for ticket in placed] == [True, True, False]


@pytest.mark.slow
def test_measured_power_counts_where_it_is_measured() -> None:
    gateway = Gateway("[cap]")
    gateway.driver.watts = 2500.0
    gateway.run(2)
    assert gateway.loop.sites.facility.sites[0].it_w == pytest.approx(2500.0)


@pytest.mark.slow
def test_machines_are_never_limited_without_a_driver() -> None:
    gateway = Gateway("[cap, shed]", power="kind: openai")
    gateway.run(10)
    gateway.loop.sites.ask(0, QUARTER)
    gateway.run(5)
    assert gateway.loop.sites.control.pools[0].level == 0
    assert {deed["lever"] for deed in told(gateway.loop)["deeds"]} == {"shed"}
    assert not controls_power(gateway.loop.fleet.model_copy(update={"services": {}}))
