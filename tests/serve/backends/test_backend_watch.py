"""The watch, with real sockets: health, metrics, models, and one leader among several processes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.serve.backends.told import VLLM_METRICS, Pages, Told, backends_of, fleet_of, until

from meritorder.serve.backends import backend as backend_module
from meritorder.serve.backends import watch as watch_module
from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.health import FAILURES
from meritorder.serve.backends.leader import Leadership
from meritorder.serve.backends.readings import Timings
from meritorder.serve.backends.watch import Watch

pytestmark = pytest.mark.usefixtures("hurried")


@dataclasses.dataclass
class Shared:
    name: str


class Scene:
    """A server of pages, its backend, and the watch over it."""

    def __init__(self, pages: Pages, backend: Backend, told: Told, watch: Watch) -> None:
        self.pages, self.backend, self.told, self.watch = pages, backend, told, watch


@contextlib.asynccontextmanager
async def scene(tmp_path: Path, kind: str = "vllm", *, model: str | None = None) -> AsyncIterator[Scene]:
    pages, told = Pages(), Told()
    await pages.open()
    endpoint = {"kind": kind, "urls": [pages.url], "key": f"file:{tmp_path}/key", "model": model}
    (tmp_path / "key").write_text("the-key")
    (backend,) = backends_of(fleet_of(pool=endpoint), told)
    watch = Watch([backend], Shared(str(tmp_path / "books")), loop=asyncio.get_running_loop())
    task = asyncio.create_task(watch.run())
    try:
        yield Scene(pages, backend, told, watch)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        backend.close()
        await pages.close()


def test_metrics_reach_dispatch_and_are_asked_with_the_key(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            now.pages.pages["/metrics"] = (200, VLLM_METRICS)
            await until(lambda: now.told.load.get(0) == (20, 3))
            assert now.backend.readings is not None
            assert now.backend.readings.kv_used == pytest.approx(0.36)
            assert all(b"authorization: Bearer the-key\r\n" in head for _, head in now.pages.asked)

    asyncio.run(run())


def test_old_readings_are_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            now.pages.pages["/metrics"] = (200, VLLM_METRICS)
            await until(lambda: now.told.load.get(0) == (20, 3))
            now.pages.pages["/metrics"] = (500, b"")
            await until(lambda: now.told.load.get(0) == (0, 0))
            assert now.backend.readings is None
            assert now.backend.usable  # its health page still answers

    asyncio.run(run())


def test_a_server_without_metrics_is_not_asked_all_the_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            await until(lambda: sum(path == "/health" for path, _ in now.pages.asked) > 4)
            assert sum(path == "/metrics" for path, _ in now.pages.asked) == 1

    asyncio.run(run())


def test_the_model_is_discovered(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            await until(lambda: now.backend.models)
            assert (now.backend.model, now.backend.models) == ("there", ("there",))
            await asyncio.sleep(0.2)
            assert sum(path == "/v1/models" for path, _ in now.pages.asked) == 1

    asyncio.run(run())


def test_a_model_of_the_fleet_file_stays_and_is_missed_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with scene(tmp_path, model="mine") as now:
            await until(lambda: caplog.messages)
            assert (now.backend.model, now.backend.models) == ("mine", ())

    asyncio.run(run())
    assert "backend pool/0 has no model mine, but there" in caplog.messages


def test_a_refused_key_is_said_without_the_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            now.pages.pages["/v1/models"] = (401, b"{}")
            await until(lambda: caplog.messages)

    asyncio.run(run())
    assert "backend pool/0 refuses the key it is asked with: status 401" in caplog.messages
    assert "the-key" not in caplog.text


def test_a_dead_server_goes_down_at_once_and_comes_back_slowly(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            await until(lambda: now.backend.models)
            await now.pages.close()
            await until(lambda: not now.backend.usable, 1.0)
            assert (now.backend.state, now.told.use[0]) == ("down", False)
            await now.pages.open()
            await until(lambda: now.backend.usable)
            assert (now.backend.state, now.told.limit[0]) == ("starting", 1)

    asyncio.run(run())


@pytest.mark.parametrize("page", [None, (503, b"loading")], ids=["frozen", "503"])
def test_a_server_that_says_nothing_or_503_goes_down(tmp_path: Path, page: tuple[int, bytes] | None) -> None:
    async def run() -> None:
        async with scene(tmp_path) as now:
            await until(lambda: now.backend.models)
            now.pages.pages["/health"] = page
            await until(lambda: now.backend.state == "down")
            now.pages.pages["/health"] = (200, b"")
            await until(lambda: now.backend.usable)

    asyncio.run(run())


def test_a_server_without_a_health_page_is_looked_at_by_its_models(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path, kind="openai") as now:
            now.pages.pages["/v1/models"] = (429, b"")  # it is there, and busy
            await until(lambda: len(now.pages.asked) > 5)
            assert now.backend.usable
            assert {path for path, _ in now.pages.asked} == {"/v1/models"}

    asyncio.run(run())


def test_one_that_is_seldom_looked_at_is_looked_at_soon_when_in_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "AGAIN_S", 0.05)
    monkeypatch.setitem(backend_module.KINDS, "openai", dataclasses.replace(backend_module.KINDS["openai"], every_s=60))

    async def run() -> None:
        async with scene(tmp_path, kind="openai") as now:
            await until(lambda: now.backend.models)
            for _ in range(FAILURES):
                now.backend.failed("a cut")
            await until(lambda: now.backend.usable)

    asyncio.run(run())


def test_a_worker_that_does_not_lead_looks_only_at_what_failed_it(tmp_path: Path) -> None:
    async def run() -> None:
        other = Leadership(tmp_path / "books.lead")
        assert other.claim()
        async with scene(tmp_path) as now:
            await until(lambda: now.backend.models)
            await asyncio.sleep(0.2)
            assert [path for path, _ in now.pages.asked] == ["/v1/models"]
            for _ in range(FAILURES):
                now.backend.failed("a cut")
            assert not now.backend.usable
            await until(lambda: now.backend.state == "half-open")  # and so it comes back without the leader
            assert not now.watch.leads
            other.close()
            await until(lambda: now.watch.leads)

    asyncio.run(run())


def test_queue_times_in_answers_stand_for_metrics_and_fade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meritorder.serve.backends.queue_time.HALF_LIFE_S", 0.1)

    async def run() -> None:
        async with scene(tmp_path, kind="cerebras") as now:
            now.backend.timed(Timings(queue_s=1.0, prompt_s=0.5, output_s=1.5))
            # 80 at a time, two seconds each: forty a second leave the queue, and it lasts for one
            await until(lambda: now.told.load.get(0, (0, 0))[1] >= 10)
            running, waiting = now.told.load[0]
            assert (running, waiting <= 40) == (80, True)
            await until(lambda: now.told.load[0] == (0, 0))

    asyncio.run(run())


def test_queues_are_estimated_by_one_worker_only(tmp_path: Path) -> None:
    """They would overwrite each other: each knows its own answers only."""

    async def run() -> None:
        other = Leadership(tmp_path / "books.lead")
        assert other.claim()
        async with scene(tmp_path, kind="cerebras") as now:
            now.backend.timed(Timings(queue_s=1.0, prompt_s=0.5, output_s=1.5))
            await asyncio.sleep(0.3)
            assert now.told.load == {}
            other.close()
            await until(lambda: now.told.load)

    asyncio.run(run())


def test_a_fault_of_ours_does_not_end_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: bytes) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(watch_module, "served_models", broken)

    async def run() -> None:
        async with scene(tmp_path) as now:
            now.pages.pages["/metrics"] = (200, VLLM_METRICS)
            await until(lambda: len(now.pages.asked) > 10)
            assert now.backend.usable

    asyncio.run(run())


def test_a_killed_leader_is_followed_by_another_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from meritorder.serve.backends.leader import Leadership\n"
        "lead = Leadership(Path(sys.argv[1])); print(lead.claim(), flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lead")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"
        mine = Leadership(tmp_path / "lead")
        assert not mine.claim()
        first.kill()
        first.wait()
        assert mine.claim()
        mine.close()
    assert not (tmp_path / "lead").exists()
