"""A generation: the fleet file as it was read once, its books, and the worker processes that serve by it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.problems import InputError, Problem
from meritorder.serve.books.books import Books
from meritorder.serve.control import Line, Setup, send_setup
from meritorder.serve.power.loop import PowerLoop, controls_power
from meritorder.serve.seen.exposition import Exposition
from meritorder.serve.seen.rows import MeterRows
from meritorder.serve.shared_folder import SharedFolder

START_S = 180.0  # the very first start compiles
AGAIN_S = (0.0, 0.2, 1.0, 3.0)  # delay before a worker that died right after its start is started again
STARTS = 5  # that may fail in a row
GRACE_S = 5.0  # beyond the drain time, for goodbyes


class Process:
    """A worker as the supervisor sees it."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.problems: list[Problem] = []
        self.state: dict[str, Any] = {}
        self.line = Line(self._heard, lambda: None)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, listener: socket.socket, setup: Setup) -> None:
        """Start it and send it its set-up."""
        ours, theirs = socket.socketpair()
        numbers = (listener.fileno(), theirs.fileno())
        command = (sys.executable, "-m", "meritorder.serve.worker", *map(str, numbers))
        self._process = await asyncio.create_subprocess_exec(*command, pass_fds=numbers)
        theirs.close()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # it died at once: `wait` will tell
            await loop.run_in_executor(None, send_setup, ours, setup)
        ours.setblocking(False)
        await loop.create_unix_connection(lambda: self.line, sock=ours)

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        assert self._process is not None
        return await self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                self._process.kill()

    @property
    def pid(self) -> int | None:
        """Its process id, while it serves."""
        return self._process.pid if self._process is not None and self.ready.is_set() else None

    def _heard(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.ready.set()
        if "problems" in message:
            self.problems = [Problem(**problem) for problem in message["problems"]]
        if "state" in message:
            self.state = message["state"]


class Generation:
    """`setup(generation, worker)` makes a worker's first message; `died(worker, why, lost)` is told of deaths."""

    def __init__(
        self,
        fleet: Fleet,
        replicas: tuple[Replica, ...],
        listeners: Sequence[socket.socket],
        setup: Callable[[Generation, int], Setup],
        died: Callable[[int, str, int], None],
        told: Callable[[str], None],
    ) -> None:
        self.fleet, self.replicas = fleet, replicas
        self._folder = SharedFolder()
        self.books = Books.create(fleet, replicas, workers=len(listeners), folder=self._folder.path)
        self.meters = MeterRows.create(fleet, workers=len(listeners), folder=self._folder.path)
        self.tally = self._folder.path / "tally"
        self.exposition = Exposition(fleet, self.meters, self.books)
        self._listeners, self._setup, self._died, self._told = listeners, setup, died, told
        self._started = self._leaving = False
        self.processes = [Process() for _ in listeners]
        self._keepers: list[asyncio.Task[None]] = []
        self.power: PowerLoop | None = None
        self._power_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all workers and wait until they serve. Raises InputError with what hinders them."""
        self._keepers = [asyncio.create_task(self._keep(worker)) for worker in range(len(self.processes))]
        ready = asyncio.create_task(self._all_ready())
        try:
            tasks = [ready, *self._keepers]
            done, _ = await asyncio.wait(tasks, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
            if ready not in done:
                problems = [problem for process in self.processes for problem in process.problems]
                raise InputError(problems or Problem("a worker did not start", "merit serve", fix="see its message"))
        finally:
            ready.cancel()
        self._started = True
        if controls_power(self.fleet):
            await self.keep_power()

    async def keep_power(self) -> PowerLoop:
        """The loop that keeps sites within their power; begins it where it does not run yet."""
        if self.power is None:
            self.power = await asyncio.to_thread(PowerLoop, self.fleet, self.replicas, self.books, self.meters.waiting)
            self.exposition.also(self.power.metrics)
            self._power_task = asyncio.create_task(self.power.run())
        return self.power

    async def _all_ready(self) -> None:
        for process in self.processes:
            await process.ready.wait()

    async def drain(self, within_s: float, *, port_closes: bool) -> None:
        """Let the workers finish what they have and end; what is not finished then is told so and cut.

        `port_closes`: nobody takes over the port, so that the workers still serve who has just connected.
        """
        self._leaving = True
        for process in self.processes:
            process.line.say({"do": "drain", "within_s": within_s, "port_closes": port_closes})
        await asyncio.wait(self._keepers, timeout=within_s + GRACE_S)
        await self.kill()

    def stop(self) -> None:
        """Tell the workers to end without finishing anything."""
        for process in self.processes:
            process.line.say({"do": "stop"})

    async def kill(self) -> None:
        """End whatever still runs, and clear away the books."""
        self._leaving = True
        if self._power_task is not None:
            self._power_task.cancel()
            await asyncio.wait([self._power_task])
        for process in self.processes:
            process.kill()
        if self._keepers:
            await asyncio.wait(self._keepers)
        self.books.close()
        self.meters.close()
        self._folder.remove()

    def said(self) -> list[dict[str, Any]]:
        """What each worker said last, and its process id."""
        return [{"pid": process.pid, **process.state} for process in self.processes]

    async def _keep(self, worker: int) -> None:
        """Keep a worker running until the generation leaves; returns where one does not even come up at the start."""
        loop = asyncio.get_running_loop()
        deaths = failed = 0
        while True:
            process = self.processes[worker]
            began = loop.time()
            await process.start(self._listeners[worker], self._setup(self, worker))
            code = await process.wait()
            if self._leaving or not self._started:
                return
            deaths = deaths + 1 if loop.time() - began < 10.0 else 0
            self._died(worker, _why(code, process.problems), self.books.forget_worker(worker))
            failed = 0 if process.ready.is_set() else failed + 1
            if failed == STARTS and len(self.processes) > 1:
                self._listeners[worker].close()  # its share of the port goes to the others
                self._told(f"worker {worker} does not come up: the others serve without it until the next reload")
                return
            self.processes[worker] = Process()
            await asyncio.sleep(AGAIN_S[min(deaths, len(AGAIN_S) - 1)])


def _why(code: int, problems: Sequence[Problem]) -> str:
    if problems:
        return "; ".join(str(problem) for problem in problems)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
