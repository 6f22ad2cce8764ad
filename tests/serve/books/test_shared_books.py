"""Several real processes on the same books, some of which are killed in the middle of a change."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.serve.books.fleets import assert_balanced, fleet_text, in_flight, make
from tests.serve.new_folder import new_folder

from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import Dispatcher, NoPlace, Ticket

FORK = multiprocessing.get_context("fork")
WORKERS = 3


def hammer(name: str, fleet: Fleet, replicas: Sequence[Replica], worker: int, done: int) -> None:
    """Place and end requests at random: for ever, or until `done` have ended and nothing is in flight."""
    d = Dispatcher(Books.attach(name, fleet, replicas), worker)
    rng = np.random.default_rng(worker)
    tickets: list[Ticket] = []
    ended = 0
    while not done or ended < done or tickets:
        if len(tickets) < 8 and (not done or ended < done):
            found = d.place(int(rng.integers(2)), int(rng.integers(1, 4000)), 100, d.blocks(rng.bytes(1024)))
            if isinstance(found, Ticket):
                tickets.append(found)
        if tickets and rng.random() < 0.6:
            d.answered(tickets[int(rng.integers(len(tickets)))])
        if tickets and rng.random() < 0.5:
            ticket = tickets.pop(int(rng.integers(len(tickets))))
            d.ended(ticket, int(rng.integers(1, 300)), 100, 10, 0.1, 0.01)
            ended += 1
        if not done and rng.random() < 0.1:
            d.usable(4, bool(rng.random() < 0.5))


def start(books: Books, replicas: Sequence[Replica], worker: int, done: int = 0) -> multiprocessing.process.BaseProcess:
    process = FORK.Process(target=hammer, args=(books.name, books.fleet, replicas, worker, done), daemon=True)
    process.start()
    return process


@pytest.fixture
def shared_books() -> tuple[Books, Sequence[Replica]]:  # type: ignore[misc]
    fleet, replicas = make(fleet_text())
    books = Books.create(fleet, replicas, workers=WORKERS, folder=new_folder(), prefix_slots=1 << 10)
    yield books, replicas  # type: ignore[misc]
    books.close()


def test_workers_share_one_view(shared_books: tuple[Books, Sequence[Replica]]) -> None:
    books, replicas = shared_books
    processes = [start(books, replicas, worker, done=2000) for worker in range(WORKERS)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert_balanced(books)
    assert in_flight(books) == 0
    sent = int(books.live.fleet.pools.sent.sum())
    assert WORKERS * 2000 <= sent <= WORKERS * 2008
    assert books.live.fleet.pools.ended.sum() == books.live.fleet.services.ended.sum() == sent


def test_kill_9_loses_only_what_the_worker_held(shared_books: tuple[Books, Sequence[Replica]]) -> None:
    books, replicas = shared_books
    processes = [start(books, replicas, worker) for worker in range(WORKERS)]
    rng = np.random.default_rng(5)
    sent = 0
    try:
        deadline = time.monotonic() + 60
        while (books.live.workers.used == 0).any():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for turn in range(24):
            time.sleep(float(rng.uniform(0.005, 0.05)))
            worker = turn % WORKERS
            os.kill(processes[worker].pid or 0, signal.SIGKILL)
            processes[worker].join(10)
            # the others go on before anybody clears up
            with books.lock:
                assert_balanced(books)
                held = int((books.live.rows[worker].status > 0).sum())
            assert books.forget_worker(worker) == held <= 9
            with books.lock:
                assert_balanced(books)
                assert not books.live.rows[worker].status.any()
            now = int(books.live.fleet.pools.sent.sum())
            assert now > sent, "nobody is stuck"
            sent = now
            processes[worker] = start(books, replicas, worker)
    finally:
        for process in processes:
            process.kill()
            process.join(10)
    assert sum(books.forget_worker(worker) for worker in range(WORKERS)) <= 9 * WORKERS
    assert in_flight(books) == 0
    assert_balanced(books)


def test_a_change_that_was_broken_off_is_repaired_by_the_next(shared_books: tuple[Books, Sequence[Replica]]) -> None:
    books, _ = shared_books
    d = Dispatcher(books, 1)
    tickets = [d.place(0, 100, 10) for _ in range(6)]
    state = books.live.fleet
    rng = np.random.default_rng(3)
    for name in ("in_flight", "waiting", "level", "previous", "next", "backlog", "context", "closed"):
        state.replicas[name] = rng.integers(-(2**31), 2**31, len(state.replicas))
    state.keys[:] = rng.random(len(state.keys))
    state.levels.head[:] = 3
    state.level_words[:] = -1
    books.live.sites.busy_w[:] = 1e12
    # a row that was half written
    books.live.rows[0, 0] = (1, 10_000, 0, 0, 1, 1)
    books.live.workers[0].used = 1
    with pytest.raises(KeyboardInterrupt), books.lock:
        raise KeyboardInterrupt
    assert isinstance(d.place(0, 100, 10), Ticket)
    assert in_flight(books) == 7
    for ticket in tickets:
        assert isinstance(ticket, Ticket)
        d.ended(ticket, 5)
    assert books.forget_worker(0) == 1
    assert_balanced(books)


def test_limits_hold_for_all_at_once(shared_books: tuple[Books, Sequence[Replica]]) -> None:
    books, replicas = shared_books
    hands = [Dispatcher(Books.attach(books.name, books.fleet, replicas), worker) for worker in range(WORKERS)]
    books.limit_pool("a", 2)
    books.limit_pool("b", 0)
    assert [isinstance(hand.place(0, 100, 10), Ticket) for hand in hands] == [True, True, False]
    hands[0].usable(0, False)
    hands[1].usable(1, False)
    hands[2].usable(2, False)
    assert not any(hand.is_usable(0) for hand in hands)
    books.limit_pool("b", None)
    books.limit_site("here", 500.0)
    assert [hand.place(0, 100, 10) for hand in hands] == [NoPlace.FULL] * 3


def test_books_of_another_fleet_are_refused(shared_books: tuple[Books, Sequence[Replica]]) -> None:
    books, _ = shared_books
    other, replicas = make(fleet_text({"a": 3, "b": 4}))
    with pytest.raises(ValueError, match="another fleet"):
        Books.attach(books.name, other, replicas)
    with pytest.raises(FileNotFoundError):
        Books.attach(books.name + "x", other, replicas)


def test_the_name_goes_and_the_memory_stays_while_it_is_used() -> None:
    fleet, replicas = make(fleet_text())
    books = Books.create(fleet, replicas, workers=1, folder=new_folder(), prefix_slots=16)
    d = Dispatcher(Books.attach(books.name, fleet, replicas), 0)
    assert Path(books.name).stat().st_mode & 0o777 == 0o600
    Path(books.name).unlink()
    assert isinstance(d.place(0, 100, 10), Ticket)
    assert in_flight(books) == 1
    books.close()
    books.close()


def test_an_odd_number_of_prefix_slots_is_refused() -> None:
    fleet, replicas = make(fleet_text())
    with pytest.raises(ValueError, match="power of two"):
        Books.create(fleet, replicas, workers=1, folder=new_folder(), prefix_slots=1000)
