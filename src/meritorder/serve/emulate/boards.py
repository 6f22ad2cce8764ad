"""Power of an emulated pool's boards: a limit switches all its machines to the table of that limit."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from meritorder.fleet.schema import Pool
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable
from meritorder.serve.emulate.machine import Machine
from meritorder.serve.errors import Refused

_SAME = 1e-6  # of two parts


class Boards:
    """Of one pool; as a driver with `http` talks to it."""

    def __init__(self, pool: Pool, replica: Replica) -> None:
        self._pool, self._replica = pool, replica
        self.table: IterationTable = replica.table
        self._read_at = self._read_j = 0.0

    def limit(self, body: bytes, machines: Iterable[Machine]) -> None:
        """Take the limit in `{"part": ...}`, from the next iteration on. Raises Refused 400: none of `caps`."""
        try:
            part = float(orjson.loads(body)["part"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise Refused(400, "invalid_request", 'Send {"part": part of the board\'s own limit}.') from None
        known = [1.0, *self._pool.caps]
        tables = [self._replica.table, *(table for table, _ in self._replica.capped)]
        found = [table for cap, table in zip(known, tables, strict=True) if abs(cap - part) < _SAME]
        if not found:
            raise Refused(400, "invalid_request", f"The boards know the limits {', '.join(map(str, known))}.")
        self.table = found[0]
        for machine in machines:
            machine.engine.table = self.table

    def watts(self, now: float, machines: Iterable[Machine]) -> bytes:
        """`{"watts": ...}` of all the pool's machines, the mean since it was read last."""
        joules = sum(machine.engine.energy_j for machine in machines)
        busy = (joules - self._read_j) / (now - self._read_at) if now > self._read_at else 0.0
        self._read_at, self._read_j = now, joules
        return orjson.dumps({"watts": self._replica.table.idle_w * self._pool.replicas + busy})
