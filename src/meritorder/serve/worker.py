"""A worker: one process with one event loop that serves clients; the supervisor starts it and tells it what to do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from meritorder.problems import InputError
from meritorder.serve.account import Watcher
from meritorder.serve.admission import Admission
from meritorder.serve.backends.backend import make_backends
from meritorder.serve.backends.watch import Watch
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import Dispatcher
from meritorder.serve.control import Line, Setup, receive_setup, send_message
from meritorder.serve.doors.doors import Doors
from meritorder.serve.doors.store import Store
from meritorder.serve.doors.tally import Tally
from meritorder.serve.gateway import Gateway
from meritorder.serve.http.server import HttpServer
from meritorder.serve.listen import BACKLOG, tls_context
from meritorder.serve.seen.log import RequestLog
from meritorder.serve.seen.meter import Meter
from meritorder.serve.seen.recorder import Recorder
from meritorder.serve.seen.rows import MeterRows
from meritorder.serve.seen.story import Recent
from meritorder.serve.seen.traces import Traces

TICK_S = 0.05
REPORT_S = 0.5
LINGER_S = 0.2  # who has connected before the port closed is served

logger = logging.getLogger("meritorder.worker")


class Worker:
    """The parts of one worker, put together. Raises InputError where one of them can't work."""

    def __init__(self, setup: Setup, loop: asyncio.AbstractEventLoop) -> None:
        fleet, self.loop = setup.fleet, loop
        self.fleet = fleet
        books = Books.attach(setup.books, fleet, setup.replicas)
        dispatcher = Dispatcher(books, setup.worker)
        self.backends = make_backends(fleet, dispatcher, loop=loop)
        self.watch = Watch(self.backends, books, loop=loop)
        self.admission = Admission(fleet, clock=time.monotonic, room=dispatcher.room)
        store = Store(fleet.gateway.database) if fleet.gateway.keys == "required" else None
        tally = Tally(Path(setup.tally), workers=setup.workers, worker=setup.worker) if store else None
        self.doors = Doors(fleet, store, clock=time.monotonic, tally=tally)
        self.meter = Meter(fleet, MeterRows.attach(setup.meters, fleet).row(setup.worker))
        self.recent = Recent(fleet)
        self.log = RequestLog(fleet, setup.log) if setup.log else None
        self.recorder = Recorder(fleet, setup.worker, setup.salt) if fleet.gateway.record else None
        self.traces = Traces(fleet) if fleet.gateway.traces else None
        watchers: list[Watcher] = [
            watcher
            for watcher in (self.meter, self.recent, self.log, self.recorder, self.traces)
            if watcher is not None
        ]
        self.gateway = Gateway(fleet, dispatcher, self.backends, self.admission, self.doors, watchers, loop=loop)
        self.gateway.pages.update(setup.pages)
        if self.log is not None and fleet.gateway.log_prompts:
            self.gateway.note_prompt = self.log.prompt
        self.server = HttpServer(self.gateway.handle, fleet.gateway.limits, loop=loop)
        self.leaving = asyncio.Event()
        self.within_s = fleet.gateway.drain_time
        self.port_closes = False
        self.at_once = False

    async def run(self, listener: socket.socket, control: socket.socket) -> None:
        """Serve until told to stop, or until the supervisor is gone; then finish what is under way."""
        _, line = await self.loop.create_unix_connection(lambda: Line(self._heard, self.leaving.set), sock=control)
        await self.doors.sync()
        background = [self.loop.create_task(part.run()) for part in (self.watch, self.doors)]
        context = tls_context(self.fleet.gateway.tls)
        listening = await self.loop.create_server(
            self.server.protocol,
            sock=listener,
            ssl=context,
            ssl_handshake_timeout=self.fleet.gateway.limits.head_time if context else None,
            backlog=BACKLOG,
        )
        self.loop.add_signal_handler(signal.SIGTERM, self.leaving.set)
        gc.collect()
        gc.freeze()  # what is there now stays: no later collection need look at it
        line.say({"ready": True})
        reported = 0.0
        for task in background:
            task.add_done_callback(self._background_ended)
        while not self.leaving.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), TICK_S)
            reported = self._tick(line, reported)
        if self.port_closes:
            await asyncio.sleep(LINGER_S)
        listening.close()
        self.server.drain()
        self.gateway.drain()
        until = self.loop.time() + self.within_s
        while self.gateway.in_flight and self.loop.time() < until and not self.at_once:
            await asyncio.sleep(TICK_S)
            reported = self._tick(line, reported)
        self.gateway.abandon()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.doors.sync()
        await asyncio.sleep(TICK_S)  # the last words go out
        self._close()

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        """Health checks and keys are looked after as long as this worker lives: rather a new one than none of that."""
        if not task.cancelled() and task.exception() is not None:
            logger.error("a background task of the worker failed", exc_info=task.exception())
            os._exit(1)

    def _tick(self, line: Line, reported: float) -> float:
        """What is due every few milliseconds; and now and then a word to the supervisor."""
        now = time.monotonic()
        self.gateway.tick(now)
        self.server.tick(now)
        self.admission.tick(now)
        if now - reported < REPORT_S:
            return reported
        self._count()
        for watcher in (self.log, self.recorder, self.traces):
            if watcher is not None:
                watcher.flush()
        line.say({"state": self.state()})
        return now

    def _count(self) -> None:
        """Let the supervisor see the metrics."""
        meter = self.meter
        meter.gauge("connections", self.server.connections)
        meter.gauge("in_flight", self.gateway.in_flight)
        for service in range(len(self.fleet.services)):
            meter.waiting(service, self.admission.waiting(service))
        meter.counter("accepted", self.server.accepted)
        meter.counter("bad_requests", self.server.bad_requests)
        if self.log is not None:
            meter.counter("log_lines_lost", self.log.lost)
        if self.recorder is not None:
            meter.counter("recordings_lost", self.recorder.lost)
        if self.traces is not None:
            meter.counter("spans", self.traces.spans)
        meter.flush()

    def state(self) -> dict[str, Any]:
        """What the supervisor shows of this worker."""
        return {
            "in_flight": self.gateway.in_flight,
            "connections": self.server.connections,
            "emulated": any(backend.emulated for backend in self.backends),
            "health": [backend.state for backend in self.backends],
            "kv_used": [backend.readings.kv_used if backend.readings else None for backend in self.backends],
            "recent": self.recent.requests(),
        }

    def _close(self) -> None:
        self._count()
        for watcher in (self.log, self.recorder, self.traces):
            if watcher is not None:
                watcher.close()
        for backend in self.backends:
            backend.close()

    def _heard(self, message: dict[str, Any]) -> None:
        self.at_once = self.at_once or message.get("do") == "stop"
        self.within_s = message.get("within_s", self.within_s)
        self.port_closes = message.get("port_closes", self.port_closes)
        self.leaving.set()


def main() -> None:
    """Entry point: `python -m meritorder.serve.worker LISTENER CONTROL`, two inherited file descriptors."""
    listener, control = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    sys.setswitchinterval(0.0005)  # threads that write the log and recordings hold the loop up no longer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor speaks for all
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("meritorder").setLevel(logging.INFO)
    setup = receive_setup(control)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        worker = Worker(setup, loop)
    except InputError as error:
        send_message(control, {"problems": [asdict(problem) for problem in error.problems]})
        sys.exit(2)
    control.setblocking(False)
    listener.setblocking(False)
    loop.run_until_complete(worker.run(listener, control))


if __name__ == "__main__":
    main()
