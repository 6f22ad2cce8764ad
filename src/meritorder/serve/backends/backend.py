"""`Backend`: one replica of the fleet as one worker of the gateway sees it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace

from meritorder.fleet.gateway import Endpoint
from meritorder.fleet.schema import Engine, Fleet, Pool
from meritorder.problems import InputError, Problem
from meritorder.serve.backends.health import Dispatch, Health, State
from meritorder.serve.backends.kinds import KINDS, Kind
from meritorder.serve.backends.queue_time import QueueTime
from meritorder.serve.backends.readings import Readings, Timings
from meritorder.serve.backends.secret import read_secret
from meritorder.serve.books.state import default_most
from meritorder.serve.http.client import Upstream


class Backend:
    """One replica: where it is, what it is, what it said of itself last, and whether it may be used."""

    __slots__ = (
        *(
            "_clock",
            "_dispatch",
            "at_once",
            "emulated",
            "fleet_model",
            "headers",
            "health",
            "index",
            "kind",
            "model",
            "models",
            "name",
            "named_model",
            "pool",
        ),
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
        named_model: str | None,
        fleet_model: str,
        headers: bytes,
        engine: Engine,
        dispatch: Dispatch,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.index = index  # of the replica in the fleet
        self.name = name  # "pool/0"
        self.pool, self.site, self.kind = pool, site, kind
        self.url, self.upstream = url, upstream
        self.named_model = named_model  # as the fleet file says it is named there
        self.model = named_model  # as it is named there, as far as known
        self.emulated = False  # it says so: nothing of it is real
        self.models: tuple[str, ...] = ()  # names there that it answers to for this pool: the model, and adapters of it
        self.fleet_model = fleet_model  # as it is named in the fleet file
        self.headers = headers  # raw lines that every request to it carries; secret
        self.at_once = engine.max_sequences  # requests that its engine runs at a time
        self.readings: Readings | None = None  # the last, if it is fresh; of the worker that watches only
        self.queue_time = QueueTime()
        self.health = Health(dispatch, index, name, default_most(engine))
        self._clock = loop.time
        self._dispatch = dispatch

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

    def ok(self, ttft_s: float, ratio: float | None = None) -> None:
        """A request got its first token this long after it was sent, or its whole answer: then without `ratio`.

        `ratio`: to the time that is predicted for a replica as fast as the fleet file says; the replicas of a pool are
        compared by it.
        """
        self.health.ok(self._clock(), ttft_s, ratio)

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

    def tell_load(self, running: int, waiting: int) -> None:
        """Tell dispatch how many requests are there, whoever sent them."""
        self._dispatch.foreign(self.index, running, waiting)

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
            backends += _of_pool(pool_name, pool, pool.endpoint, len(backends), dispatcher, loop, environ)
        except InputError as error:
            problems += error.problems
    if problems:
        for backend in backends:
            backend.close()
        raise InputError(problems)
    for backend in backends:
        backend.health.take_over(loop.time())
    return backends


def _of_pool(
    name: str,
    pool: Pool,
    endpoint: Endpoint,
    first: int,
    dispatcher: Dispatch,
    loop: asyncio.AbstractEventLoop,
    environ: Mapping[str, str],
) -> list[Backend]:
    """The backends of one pool; the first has index `first`."""
    key = f"pools.{name}.endpoint"
    _check(endpoint, key, pool.replicas)
    headers = b""
    if endpoint.key is not None:
        secret = read_secret(endpoint.key, f"{key}.key", environ)
        headers = b"authorization: Bearer " + secret.encode("ascii") + b"\r\n"
    try:
        upstreams = [Upstream(url, loop=loop, ca=endpoint.ca) for url in endpoint.urls]
    except InputError as error:
        raise InputError(replace(problem, key=f"{key}.ca") for problem in error.problems) from error
    return [
        Backend(
            first + number,
            f"{name}/{number}",
            pool=name,
            site=pool.site,
            kind=KINDS[endpoint.kind],
            url=url,
            upstream=upstream,
            named_model=endpoint.model,
            fleet_model=pool.model,
            headers=headers,
            engine=pool.engine,
            dispatch=dispatcher,
            loop=loop,
        )
        for number, (url, upstream) in enumerate(zip(endpoint.urls, upstreams, strict=True))
    ]


def _check(endpoint: Endpoint, key: str, replicas: int) -> None:
    """What would otherwise show at the first request only."""
    if len(endpoint.urls) != replicas:
        raise InputError(Problem(f"has {len(endpoint.urls)} addresses for {replicas} replicas", key=f"{key}.urls"))
    if wrong := [url.rstrip("/") for url in endpoint.urls if url.rstrip("/").endswith("/v1")]:
        fix = f"write {wrong[0].removesuffix('/v1')}"
        raise InputError(Problem(f"{wrong[0]} ends in /v1, which is added by itself", key=f"{key}.urls", fix=fix))
