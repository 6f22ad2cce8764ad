"""What the admin port may do with a running gateway; the supervisor is one."""

from __future__ import annotations

from typing import Any, Protocol

from meritorder.fleet.control import DemandResponse
from meritorder.problems import Problem
from meritorder.serve.admin.keyring import Keyring
from meritorder.serve.admin.state import Decision, State


class Control(Protocol):
    """All methods are called on the event loop's thread and return at once, but for `reload`."""

    keyring: Keyring | None  # None: the gateway needs no keys

    def state(self) -> State:
        """Everything as it is now."""

    def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""

    def decisions(self, most: int) -> list[Decision]:
        """The latest requests that ended, newest first."""

    async def reload(self) -> list[Problem]:
        """Read the fleet file again and take it over; returns what is wrong in it, and then nothing has changed."""

    def drain(self) -> None:
        """Take no further requests, finish those that run, then stop."""

    def limit_site(self, site: str, watts: float | None) -> None:
        """Most predicted IT power of a site; None: no limit. Raises InputError for an unknown site."""

    def power(self) -> dict[str, Any]:
        """What the power controller sees and does; empty where it does not run."""

    async def ask_site(self, site: str, wish: DemandResponse) -> None:
        """Take on a load target from now on. Raises InputError for an unknown site, or where too many are under way."""

    def limit_pool(self, pool: str, requests: int | None) -> None:
        """Most requests in flight in a pool; None: no limit. Raises InputError for an unknown pool."""
