"""`run`: a gateway with its workers and admin port, from start to the last answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from meritorder.serve.admin.app import make_app
from meritorder.serve.admin.server import AdminServer
from meritorder.serve.listen import listeners, shown, split
from meritorder.serve.origin import is_loopback
from meritorder.serve.supervisor import Load, Pages, Supervisor


@dataclass(frozen=True)
class Options:
    """What is no matter of the fleet."""

    pages: Pages = field(default_factory=dict)  # further pages of the gateway itself
    admin_pages: Pages = field(default_factory=dict)  # of the admin port
    log: str | None = None  # file for the request log, "-" for stderr


@dataclass(frozen=True)
class Ready:
    """Told when clients are served."""

    url: str
    admin_url: str
    supervisor: Supervisor


def run(
    load: Load, options: Options, *, tell: Callable[[str], None], ready: Callable[[Ready], None] = lambda _: None
) -> None:
    """Serve until SIGTERM or Ctrl-C and until the requests under way have ended. SIGHUP reads the fleet file again.

    `tell` gets a line for people about everything that matters. Raises InputError where it can't start.
    """
    asyncio.run(_run(load, options, tell, ready))


async def _run(load: Load, options: Options, tell: Callable[[str], None], ready: Callable[[Ready], None]) -> None:
    supervisor = Supervisor(load, pages=options.pages, log=options.log, tell=tell)
    await supervisor.start()
    try:
        address = supervisor.fleet.gateway.admin
        [listener] = listeners(address, 1, "gateway.admin")
        app = make_app(supervisor, options.admin_pages, loopback=is_loopback(split(address)[0]))
        admin = AdminServer(app, listener)
        await admin.start()
    except BaseException:
        await supervisor.kill()
        raise
    try:
        ready(Ready(supervisor.url, shown(listener), supervisor))
        await supervisor.wait()
    finally:
        await admin.stop()
