"""Emulated machines draw power, and are slower under a limit: through the gateway's own driver."""

from __future__ import annotations

import asyncio

import pytest
from tests.serve.emulated_fleet import ask, emulated

from meritorder.catalog.load import accelerators, models
from meritorder.fleet.gateway import PowerControl
from meritorder.fleet.schema import Fleet, Pool, Service, Site
from meritorder.serve.power.driver import DriverError, driver_of

MODEL = "llama-3.1-8b"
PROMPT = "word " * 18_000


def capped_fleet() -> Fleet:
    pool = Pool(site="here", accelerator="h100", model=MODEL, replicas=2, caps=(0.7, 0.5))
    return Fleet(
        name="capped",
        models={MODEL: models()[MODEL]},
        accelerators={"h100": accelerators()["h100"]},
        sites={"here": Site(usd_per_kwh=0.1, kg_per_kwh=0.1)},
        pools={"gpu": pool},
        services={"chat": Service(model=MODEL)},
    )


def test_a_limit_slows_prompts_and_power_is_read() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with emulated(capped_fleet()) as emulator:
            url = emulator.url("gpu", 0).rsplit("/", 1)[0] + "/power"
            driver = driver_of(PowerControl(driver="http", read=url, limit=url))
            asked = 0

            async def seconds() -> float:
                nonlocal asked
                asked += 1  # nothing of it is cached
                body = {"model": MODEL, "prompt": f"{asked} {PROMPT}", "max_tokens": 1}
                before = loop.time()
                status, _, _ = await ask(emulator.url("gpu", 0), "/v1/completions", body)
                assert status == 200
                return loop.time() - before

            await driver.read()
            full = min([await seconds() for _ in range(3)])
            at_work = await driver.read()
            await asyncio.sleep(0.05)
            idle = await driver.read()
            assert at_work is not None
            assert idle is not None
            assert at_work > 1.2 * idle > 0.0
            await driver.limit(350.0, 0.5)
            assert min([await seconds() for _ in range(3)]) > 1.2 * full
            with pytest.raises(DriverError):
                await driver.limit(100.0, 0.1)

    asyncio.run(run())
