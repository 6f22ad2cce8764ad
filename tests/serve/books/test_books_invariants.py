"""Whatever is done to them in whatever order, the books add up and nobody is sent where he must not go."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.books.fleets import assert_balanced, fleet_text, make
from tests.serve.new_folder import new_folder

from meritorder.fleet.dispatch import POLICIES
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import Dispatcher, NoPlace, Ticket

REPLICA = st.integers(0, 4)
OPERATION = st.one_of(
    st.tuples(
        st.just("place"),
        st.integers(0, 1),
        st.integers(0, 50_000),
        st.integers(0, 5_000),
        st.lists(REPLICA, max_size=3),
        st.integers(0, 5),
    ),
    st.tuples(st.just("answered"), st.integers(0, 1000)),
    st.tuples(
        st.just("ended"),
        st.integers(0, 1000),
        st.integers(0, 3000),
        st.integers(0, 3000),
        st.integers(0, 3000),
        st.floats(0, 100),
        st.floats(0, 100),
    ),
    st.tuples(st.just("usable"), REPLICA, st.booleans()),
    st.tuples(st.just("most"), REPLICA, st.none() | st.integers(0, 20)),
    st.tuples(st.just("foreign"), REPLICA, st.integers(0, 300), st.integers(0, 300)),
    st.tuples(st.just("limit_pool"), st.sampled_from(["a", "b"]), st.none() | st.integers(0, 6)),
    st.tuples(st.just("limit_site"), st.none() | st.floats(0, 4000)),
)


@cache
def fleet_of(policy: str):  # type: ignore[no-untyped-def]
    return make(fleet_text(policy=policy))


def apply(d: Dispatcher, operation: tuple, tickets: list[Ticket]) -> None:  # type: ignore[type-arg]
    kind, *args = operation
    books = d.books
    if kind == "place":
        service, prompt, output, avoid, text = args
        # texts that begin alike
        blocks = d.blocks((b"%d" % (text // 3) * 256 * 4)[: 256 * 4] + bytes([text]) * 256 * 3)
        before = books.snapshot()
        found = d.place(service, prompt, output, blocks, avoid)
        if isinstance(found, Ticket):
            tickets.append(found)
            there = before["replicas"][found.replica]
            pool = before["pools"][there["pool"]]
            assert there["usable"]
            assert there["open"]
            assert found.replica not in avoid
            assert there["in_flight"] - there["foreign"] < there["most"]
            assert pool["limit"] is None or pool["in_flight"] - pool["foreign"] < pool["limit"]
            assert found.ttft_s > 0
            assert found.tpot_s > 0
            assert np.isfinite([found.ttft_s, found.tpot_s]).all()
            site = books.snapshot()["sites"]["here"]
            assert site["limit_watts"] is None or site["watts"] <= site["limit_watts"] * (1 + 1e-9)
        else:
            down = [i for i, r in enumerate(before["replicas"]) if not r["usable"] or i in avoid]
            assert (found is NoPlace.DOWN) == (len(down) == 5)
    elif kind in ("answered", "ended"):
        if tickets:
            number, *rest = args
            ticket = tickets[number % len(tickets)]
            getattr(d, kind)(ticket, *rest)
            if kind == "ended":
                tickets.remove(ticket)
    elif kind.startswith("limit"):
        getattr(books, kind)(*(args if kind == "limit_pool" else ("here", *args)))
    else:
        getattr(d, kind)(*args)


@pytest.mark.parametrize("policy", list(POLICIES))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.lists(OPERATION, max_size=60))
def test_any_order_of_operations(policy: str, operations: list[tuple]) -> None:  # type: ignore[type-arg]
    fleet, replicas = fleet_of(policy)
    books = Books.create(fleet, replicas, workers=1, folder=new_folder(), prefix_slots=16)
    try:
        d = Dispatcher(books, 0)
        tickets: list[Ticket] = []
        for operation in operations:
            apply(d, operation, tickets)
        assert_balanced(books)
        # made anew from the rows, the counts are the same, and nobody is lost
        before = books.snapshot()
        with pytest.raises(RuntimeError), books.lock:
            raise RuntimeError("in the middle of a change")
        with books.lock:
            pass
        assert_balanced(books)
        after = books.snapshot()
        for name in ("replicas", "pools", "services"):
            assert _counts(after[name]) == _counts(before[name])
        for ticket in tickets:
            d.ended(ticket, 1)
        assert_balanced(books)
        assert (books.live.fleet.replicas.in_flight == books.live.foreign.in_flight).all()
    finally:
        books.close()


def _counts(rows: object) -> list[dict[str, object]]:
    listed = list(rows.values()) if isinstance(rows, dict) else list(rows)  # type: ignore[call-overload]
    return [{k: v for k, v in row.items() if isinstance(v, (int, bool, str))} for row in listed]
