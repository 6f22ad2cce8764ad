"""`Backend`: one replica of the fleet as one worker of the gateway sees it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from meritorder.fleet.gateway import Endpoint
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.serve.backends.health import Dispatch, Health, State
from meritorder.serve.backends.kinds import KINDS, Kind
from meritorder.serve.backends.queue_time import QueueTime
from meritorder.serve.backends.readings import Readings, Timings
from meritorder.serve.backends.secret import read_secret
from meritorder.serve.http.client import Upstream


class Backend:
    """One replica: where it is, what it is, what it said of itself last, and whether it may be used."""

    __slots__ = (
        *("_clock", "fleet_model", "full", "headers", "health", "index", "kind", "model", "models", "name", "pool"),
        *("queue_time", "readings", "site", "upstream", "url"),
    )

    def __init__(
        self,
        index: int,
        name: str,
        *,
        pool: str,
        site: str,
        kind: Kind,
        url: str,
        upstream: Upstream,
        model: str | None,
        fleet_model: str,
        headers: bytes,
        full: int,
        dispatch: Dispatch,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.index = index  # of the replica in the fleet
        self.name = name  # "pool/0"
        self.pool, self.site, self.kind = pool, site, kind
        self.url, self.upstream = url, upstream
        self.model = model  # as it is named there; None: not known yet
        self.models: tuple[str, ...] = ()  # all that it says it serves
        self.fleet_model = fleet_model  # as it is named in the fleet file
        self.headers = headers  # raw lines that every request to it carries; secret
        self.full = full  # requests in flight that its engine takes
        self.readings: Readings | None = None  # the last, if it is fresh; of the worker that watches only
        self.queue_time = QueueTime()
        self.health = Health(dispatch, index, name, full)
        self._clock = loop.time

    def __repr__(self) -> str:
        return f"Backend({self.name}, {self.state})"  # never the headers

    @property
    def usable(self) -> bool:
        """Whether this worker holds it fit for requests now."""
        return self.health.usable

    @property
    def state(self) -> State:
        """Of its circuit breaker."""
        return self.health.state

    def ok(self, ttft_s: float) -> None:
        """A request got its first token, or its whole answer, this long after it was sent."""
        self.health.ok(self._clock(), ttft_s)

    def failed(self, why: str) -> None:
        """A request failed through the backend's fault. `why` is shown and logged: no prompts, no secrets."""
        self.health.failed(self._clock(), why)

    def throttled(self, retry_after_s: float | None) -> None:
        """It answered 429 or 503, with this Retry-After."""
        self.health.throttled(self._clock(), retry_after_s)

    def timed(self, timings: Timings) -> None:
        """What `kind.timings` found in an answer."""
        if timings.queue_s is not None:
            self.queue_time.add(self._clock(), timings)

    def drain(self) -> None:
        """It gets no new requests any more."""
        self.health.drain(self._clock())

    def close(self) -> None:
        """Close its connections."""
        self.upstream.close()


def make_backends(
    fleet: Fleet,
    dispatcher: Dispatch,
    *,
    loop: asyncio.AbstractEventLoop,
    environ: Mapping[str, str] = os.environ,
) -> list[Backend]:
    """All backends of the fleet, in the order of its replicas.

    Raises InputError with everything that hinders: pools without an endpoint, keys and certificates that can't be read.
    """
    problems: list[Problem] = []
    backends: list[Backend] = []
    for pool_name, pool in fleet.pools.items():
        key = f"pools.{pool_name}.endpoint"
        if pool.endpoint is None:
            fix = "give its `kind` and `urls`; `merit emulate FLEET --write live.yaml` writes emulated ones"
            problems.append(Problem("is missing, so nothing can be sent there", key=key, fix=fix))
            continue
        try:
            headers = _headers(pool.endpoint, key, environ)
            _check(pool.endpoint, key, pool.replicas)
        except InputError as error:
            problems += error.problems
            continue
        for number, url in enumerate(pool.endpoint.urls):
            backend = Backend(
                len(backends),
                f"{pool_name}/{number}",
                pool=pool_name,
                site=pool.site,
                kind=KINDS[pool.endpoint.kind],
                url=url,
                upstream=Upstream(url, loop=loop, ca=pool.endpoint.ca),
                model=pool.endpoint.model,
                fleet_model=pool.model,
                headers=headers,
                full=pool.engine.max_sequences + max(1, pool.engine.max_sequences // 4),
                dispatch=dispatcher,
                loop=loop,
            )
            backends.append(backend)
    if problems:
        for backend in backends:
            backend.close()
        raise InputError(problems)
    for backend in backends:
        backend.health.declare()
    return backends


def _headers(endpoint: Endpoint, key: str, environ: Mapping[str, str]) -> bytes:
    if endpoint.key is None:
        return b""
    return b"authorization: Bearer " + read_secret(endpoint.key, f"{key}.key", environ).encode("ascii") + b"\r\n"


def _check(endpoint: Endpoint, key: str, replicas: int) -> None:
    """What would otherwise show at the first request only."""
    if len(endpoint.urls) != replicas:
        raise InputError(Problem(f"has {len(endpoint.urls)} addresses for {replicas} replicas", key=f"{key}.urls"))
    if twice := [url for url in endpoint.urls if url.rstrip("/").endswith("/v1")]:
        fix = f"write {twice[0].rstrip('/').removesuffix('/v1')}"
        raise InputError(Problem(f"{twice[0]} ends in /v1, which is added by itself", key=f"{key}.urls", fix=fix))
    if endpoint.ca is not None and not Path(endpoint.ca).is_file():
        raise InputError(Problem(f"there is no file {endpoint.ca}", key=f"{key}.ca", fix="give a PEM file"))
