"""`Watch`: one per worker. Looks after the backends while requests come and go: health, metrics, models, outliers.

Only one worker, the leader, looks at all of them; what it learns is told to dispatch and so known to all. A worker that
found by its own requests that a backend fails looks at that one itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.discovery import answers_to, served_models, the_one
from meritorder.serve.backends.leader import Leadership
from meritorder.serve.backends.outliers import outliers
from meritorder.serve.http.client import Fault, FetchError, fetch

TICK_S = 0.1
AGAIN_S = 1.0  # between two looks at a backend in trouble, however seldom its kind is looked at
PEERS_S = 5.0  # between two comparisons of the replicas of a pool
QUEUE_S = 1.0  # between two estimates of queues from queue times
LOOK_S = 3.0  # longest wait for an answer to a look
MODELS_S = 60.0  # between two questions for the models, once they are known
NO_METRICS_S = 30.0  # between two questions for metrics that were not there
LOOKS_PER_S = 100.0  # most looks of one worker; with more backends each is looked at less often
FRESH = 3.0  # readings older than so many intervals are forgotten
MOST_BYTES = 4_000_000

logger = logging.getLogger("meritorder.backends")


class Shared(Protocol):
    """What the workers of a gateway share: a file of that name."""

    name: str


class Watch:
    """`run()` it as a task."""

    def __init__(self, backends: Sequence[Backend], shared: Shared, *, loop: asyncio.AbstractEventLoop) -> None:
        self._backends = backends
        self._pools = [list(pool) for _, pool in itertools.groupby(backends, key=lambda backend: backend.pool)]
        self._loop = loop
        self._leadership = Leadership(Path(f"{shared.name}.lead"))
        self._warned: dict[Backend, str] = {}  # what was said of each last
        self._metrics_due: dict[Backend, float] = {}  # of those that answered, but without metrics

    @property
    def leads(self) -> bool:
        """Whether this worker is the one that looks at all backends."""
        return self._leadership.held

    async def run(self) -> None:
        """Watch until cancelled."""
        self._leadership.claim()
        looks = [
            self._loop.create_task(self._look_after(backend, delay_s=number / LOOKS_PER_S))
            for number, backend in enumerate(self._backends)
        ]
        peers = queues = self._loop.time()
        try:
            while True:
                await asyncio.sleep(TICK_S)
                now = self._loop.time()
                for backend in self._backends:
                    backend.health.tick(now)
                if now - queues >= QUEUE_S:
                    queues = now
                    if self._leadership.claim():
                        self._estimate_queues(now)
                if now - peers >= PEERS_S:
                    peers = now
                    for pool in self._pools:
                        for backend, why in list(outliers(pool, now)):
                            backend.health.eject(now, why)
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
            self._leadership.close()

    async def _look_after(self, backend: Backend, delay_s: float) -> None:
        """All looks at one backend."""
        slowest_s = len(self._backends) / LOOKS_PER_S
        every_s, again_s = max(backend.kind.every_s, slowest_s), max(min(backend.kind.every_s, AGAIN_S), slowest_s)
        await asyncio.sleep(delay_s)
        models_due = -math.inf
        while True:
            try:
                if self.leads or backend.health.wants_looks:
                    await self._look(backend)
                if self.leads and backend.kind.metrics_path is not None:
                    await self._read(backend, FRESH * every_s)
                if self._loop.time() >= models_due and backend.state != "down" and await self._discover(backend):
                    models_due = self._loop.time() + MODELS_S
            except Exception:  # a fault of ours with one answer must not end the watch
                logger.exception("backend %s: while looking at it", backend.name)
            due = self._loop.time() + every_s
            while self._loop.time() < due:
                await asyncio.sleep(again_s)
                if backend.health.wants_looks:
                    break

    async def _look(self, backend: Backend) -> None:
        """Is it there?"""
        began = self._loop.time()
        why, refused = "", False
        try:
            status, _, _ = await self._get(backend, backend.kind.health_path)
            if status >= 500:
                why = f"{backend.kind.health_path} says {status}"
        except TimeoutError:
            why = f"no answer to a look within {LOOK_S:g} s"
        except FetchError as error:
            why, refused = f"{error.fault.value}: {error}", error.fault is Fault.REFUSED
        now = self._loop.time()
        if why:
            backend.health.silent(now, why, since=began, sure=refused)
        else:
            backend.health.answered(now)

    async def _read(self, backend: Backend, fresh_s: float) -> None:
        """Its metrics, for dispatch."""
        path = backend.kind.metrics_path or ""
        status, text = 0, b""
        if self._loop.time() < self._metrics_due.get(backend, 0.0):
            return
        with contextlib.suppress(FetchError, TimeoutError):
            status, _, text = await self._get(backend, path)
        now = self._loop.time()
        readings = backend.kind.read(text, now) if status == 200 else None
        if readings is not None:
            backend.readings = readings
            backend.tell_load(readings.running, readings.queued)
        elif status in (200, 404):
            if backend not in self._metrics_due:
                logger.info("backend %s: no metrics at %s, going by our own requests", backend.name, path)
            self._metrics_due[backend] = now + NO_METRICS_S
        if backend.readings is not None and now - backend.readings.taken > fresh_s:
            backend.readings = None
            backend.tell_load(0, 0)

    async def _discover(self, backend: Backend) -> bool:
        """Which models it has; whether it said so, or never will."""
        try:
            status, headers, body = await self._get(backend, "/v1/models")
        except (FetchError, TimeoutError):
            return False
        if status in (401, 403):
            self._warn(backend, f"refuses the key it is asked with: status {status}")
        backend.emulated = any(name == b"x-merit-emulated" for name, _ in headers)
        served = served_models(body) if status == 200 else []
        if not served:
            return 400 <= status < 500  # it has no such list, or not for us: don't ask all the time
        model = backend.named_model or the_one(served, backend.fleet_model)
        names = answers_to(served, model)
        backend.model, backend.models = model, names
        if model is None or model not in names:
            known = ", ".join(each.name for each in served[:10])
            self._warn(backend, f"has no model {model or backend.fleet_model}, but {known}")
        return True

    def _warn(self, backend: Backend, what: str) -> None:
        """Once, and of all workers the leader only."""
        if self.leads and self._warned.get(backend) != what:
            self._warned[backend] = what
            logger.warning("backend %s %s", backend.name, what)

    async def _get(self, backend: Backend, path: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        return await fetch(backend.upstream, b"GET", path.encode(), backend.headers, timeout_s=LOOK_S, most=MOST_BYTES)

    def _estimate_queues(self, now: float) -> None:
        """Queues of backends that only tell queue times in their answers, by the answers that this worker got."""
        for backend in self._backends:
            if backend.queue_time.heard:
                waiting = backend.queue_time.waiting(now, backend.at_once)
                # where somebody waits, all places are taken
                backend.tell_load(backend.at_once if waiting else 0, waiting)
