"""`Books`: what all workers know together about the fleet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.serve.books.lock import Lock
from meritorder.serve.books.memory import open_block
from meritorder.serve.books.rebuild import forget, rebuild
from meritorder.serve.books.snapshot import snapshot
from meritorder.serve.books.state import UNLIMITED, LiveState, build_live, regions_of
from meritorder.serve.books.view import (
    MARK,
    PREFIX_SLOTS,
    ROWS,
    SIZE,
    WORKERS,
    lay_out,
    size_of,
    view,
    words_of,
)
from meritorder.serve.books.warm import warm_up

# Requests that a worker may have in flight per connection that it may hold: one, and one that hedges it.
_ROWS_PER_CONNECTION = 2


class Books:
    """The live state of a fleet in shared memory: created by the supervisor, attached to by workers.

    With one worker nothing is locked, as only it changes the state while it lives; what others may set from outside
    (limits) are single words. With several, every change is made under a lock that the kernel frees if its holder
    is killed.
    """

    def __init__(self, path: Path, fleet: Fleet, replicas: Sequence[Replica]) -> None:
        """Map existing books; use `create` and `attach`."""
        self.name = str(path)
        self.fleet = fleet
        self.regions = regions_of(fleet)
        self._descriptor, self.block = open_block(path)
        words = words_of(self.block)
        self.workers = int(words[WORKERS])
        rows, slots = int(words[ROWS]), int(words[PREFIX_SLOTS])
        if size_of(build_live(fleet, replicas, workers=self.workers, rows=rows, prefix_slots=slots)) != words[SIZE]:
            self.close()
            raise ValueError(f"{path} holds the books of another fleet")
        self.live: LiveState = view(self.block)  # for reading; the compiled functions take the block
        mark = words.data[MARK : MARK + 1]
        self.lock = Lock(self._descriptor, mark, lambda: rebuild(self.block), shared=self.workers > 1)
        warm_up(fleet, replicas)

    @staticmethod
    def create(
        fleet: Fleet,
        replicas: Sequence[Replica],
        *,
        workers: int,
        folder: Path,
        prefix_slots: int = 1 << 20,
        seed: int = 0,
    ) -> Books:
        """New books with nothing in flight, for `workers` processes; `replicas`: one per pool of the fleet.

        They are a file in `folder`. `prefix_slots`, a power of two, is how many blocks of text are remembered.
        """
        if prefix_slots < 1 or prefix_slots & (prefix_slots - 1):
            raise ValueError(f"prefix_slots is {prefix_slots}, not a power of two")
        rows = _ROWS_PER_CONNECTION * fleet.gateway.limits.connections
        live = build_live(fleet, replicas, workers=workers, rows=rows, prefix_slots=prefix_slots, seed=seed)
        path = folder / "books"
        descriptor, block = open_block(path, size_of(live))
        lay_out(live, block)
        words = words_of(block)
        words[WORKERS], words[ROWS], words[PREFIX_SLOTS], words[SIZE] = workers, rows, prefix_slots, len(block)
        os.close(descriptor)
        return Books(path, fleet, replicas)

    @staticmethod
    def attach(name: str, fleet: Fleet, replicas: Sequence[Replica]) -> Books:
        """The books of that name. Raises FileNotFoundError, and ValueError where they are of another fleet."""
        return Books(Path(name), fleet, replicas)

    def close(self) -> None:
        """Let go of them; the memory is freed when nobody uses it any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def forget_worker(self, worker: int) -> int:
        """Take the requests of a dead worker out of the books. Returns how many there were."""
        with self.lock:
            requests = int(forget(self.block, worker))
            rebuild(self.block)
        return requests

    def limit_site(self, site: str, watts: float | None) -> None:
        """Limit the IT power of a site from now on; None: no limit. Raises KeyError for an unknown site."""
        self.live.sites[_index(self.fleet.sites, site)].limit_w = np.inf if watts is None else watts

    def limit_pool(self, pool: str, requests: int | None) -> None:
        """Limit the requests in flight in a pool from now on; None: no limit. Raises KeyError for an unknown pool."""
        self.live.caps[_index(self.fleet.pools, pool)].most = UNLIMITED if requests is None else requests

    def snapshot(self) -> dict[str, Any]:
        """What is in the books now, see `snapshot`."""
        return snapshot(self.fleet, self.live)


def _index(names: dict[str, Any], name: str) -> int:
    if name not in names:
        raise KeyError(name)
    return list(names).index(name)
