"""The controller's loop in the gateway: read, look, order; drivers' errors are kept for admin page and metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from prometheus_client.core import Metric

from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.serve.books.books import Books
from meritorder.serve.power.driver import DriverError, PowerDriver, driver_of
from meritorder.serve.power.site import LiveSites
from meritorder.serve.power.told import metrics

logger = logging.getLogger("meritorder.power")


def controls_power(fleet: Fleet) -> bool:
    """Whether anything of the fleet needs the loop from the start; a mere `power_limit` is kept by the books alone."""
    sites, pools = fleet.sites.values(), fleet.pools.values()
    return (
        any(site.facility or site.demand_response or site.price or site.carbon for site in sites)
        or any(service.flexible is not None for service in fleet.services.values())
        or any(pool.endpoint is not None and pool.endpoint.power is not None for pool in pools)
    )


class PowerLoop:
    """Of one generation. `waiting()`: queued requests by service."""

    def __init__(
        self, fleet: Fleet, replicas: Sequence[Replica], books: Books, waiting: Callable[[], Sequence[int]]
    ) -> None:
        self.fleet = fleet
        self._waiting = waiting
        self.sites = LiveSites(fleet, replicas, books)
        self.drivers: dict[int, PowerDriver] = {
            p: driver_of(pool.endpoint.power)
            for p, pool in enumerate(fleet.pools.values())
            if pool.endpoint is not None and pool.endpoint.power is not None
        }
        self.errors: dict[int, str] = {}  # by pool, the last one until it works again
        self.failures = [0] * len(fleet.pools)  # of drivers so far
        self.measured: dict[int, float] = {}

    def metrics(self) -> list[Metric]:
        """What it does, as metrics."""
        return metrics(self)

    async def run(self) -> None:
        """Every `control.step`, until cancelled."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(max(last + self.fleet.control.step - loop.time(), 0.0))
            now = loop.time()
            try:
                await self.once(now - last)
            except Exception:
                logger.exception("the power controller failed; it goes on at the next step")
            last = now

    async def once(self, dt: float) -> None:
        """One look, `dt` seconds after the last one."""
        self.measured = await self._read()
        wanted = await asyncio.to_thread(self.sites.step, self.measured, self._waiting(), dt)
        await asyncio.gather(*(self._limit(pool, level) for pool, level in wanted))

    async def _read(self) -> dict[int, float]:
        async def one(pool: int, driver: PowerDriver) -> tuple[int, float | None]:
            try:
                return pool, await driver.read()
            except DriverError as error:
                self._failed(pool, error)
                return pool, None

        told = await asyncio.gather(*(one(pool, driver) for pool, driver in self.drivers.items()))
        return {pool: watts for pool, watts in told if watts is not None}

    async def _limit(self, pool: int, level: int) -> None:
        """Set a power limit; where the driver fails it is tried again at the next step."""
        name, spec = list(self.fleet.pools.items())[pool]
        assert spec.accelerator is not None
        board = self.fleet.accelerators[spec.accelerator].board[1]
        watts = spec.caps[level - 1] * board if level else spec.power_cap or board
        try:
            await self.drivers[pool].limit(watts, watts / board)
        except DriverError as error:
            self._failed(pool, error)
            return
        self.errors.pop(pool, None)
        self.sites.capped(pool, level)
        logger.info("pool %s: boards limited to %.0f W", name, watts)

    def _failed(self, pool: int, error: DriverError) -> None:
        self.failures[pool] += 1
        if self.errors.get(pool) != str(error):
            logger.warning("pool %s: %s", list(self.fleet.pools)[pool], error)
        self.errors[pool] = str(error)
