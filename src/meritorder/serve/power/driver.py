"""Power drivers: how the gateway reads what a pool's machines draw, and sets their power limits."""

from __future__ import annotations

import asyncio
import json
import shlex
import urllib.error
import urllib.request
from typing import Protocol

from meritorder.fleet.gateway import PowerControl

_MOST_ANSWER = 10_000


class DriverError(Exception):
    """The driver could not do it; the words are for admin page and log."""


class PowerDriver(Protocol):
    """Of one pool. Both methods raise DriverError."""

    async def read(self) -> float | None:
        """IT watts of all of the pool's machines now; None: it can't tell, and they are predicted."""

    async def limit(self, watts: float, part: float) -> None:
        """Limit each of the pool's boards to `watts`, which is `part` of its own limit."""


class Command:
    """Runs commands of the fleet file, without a shell; `{watts}` and `{part}` are filled in."""

    def __init__(self, power: PowerControl) -> None:
        self._power = power

    async def read(self) -> float | None:
        """The sum of the numbers that the command prints, one a line (as `nvidia-smi --query-gpu=power.draw` does)."""
        if self._power.read is None:
            return None
        lines = (await self._run(self._power.read)).split()
        try:
            return sum(float(line) for line in lines)
        except ValueError:
            raise DriverError(f"`{self._power.read}` printed {' '.join(lines)[:60]!r}, not watts") from None

    async def limit(self, watts: float, part: float) -> None:
        """Run the command that sets the limit."""
        await self._run(self._power.limit.format(watts=f"{watts:.0f}", part=f"{part:g}"))

    async def _run(self, command: str) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise DriverError(f"`{command}` can't be run: {error.strerror}") from None
        try:
            out, err = await asyncio.wait_for(process.communicate(), self._power.timeout)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise DriverError(f"`{command}` did not end within {self._power.timeout:g} s") from None
        if process.returncode:
            said = (err or out).decode(errors="replace").strip()[:200]
            raise DriverError(f"`{command}` ended with exit code {process.returncode}: {said}")
        return out.decode(errors="replace")


class Http:
    """Asks URLs of the fleet file: GET gives `{"watts": number}`, PUT sends `{"watts": number, "part": number}`."""

    def __init__(self, power: PowerControl) -> None:
        self._power = power

    async def read(self) -> float | None:
        """The `watts` of the answer."""
        if self._power.read is None:
            return None
        answer = await asyncio.to_thread(self._ask, "GET", self._power.read, None)
        try:
            return float(json.loads(answer)["watts"])
        except (ValueError, KeyError, TypeError):
            raise DriverError(f"{self._power.read} did not answer with watts") from None

    async def limit(self, watts: float, part: float) -> None:
        """Send the limit."""
        body = json.dumps({"watts": watts, "part": part}).encode()
        await asyncio.to_thread(self._ask, "PUT", self._power.limit, body)

    def _ask(self, method: str, url: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(url, body, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self._power.timeout) as answer:
                read: bytes = answer.read(_MOST_ANSWER)
                return read
        except (urllib.error.URLError, OSError) as error:
            raise DriverError(f"{method} {url}: {getattr(error, 'reason', error)}") from None


def driver_of(power: PowerControl) -> PowerDriver:
    """The driver that an endpoint's `power` names."""
    return Http(power) if power.driver == "http" else Command(power)
