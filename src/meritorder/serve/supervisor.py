"""The supervisor: holds the port and the books, keeps the workers running, reloads and drains.

No client's byte passes through it. A worker that dies is replaced at once; its requests leave the books.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from meritorder.fleet.control import DemandResponse
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.serve.admin.keyring import Keyring
from meritorder.serve.admin.state import Decision, State
from meritorder.serve.backends.secret import read_secret
from meritorder.serve.control import Setup
from meritorder.serve.doors.store import Store
from meritorder.serve.generation import Generation
from meritorder.serve.listen import listeners, reopened, shown, tls_context
from meritorder.serve.power.told import told
from meritorder.serve.state import state

# What is read anew: the fleet and one replica per pool. Raises InputError with all that is wrong in the file.
Load = Callable[[], tuple[Fleet, tuple[Replica, ...]]]
Pages = dict[str, tuple[str, bytes]]

SAMPLE_S = 5.0

# What a reload can't change: others hold on to it.
_FIXED = ("listen", "admin", "workers", "keys", "database")


class Supervisor:
    """One `merit serve`. `tell` gets a line for people about everything that matters."""

    def __init__(self, load: Load, *, pages: Pages, log: str | None, tell: Callable[[str], None]) -> None:
        self._load, self._pages, self._log, self.tell = load, pages, log, tell
        self._current: Generation
        self._former: list[Generation] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reloading = asyncio.Lock()
        self._stop = asyncio.Event()
        self._asked_to_stop = 0
        self._started = time.time()
        self._url = ""
        self._salt = b""
        self._site_limits: dict[str, float | None] = {}  # set while it runs: they outlive a reload
        self._pool_limits: dict[str, int | None] = {}
        self.listeners: list[socket.socket] = []
        self.keyring: Keyring | None = None

    @property
    def fleet(self) -> Fleet:
        """The fleet that is served now."""
        return self._current.fleet

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._url

    async def start(self) -> None:
        """Listen and start the workers; when it returns, clients are served. Raises InputError."""
        fleet, replicas = self._load()
        tls_context(fleet.gateway.tls)
        self._salt = _salt(fleet)
        if fleet.gateway.keys == "required":
            self.keyring = Store(fleet.gateway.database)
        self.listeners = listeners(fleet.gateway.listen, fleet.gateway.workers, "gateway.listen")
        self._url = shown(self.listeners[0], "https" if fleet.gateway.tls else "http")
        try:
            self._current = await self._begin(fleet, replicas)
        except BaseException:
            self._close()
            raise
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.drain)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._begin_task(self.reload()))
        self._begin_task(self._sample())

    async def wait(self) -> None:
        """Until drained."""
        await self._stop.wait()
        within_s = self.fleet.gateway.drain_time
        draining = [generation.drain(within_s, port_closes=True) for generation in (self._current, *self._former)]
        self._close_port()  # the workers close theirs when they have served who has just connected
        await asyncio.gather(*draining)
        self._close()

    async def kill(self) -> None:
        """End at once."""
        await self._current.kill()
        self._close()

    def drain(self) -> None:
        """Take no more clients and end when the last request has ended; asked again: at once."""
        self._asked_to_stop += 1
        if self._asked_to_stop == 1:
            self.tell("draining: requests under way are finished; once more stops at once")
            self._stop.set()
        else:
            for generation in (self._current, *self._former):
                generation.stop()

    async def reload(self) -> list[Problem]:
        """Serve by the fleet file as it is now, without losing a request; where it is wrong all stays as it was."""
        async with self._reloading:
            try:
                fleet, replicas = self._load()
                self._check_reload(fleet)
                self.listeners = reopened(self.listeners)
                following = await self._begin(fleet, replicas)
            except InputError as error:
                self.tell(f"not reloaded: {error}")
                return list(error.problems)
            before, self._current = self._current, following
            following.meters.follow(before.meters)
            self._former.append(before)
            self._begin_task(self._leave(before))
            self.tell(f"reloaded: {len(fleet.pools)} pools, {len(fleet.services)} services")
            return []

    def limit_site(self, site: str, watts: float | None) -> None:
        """Hold a site to so many IT watts from now on. Raises InputError for an unknown site."""
        _known("site", site, self.fleet.sites)
        self._site_limits[site] = watts
        self._current.books.limit_site(site, watts)

    def limit_pool(self, pool: str, requests: int | None) -> None:
        """Hold a pool to so many requests in flight from now on. Raises InputError for an unknown pool."""
        _known("pool", pool, self.fleet.pools)
        self._pool_limits[pool] = requests
        self._current.books.limit_pool(pool, requests)

    def power(self) -> dict[str, Any]:
        """What the power controller sees and does; empty where it does not run."""
        return told(self._current.power) if self._current.power is not None else {}

    async def ask_site(self, site: str, wish: DemandResponse) -> None:
        """Take on a load target from now on. Raises InputError for an unknown site, or where too many are under way."""
        _known("site", site, self.fleet.sites)
        loop = await self._current.keep_power()
        if not loop.sites.ask(list(self.fleet.sites).index(site), wish):
            raise InputError(Problem("has too many load targets under way", key=site, fix="wait until one has ended"))

    def metrics(self) -> bytes:
        """Prometheus text over all workers."""
        return self._current.exposition.text()

    def decisions(self, most: int) -> list[Decision]:
        """The latest requests that ended, newest first."""
        all_of_them = [story for said in self._current.said() for story in said.get("recent", ())]
        return sorted(all_of_them, key=lambda story: -story["time"])[:most]

    def state(self) -> State:
        """Everything as it is now."""
        now = self._current
        return state(
            now.fleet,
            now.replicas,
            now.books.snapshot(),
            now.exposition.overview,
            now.meters.total(),
            now.said(),
            url=self.url,
            started=self._started,
            draining=self._stop.is_set(),
        )

    async def _sample(self) -> None:
        """Let rates and quantiles have a past, scraped or not."""
        while True:
            self._current.exposition.sample()
            await asyncio.sleep(SAMPLE_S)

    async def _begin(self, fleet: Fleet, replicas: tuple[Replica, ...]) -> Generation:
        generation = Generation(fleet, replicas, self.listeners, self._setup, self._died, self.tell)
        for site in self._site_limits.keys() & fleet.sites.keys():
            generation.books.limit_site(site, self._site_limits[site])
        for pool in self._pool_limits.keys() & fleet.pools.keys():
            generation.books.limit_pool(pool, self._pool_limits[pool])
        try:
            await generation.start()
        except BaseException:
            await generation.kill()
            raise
        return generation

    def _setup(self, generation: Generation, worker: int) -> Setup:
        return Setup(
            fleet=generation.fleet,
            replicas=generation.replicas,
            worker=worker,
            workers=len(self.listeners),
            books=generation.books.name,
            meters=generation.meters.name,
            tally=str(generation.tally),
            salt=self._salt,
            log=self._log,
            pages=self._pages,
        )

    def _died(self, worker: int, why: str, lost: int) -> None:
        self.tell(f"worker {worker} died ({why}); {lost} requests that it held are lost; starting another one")

    async def _leave(self, generation: Generation) -> None:
        services = generation.fleet.services.values()
        longest_s = max(service.live.deadlines.answer + service.live.queue.time for service in services)
        await generation.drain(longest_s, port_closes=False)
        self._former.remove(generation)

    def _check_reload(self, fleet: Fleet) -> None:
        now = self._current.fleet.gateway
        changed = [name for name in _FIXED if getattr(now, name) != getattr(fleet.gateway, name)]
        if changed:
            fix = "restart to change it"
            raise InputError(Problem("can't change while it runs", key=f"gateway.{name}", fix=fix) for name in changed)

    def _begin_task(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._close_port()

    def _close_port(self) -> None:
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.close()


def _salt(fleet: Fleet) -> bytes:
    """The secret of recorded hashes: the file's, or a new one for as long as this process lives."""
    named = fleet.gateway.record_salt
    return read_secret(named, "gateway.record_salt", os.environ).encode() if named else secrets.token_bytes(16)


def _known(kind: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        raise InputError(Problem(f'there is no {kind} "{name}"', fix=did_you_mean(name, names)))
