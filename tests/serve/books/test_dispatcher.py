"""What a worker may count on when it places requests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.serve.books.fleets import assert_balanced, fleet_text, in_flight, make, make_books

from meritorder.dispatch import reasons
from meritorder.fleet.dispatch import POLICIES
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import BLOCK_TOKENS, Dispatcher, NoPlace, Ticket

CHAT, BATCH = 0, 1
POLICY = pytest.mark.parametrize("policy", list(POLICIES))


def hand(text: str | None = None) -> tuple[Books, Dispatcher]:
    books = make_books(text)
    return books, Dispatcher(books, 0)


def placed(d: Dispatcher, service: int = CHAT, prompt: int = 200, output: int = 50, **more: object) -> Ticket:
    found = d.place(service, prompt, output, **more)  # type: ignore[arg-type]
    assert isinstance(found, Ticket), found
    return found


@POLICY
def test_placed_answered_and_ended_leaves_nothing_behind(policy: str) -> None:
    books, d = hand(fleet_text(policy=policy))
    tickets = [placed(d, service=i % 2) for i in range(20)]
    assert in_flight(books) == 20
    assert_balanced(books)
    for t in tickets[::2]:
        d.answered(t)
        d.answered(t)
    assert_balanced(books)
    for t in tickets:
        d.ended(t, 40)
        d.ended(t, 40)
    assert in_flight(books) == 0
    assert_balanced(books)
    assert books.live.sites.busy_w.sum() == pytest.approx(0.0, abs=1e-9)


@POLICY
def test_a_replica_that_is_down_or_avoided_is_not_chosen(policy: str) -> None:
    books, d = hand(fleet_text(policy=policy))
    for down in range(4):
        d.usable(down, False)
        assert placed(d).replica > down
    assert d.place(CHAT, 200, 50, avoid=[4]) is NoPlace.DOWN
    d.usable(4, False)
    assert d.place(CHAT, 200, 50) is NoPlace.DOWN
    assert not d.room(CHAT)
    d.usable(2, True)
    assert placed(d).replica == 2
    assert placed(d, avoid=[0]).replica == 2
    assert_balanced(books)


@POLICY
def test_full_replicas_get_no_more(policy: str) -> None:
    books, d = hand(fleet_text(policy=policy))
    for replica in range(5):
        d.most(replica, 2)
    tickets = [placed(d) for _ in range(10)]
    assert sorted(t.replica for t in tickets) == sorted([*range(5)] * 2)
    assert d.place(CHAT, 200, 50) is NoPlace.FULL
    assert not d.room(CHAT)
    d.ended(tickets[3], 10)
    assert d.room(CHAT)
    assert placed(d).replica == tickets[3].replica
    assert d.place(CHAT, 200, 50) is NoPlace.FULL
    d.most(1, None)
    assert placed(d).replica == 1
    assert_balanced(books)


def test_by_default_a_replica_gets_what_it_runs_and_a_quarter_more() -> None:
    _, d = hand(fleet_text({"a": 1}))
    for _ in range(10):
        placed(d)
    assert d.place(CHAT, 200, 50) is NoPlace.FULL


def test_what_is_lowered_takes_effect_without_recalling_anybody() -> None:
    books, d = hand(fleet_text({"a": 1}))
    tickets = [placed(d) for _ in range(4)]
    d.most(0, 2)
    for t in tickets[:2]:
        d.ended(t, 5)
        assert d.place(CHAT, 200, 50) is NoPlace.FULL
    d.ended(tickets[2], 5)
    assert placed(d).replica == 0
    assert_balanced(books)


@POLICY
def test_a_pool_at_its_limit_is_left_out(policy: str) -> None:
    books, d = hand(fleet_text(policy=policy))
    books.limit_pool("a", 3)
    books.limit_pool("b", 2)
    tickets = [placed(d) for _ in range(5)]
    assert [t.pool for t in tickets].count(0) == 3
    assert d.place(CHAT, 200, 50) is NoPlace.FULL
    books.limit_pool("b", None)
    assert placed(d).pool == 1
    with pytest.raises(KeyError):
        books.limit_pool("z", 1)


def test_the_limit_of_a_pool_in_the_file_holds_from_the_start() -> None:
    _, d = hand(fleet_text({"a": 2}, more="max_in_flight: 1"))
    placed(d)
    assert d.place(CHAT, 200, 50) is NoPlace.FULL


def test_a_request_that_seems_too_long_is_placed_all_the_same() -> None:
    _, d = hand()
    t = placed(d, prompt=10**9, output=10**9)
    assert math.isfinite(t.ttft_s)
    assert math.isfinite(t.tpot_s)
    assert placed(d, prompt=0, output=0).cached == 0


def test_overload_is_shed_only_where_the_service_says_so() -> None:
    text = fleet_text().replace("token_rate: 5 tok/s}", "token_rate: 5 tok/s}, overload: shed").replace("2 s", "1 us")
    _, d = hand(text)
    assert d.place(CHAT, 200, 50) is NoPlace.SHED
    assert isinstance(d.place(BATCH, 200, 50), Ticket)


def test_hashes_stand_for_all_text_up_to_their_end() -> None:
    _, d = hand()
    text = bytes(range(256)) * 6
    blocks = d.blocks(text)
    assert len(blocks) == 6
    assert len(set(blocks.tolist())) == 6
    assert (d.blocks(text + b"tail") == blocks).all()
    assert (d.blocks(text[:1024]) == blocks[:4]).all()
    for at in (0, 255, 256, 700):
        other = bytearray(text)
        other[at] ^= 1
        changed = d.blocks(bytes(other))
        assert (changed[: at // 256] == blocks[: at // 256]).all()
        assert not (changed[at // 256 :] == blocks[at // 256 :]).any()
    assert len(d.blocks(b"short")) == 0


@pytest.mark.parametrize("policy", ["merit-order", "prefix-affinity"])
def test_text_goes_back_to_where_its_beginning_was_sent(policy: str) -> None:
    _, d = hand(fleet_text({"a": 5}, policy=policy))
    text = np.random.default_rng(1).bytes(256 * 20)
    first = placed(d, prompt=1300, blocks=d.blocks(text))
    assert first.cached == 0
    d.ended(first, 1)
    for _ in range(3):
        placed(d, prompt=300)
    again = placed(d, prompt=1300, blocks=d.blocks(text[: 256 * 15] + b"else" * 300))
    assert again.replica == first.replica
    assert again.cached == 15 * BLOCK_TOKENS
    d.usable(first.replica, False)
    assert placed(d, prompt=1300, blocks=d.blocks(text)).cached == 0


def test_a_replica_that_has_lost_its_cache_is_believed_to_have_nothing() -> None:
    _, d = hand(fleet_text({"a": 2}))
    rng = np.random.default_rng(3)
    old, new = d.blocks(rng.bytes(256 * 10)), d.blocks(rng.bytes(256 * 10))
    first = placed(d, prompt=650, blocks=old)
    other = placed(d, prompt=650, blocks=new, avoid=[first.replica])
    d.forget(first.replica)
    assert placed(d, prompt=650, blocks=old).cached == 0
    assert placed(d, prompt=650, blocks=old).cached == 10 * BLOCK_TOKENS, "it has it again"
    again = placed(d, prompt=650, blocks=new)
    assert (again.replica, again.cached) == (other.replica, 10 * BLOCK_TOKENS), "the other one lost nothing"


def test_how_long_a_replica_is_kept_out_of_use_is_known_to_all() -> None:
    text = fleet_text()
    books = make_books(text, workers=2)
    first, second = Dispatcher(books, 0), Dispatcher(Books.attach(books.name, books.fleet, make(text)[1]), 1)
    assert second.held_until(3) == 0.0
    first.hold(3, 70.0)
    second.hold(3, 50.0)
    assert [d.held_until(3) for d in (first, second)] == [70.0, 70.0]
    first.most(3, 2)
    assert (second.admits(3), second.admits(2)) == (2, 10)


def test_an_unknown_text_never_looks_cached() -> None:
    """The table is small and full: a hash that shares a place with another one is still told apart."""
    _, d = hand(fleet_text({"a": 3}))
    rng = np.random.default_rng(2)
    for _ in range(60):
        t = placed(d, prompt=5000, blocks=d.blocks(rng.bytes(256 * 200)))
        assert t.cached == 0
        d.ended(t, 1)


def test_a_slow_replica_is_seen_to_be_slow() -> None:
    books, d = hand(fleet_text({"a": 2}, policy="latency-predicted"))
    for _ in range(60):
        t = placed(d, avoid=[1])
        d.ended(t, 50, ttft_s=3 * t.ttft_s / t.speed, tpot_s=3 * t.tpot_s / t.speed)
    assert books.live.fleet.replicas.speed[0] == pytest.approx(3.0, rel=0.05)
    slow, fast = placed(d, avoid=[1]), placed(d, avoid=[0])
    assert slow.tpot_s == pytest.approx(3 * fast.tpot_s, rel=0.05)
    d.ended(slow, 1)
    d.ended(fast, 1)
    assert [placed(d).replica for _ in range(3)] == [1, 1, 1]
    assert_balanced(books)


@pytest.mark.parametrize(
    ("ttft", "tpot"), [(1e9, 1e9), (1e-9, 0.0), (0.0, 1e-9), (0.0, 0.0), (math.inf, 1.0), (-1, -1)]
)
def test_no_observation_moves_the_speed_out_of_its_bounds(ttft: float, tpot: float) -> None:
    books, d = hand(fleet_text({"a": 1}))
    for _ in range(200):
        t = placed(d)
        d.ended(t, 10, ttft_s=ttft, tpot_s=tpot)
    assert 1 / 8 <= books.live.fleet.replicas.speed[0] <= 8
    assert_balanced(books)


def test_foreign_load_counts_when_it_lasts() -> None:
    books, d = hand(fleet_text({"a": 2}, policy="least-request"))
    d.foreign(0, running=4, waiting=2)
    assert in_flight(books) == 0, "one reading may be of requests that have ended since"
    d.foreign(0, running=4, waiting=1)
    assert in_flight(books) == 5
    assert_balanced(books)
    assert [placed(d).replica for _ in range(4)] == [1, 1, 1, 1]
    shown = books.snapshot()["replicas"][0]
    assert (shown["foreign"], shown["in_flight"], shown["waiting"]) == (5, 5, 1)
    d.foreign(0, running=0, waiting=0)
    assert_balanced(books)
    assert placed(d).replica == 0


def test_our_own_requests_are_not_foreign() -> None:
    books, d = hand(fleet_text({"a": 1}))
    tickets = [placed(d) for _ in range(6)]
    for _ in range(3):
        d.foreign(0, running=4, waiting=2)
    assert in_flight(books) == 6
    for t in tickets:
        d.ended(t, 5)
    assert in_flight(books) == 0
    assert_balanced(books)


def test_foreign_requests_take_seats_but_not_from_the_pools_limit() -> None:
    books, d = hand(fleet_text({"a": 1}))
    books.limit_pool("a", 2)
    for _ in range(2):
        d.foreign(0, running=8, waiting=0)
    assert isinstance(d.place(CHAT, 200, 50), Ticket)
    assert isinstance(d.place(CHAT, 200, 50), Ticket)
    assert d.place(CHAT, 200, 50) is NoPlace.FULL


@POLICY
def test_no_request_takes_a_site_above_its_power(policy: str) -> None:
    books, d = hand(fleet_text(policy=policy))
    idle = 500.0
    for limit in (900.0, 1500.0, 700.0):
        books.limit_site("here", limit)
        tickets = []
        while isinstance(found := d.place(CHAT, 200, 50), Ticket):
            tickets.append(found)
            assert books.snapshot()["sites"]["here"]["watts"] <= limit
        assert found is NoPlace.FULL
        assert tickets or limit < idle + 400, "there was power for at least one"
        for t in tickets:
            d.ended(t, 50)
    books.limit_site("here", None)
    assert len([placed(d) for _ in range(40)]) == 40
    assert_balanced(books)


def test_scarce_power_fills_the_replicas_that_already_work() -> None:
    """least-request would wake every replica; within the limit only one can work, and it gets them all."""
    books, d = hand(fleet_text({"a": 4}, policy="least-request"))
    first = placed(d)
    watts = books.snapshot()["sites"]["here"]["watts"]
    books.limit_site("here", watts + 60)
    more = [placed(d) for _ in range(5)]
    assert {t.replica for t in more} == {first.replica}
    assert all(t.reason == reasons.LEAST_POWER for t in more)


def test_a_site_whose_idle_power_is_too_much_gets_nothing() -> None:
    _, d = hand(fleet_text(site=", power_limit: 400 W"))
    assert d.place(CHAT, 200, 50) is NoPlace.FULL
    assert not d.room(CHAT)


def test_what_a_request_cost() -> None:
    text = fleet_text({"a": 1}, more="usd_per_mtok_prompt: 2\n    usd_per_mtok_output: 10")
    _, d = hand(text)

    def cost(cached: int, output: int) -> tuple[float, float, float]:
        t = placed(d, prompt=1000, output=100)
        d.answered(t)
        return d.ended(t, output, 1000, cached)

    joules, usd, kg = cost(0, 100)
    facility_kwh = 1.2 * joules / 3.6e6
    assert 100 < joules < 5000
    assert kg == pytest.approx(facility_kwh * 0.3)
    assert usd == pytest.approx(facility_kwh * 0.08 + 1000 * 2e-6 + 100 * 10e-6)
    assert cost(900, 100)[0] < joules
    assert cost(0, 200)[0] > joules


def test_a_metered_price_makes_a_pool_dearer() -> None:
    _, d = hand()
    assert placed(d).pool == 0
    _, d = hand(fleet_text().replace("  a:\n", "  a:\n    usd_per_mtok_output: 50\n"))
    assert placed(d).pool == 1


def test_a_worker_holds_no_more_than_its_rows() -> None:
    text = fleet_text() + "gateway: {limits: {connections: 3}}\n"
    _, d = hand(text)
    for _ in range(6):
        placed(d)
    assert d.place(CHAT, 200, 50) is NoPlace.FULL


def test_a_worker_that_is_none() -> None:
    books, _ = hand()
    with pytest.raises(ValueError, match="worker 1 of 1"):
        Dispatcher(books, 1)
