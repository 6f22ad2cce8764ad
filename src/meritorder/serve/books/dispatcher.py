"""`Dispatcher`: one worker's hand on the books."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.reasons import NONE_USABLE, SHED
from meritorder.serve.books import place as entries
from meritorder.serve.books.books import Books
from meritorder.serve.books.hashes import hash_blocks
from meritorder.serve.books.state import BLOCK_BYTES, BLOCK_TOKENS, DOWN, default_most
from meritorder.units import JOULES_PER_KWH

__all__ = ["BLOCK_TOKENS", "Dispatcher", "NoPlace", "Ticket"]

Hashes = npt.NDArray[np.uint64]

_NO_BLOCKS: Hashes = np.zeros(0, np.uint64)
_NOBODY = np.zeros(0, np.int32)
_NOTHING = (0.0, 0.0, 0.0)


class NoPlace(Enum):
    """Why a request was not placed."""

    FULL = "every usable replica is full or capped"  # wait
    DOWN = "no usable replica is left"
    SHED = "nobody could serve it acceptably"


class Ticket:
    """A request that is in the books, until `ended`."""

    __slots__ = ("cached", "pool", "reason", "replica", "row", "speed", "tpot_s", "ttft_s")

    def __init__(
        self, replica: int, pool: int, reason: int, cached: int, ttft_s: float, tpot_s: float, row: int, speed: float
    ) -> None:
        self.replica = replica
        self.pool = pool
        self.reason = reason  # index into dispatch.reasons.REASONS
        self.cached = cached  # prompt tokens that are believed to be cached there
        self.ttft_s = ttft_s  # predicted, network and front end included
        self.tpot_s = tpot_s  # predicted
        self.row = row  # its row among this worker's; -1: has ended
        self.speed = speed  # of the replica, as it was in the predictions


class Dispatcher:
    """Places requests and keeps the books of them. Every method returns at once."""

    def __init__(self, books: Books, worker: int) -> None:
        if not 0 <= worker < books.workers:
            raise ValueError(f"worker {worker} of {books.workers}")
        self.books = books
        self.worker = worker
        self._block = books.block
        self._lock = books.lock
        fleet, state = books.fleet, books.live.fleet
        self._gates = books.live.gates
        self._pool = [int(pool) for pool in state.replicas.pool]
        self._most = [default_most(pool.engine) for pool in fleet.pools.values()]
        self._rates = [
            (
                float(p.usd_per_j),
                float(p.usd_per_prompt),
                float(p.usd_per_output),
                fleet.sites[spec.site].pue * fleet.sites[spec.site].kg_per_kwh / JOULES_PER_KWH,
            )
            for p, spec in zip(state.pools, fleet.pools.values(), strict=True)
        ]

    def blocks(self, text: bytes) -> Hashes:
        """Chained hashes of the whole blocks of a text, 64 bits each; a block is BLOCK_TOKENS tokens or so."""
        count = len(text) // BLOCK_BYTES
        if count == 0:
            return _NO_BLOCKS
        hashes = np.empty(count, np.uint64)
        hash_blocks(np.frombuffer(text, np.uint64, count * (BLOCK_BYTES // 8)), hashes)
        return hashes

    def place(
        self,
        service: int,
        prompt: int,
        output: int,
        blocks: Hashes = _NO_BLOCKS,
        avoid: Sequence[int] = (),
        region: int = 0,
    ) -> Ticket | NoPlace:
        """Choose a replica for a request of `prompt` and at most `output` tokens (0: not said), and enter it there.

        `avoid`: replicas that have failed it. `region`: index into `books.regions`.
        """
        shunned = np.array(avoid, np.int32) if avoid else _NOBODY
        with self._lock:
            replica, reason, cached, ttft_s, tpot_s, row, speed = entries.place(
                self._block, self.worker, service, region, prompt, output, blocks, shunned
            )
        if replica < 0:
            return NoPlace.DOWN if reason == NONE_USABLE else NoPlace.SHED if reason == SHED else NoPlace.FULL
        return Ticket(replica, self._pool[replica], reason, cached, ttft_s, tpot_s, row, speed)

    def answered(self, ticket: Ticket) -> None:
        """Its first token has come."""
        if ticket.row >= 0:
            with self._lock:
                entries.answered(self._block, self.worker, ticket.row)

    def ended(
        self, ticket: Ticket, output: int, prompt: int = 0, cached: int = 0, ttft_s: float = 0.0, tpot_s: float = 0.0
    ) -> tuple[float, float, float]:
        """It has ended after `output` tokens, 0 where it failed. Further calls do nothing.

        Returns joules above idle, USD and kg CO2 of what it really was (`prompt` 0: nothing), from the table of its
        machine. USD: this energy with its PUE and price of carbon, and the metered price; owning is paid for anyway.
        `ttft_s` and `tpot_s`, observed from placing on, correct the speed of its replica; 0: not observed.
        """
        t = ticket
        row = t.row
        if row < 0:
            return _NOTHING
        t.row = -1
        with self._lock:
            joules = entries.ended(
                self._block, self.worker, row, output, prompt, cached, t.speed, t.ttft_s, t.tpot_s, ttft_s, tpot_s
            )
        if not prompt:
            return _NOTHING
        usd_per_j, usd_per_prompt, usd_per_output, kg_per_j = self._rates[t.pool]
        usd = joules * usd_per_j + prompt * usd_per_prompt + output * usd_per_output
        return joules, usd, joules * kg_per_j

    def room(self, service: int) -> bool:
        """Whether a request of the service may be placed now."""
        return bool(entries.has_room(self._block, service))

    def usable(self, replica: int, on: bool) -> None:
        """Whether a replica may be chosen at all: it is up and not draining."""
        with self._lock:
            entries.bar(self._block, replica, DOWN, not on)

    def is_usable(self, replica: int) -> bool:
        """What was last said of it, by whichever worker."""
        return not self._gates.barred[replica] & DOWN

    def hold(self, replica: int, until: float) -> None:
        """A worker keeps a replica out of use, no shorter than until this monotonic time."""
        self._gates.held_until[replica] = max(until, self._gates.held_until[replica])

    def held_until(self, replica: int) -> float:
        """The latest such time that any worker has said; 0: none ever."""
        return float(self._gates.held_until[replica])

    def forget(self, replica: int) -> None:
        """A replica has lost its prefix cache."""
        with self._lock:
            self._gates.life[replica] += 1

    def admits(self, replica: int) -> int:
        """Most requests that a replica may have in flight."""
        return int(self._gates.most[replica])

    def most(self, replica: int, requests: int | None) -> None:
        """Most requests that a replica may have in flight; None: what its engine's settings suggest."""
        requests = self._most[self._pool[replica]] if requests is None else requests
        with self._lock:
            entries.admit(self._block, replica, requests)

    def foreign(self, replica: int, running: int, waiting: int) -> None:
        """What the metrics of a replica's engine say that it runs and has waiting, ours included.

        What exceeds our own requests there, in two readings in a row, counts as the load of others.
        """
        with self._lock:
            entries.set_foreign(self._block, replica, running, waiting)
