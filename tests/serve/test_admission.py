"""Who waits, who is next, and who has to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.serve.admission import Admission
from meritorder.serve.errors import Refused

MACHINE = "{host_s: 0.01, idle_w: 1, busy_w: 2, kv_tokens: 9999, usd_per_hour: 1}"
SHAPE = "{layers: 2, hidden: 64, heads: 2, kv_heads: 2, head_dim: 32, ffn: 128, vocab: 1000, max_context: 4096}"


def fleet(services: str) -> Fleet:
    return loads(
        f"""
models: {{small: {SHAPE}, other: {SHAPE}}}
sites: {{here: {{usd_per_kwh: 0.1, kg_per_kwh: 0.1}}}}
pools:
  a: {{site: here, model: small, replicas: 1, measured: {MACHINE}}}
  b: {{site: here, model: small, replicas: 1, measured: {MACHINE}}}
  c: {{site: here, model: other, replicas: 1, measured: {MACHINE}}}
services:
{services}
"""
    )


THREE = """
  low: {model: small, share: 0.2, priority: 9, live: {queue: {most: 10, time: 30 s}}}
  high: {model: small, share: 0.2, priority: 0, live: {queue: {most: 10, time: 30 s}}}
  apart: {model: other, share: 0.2, priority: 5, live: {queue: {most: 10, time: 30 s}}}
"""
LOW, HIGH, APART = 0, 1, 2


class Hall:
    """Places for requests, and the waiters in front of them."""

    def __init__(self, services: str = THREE) -> None:
        self.now = 100.0
        self.admission = Admission(fleet(services), clock=lambda: self.now, room=self._room)
        self.places: Counter[int] = Counter()  # free, by service; -1: for any
        self.tried = 0
        self.placed: list[Waiting] = []
        self.refused: list[Waiting] = []

    def wait(
        self, service: int = LOW, tenant: str = "t", tokens: float = 100, *, stuck: bool = False, first: bool = False
    ) -> Waiting:
        """`stuck`: no place is fit for it."""
        waiter = Waiting(self, service, tenant, tokens)
        waiter.stuck = stuck
        self.admission.wait(waiter, first=first)
        return waiter

    def _room(self, service: int) -> bool:
        return bool(self.places[service] + self.places[-1])

    def free(self, places: int, service: int = -1) -> None:
        self.places[service] += places
        self.admission.pump()

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.admission.tick(self.now)

    def waiting(self) -> int:
        return sum(self.admission.waiting(service) for service in range(3))


class Waiting:
    def __init__(self, hall: Hall, service: int, tenant: str, tokens: float) -> None:
        self.hall, self.service, self.tenant, self.tokens = hall, service, tenant, tokens
        self.error: Refused | None = None
        self.stuck = False
        self.on_start: Callable[[], None] = lambda: None

    def start(self) -> bool:
        assert self not in self.hall.placed
        assert self.error is None
        self.hall.tried += 1
        for kind in (self.service, -1):
            if self.hall.places[kind] and not self.stuck:
                self.hall.places[kind] -= 1
                self.hall.placed.append(self)
                self.on_start()
                return True
        return False

    def refuse(self, error: Refused) -> None:
        assert self not in self.hall.placed
        assert self.error is None
        self.error = error
        self.hall.refused.append(self)


def test_first_come_first_served() -> None:
    hall = Hall()
    waiters = [hall.wait() for _ in range(5)]
    hall.free(3)
    assert hall.placed == waiters[:3]
    hall.free(9)
    assert hall.placed == waiters
    assert hall.places[-1] == 7, "nobody is let in twice"


def test_the_important_go_first() -> None:
    hall = Hall()
    low, high = [hall.wait(LOW) for _ in range(2)], [hall.wait(HIGH) for _ in range(2)]
    hall.free(3)
    assert hall.placed == [*high, low[0]]


def test_who_finds_no_place_does_not_block_the_others() -> None:
    hall = Hall()
    hall.wait(HIGH)
    low = hall.wait(LOW)
    hall.free(1, LOW)
    assert hall.placed == [low]


def test_who_finds_no_place_does_not_block_those_behind() -> None:
    hall = Hall()
    stuck = hall.wait(stuck=True)
    others = [hall.wait(), hall.wait(tenant="other"), hall.wait(tenant="other")]
    hall.free(2)
    assert set(hall.placed) == {others[0], others[1]}, "of both tenants, in turn"
    hall.free(1)
    assert hall.placed[-1] is others[2]
    stuck.stuck = False
    late = hall.wait()
    hall.free(1)
    assert hall.placed[-1] is stuck, "it has kept its place in front"
    hall.free(1)
    assert hall.placed[-1] is late


def test_one_tenant_with_many_that_find_no_place_does_not_stop_the_others() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 1000"))
    for _ in range(200):
        hall.wait(tenant="long", stuck=True)
    other = hall.wait(tenant="short")
    hall.free(1)
    assert hall.placed == [other]


def test_many_that_find_no_place_are_looked_past_in_time_but_never_all_at_once() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 10000"))
    for _ in range(50):
        hall.wait(stuck=True)
    short = hall.wait()
    hall.free(1)
    assert hall.tried < 10
    hall.tick(0.05)
    assert hall.placed == [short]
    for tenant in range(5000):
        hall.wait(tenant=str(tenant), stuck=True)
    hall.tried = 0
    hall.free(1)
    assert hall.tried < 10
    hall.tick(0.05)
    assert hall.tried < 300


def test_where_nothing_is_free_nobody_else_is_tried() -> None:
    hall = Hall()
    for tenant in range(10):
        hall.wait(tenant=str(tenant))
    hall.free(0)
    assert hall.tried == 1


def test_who_was_let_in_before_goes_first() -> None:
    hall = Hall()
    high, low = hall.wait(HIGH), hall.wait(LOW)
    again = [hall.wait(LOW, first=True), hall.wait(LOW, first=True)]
    assert hall.admission.ahead(LOW) == 4
    assert hall.admission.waiting(LOW) == 3
    hall.free(1)
    assert hall.placed == again[:1]
    hall.free(9)
    assert hall.placed == [*again, high, low]
    assert hall.admission.ahead(LOW) == 0


def test_who_was_let_in_before_is_never_refused() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 1"))
    again = [hall.wait(LOW, first=True) for _ in range(5)]
    new = hall.wait(LOW)
    assert new.error is None, "it is the only one that is new"
    hall.wait(HIGH)
    assert hall.refused == [new]
    hall.tick(1000)
    hall.free(9)
    assert hall.placed == again


def test_who_was_let_in_before_may_leave_and_blocks_nobody() -> None:
    hall = Hall()
    gone, stuck, again = hall.wait(first=True), hall.wait(first=True, stuck=True), hall.wait(first=True)
    hall.admission.leave(gone)
    new = hall.wait()
    hall.free(9)
    assert hall.placed == [again, new]
    hall.admission.leave(stuck)
    assert hall.waiting() == 0


def test_services_of_one_class_take_turns() -> None:
    even = "  a: {model: small, share: 0.1}\n  b: {model: small, share: 0.1}\n  c: {model: small, share: 0.1}\n"
    hall = Hall(even)
    for service in range(3):
        for _ in range(40):
            hall.wait(service)
    for _ in range(30):
        hall.free(1)
    assert Counter(waiter.service for waiter in hall.placed) == {0: 10, 1: 10, 2: 10}


def test_tenants_share_by_tokens_not_by_requests() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 1000"))
    for _ in range(200):
        hall.wait(tenant="big", tokens=1000)
        hall.wait(tenant="small", tokens=100)
    hall.free(110)
    served = Counter(waiter.tenant for waiter in hall.placed)
    assert served["small"] == pytest.approx(100, abs=2)
    assert served["big"] == pytest.approx(10, abs=2)


def test_a_flood_of_one_tenant_does_not_hold_up_another() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 1000"))
    for _ in range(500):
        hall.wait(tenant="flood")
    late = hall.wait(tenant="late")
    hall.free(2)
    assert late in hall.placed


def test_nobody_saves_up_turns_by_staying_away() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 1000"))
    hall.wait(tenant="away")
    for _ in range(300):
        hall.wait(tenant="steady")
    hall.free(200)
    for _ in range(100):
        hall.wait(tenant="away")
    before = len(hall.placed)
    hall.free(20)
    assert Counter(waiter.tenant for waiter in hall.placed[before:]) == {"away": 10, "steady": 10}


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 1000)), min_size=50, max_size=300))
def test_no_tenant_that_waits_all_the_time_gets_less_than_its_part(asked: list[tuple[int, int]]) -> None:
    """Of two tenants that both wait throughout, neither gets ahead by more than their largest two requests."""
    hall = Hall(THREE.replace("most: 10", "most: 1000"))
    for tenant, tokens in asked:
        hall.wait(tenant=str(tenant), tokens=tokens)
    left = Counter(str(tenant) for tenant, _ in asked)
    got: Counter[str] = Counter()
    while hall.waiting() and all(left.values()):
        hall.free(1)
        waiter = hall.placed[-1]
        left[waiter.tenant] -= 1
        got[waiter.tenant] += int(waiter.tokens)
        if all(left.values()):
            assert max(got[name] for name in left) - min(got[name] for name in left) <= 2000


def test_a_full_queue_refuses_whose_tenant_has_most() -> None:
    hall = Hall()
    flood = [hall.wait(tenant="flood") for _ in range(10)]
    modest = hall.wait(tenant="modest")
    assert hall.refused == [flood[-1]]
    assert modest.error is None
    another = hall.wait(tenant="flood")
    assert another.error is not None
    assert (another.error.status, another.error.code) == (429, "overloaded")
    assert hall.waiting() == 10


def test_overload_sheds_the_least_important_first() -> None:
    hall = Hall()
    low = [hall.wait(LOW) for _ in range(10)]
    apart = [hall.wait(APART) for _ in range(10)]
    high = [hall.wait(HIGH) for _ in range(10)]
    assert {id(waiter) for waiter in hall.refused} == {id(waiter) for waiter in low}
    hall.wait(HIGH)
    assert hall.refused[-1].service == HIGH, "only then"
    hall.wait(LOW)
    assert hall.refused[-1].service == LOW
    assert not [waiter for waiter in (*apart, *high[:9]) if waiter.error], "other pools are another matter"


def test_no_queue_at_all() -> None:
    hall = Hall(THREE.replace("most: 10", "most: 0"))
    assert hall.wait().error is not None
    hall.free(1)
    assert hall.placed == []


def test_the_longest_wait() -> None:
    hall = Hall()
    first = hall.wait()
    hall.tick(20)
    second = hall.wait()
    hall.tick(9.9)
    assert hall.refused == []
    hall.tick(0.2)
    assert hall.refused == [first]
    hall.tick(20)
    assert hall.refused == [first, second]
    assert hall.waiting() == 0


def test_retry_after_is_how_long_the_queue_takes() -> None:
    hall = Hall()
    for _ in range(400):  # ten waiting, two a second let in, for 20 s
        while hall.waiting() < 10:
            hall.wait()
        hall.now += 0.5
        hall.free(1)
    while hall.waiting() < 10:
        hall.wait()
    error = hall.wait().error
    assert error is not None
    assert error.retry_after_s == pytest.approx(11 / 2, rel=0.1)


def test_pauses_do_not_count_in_how_fast_it_goes() -> None:
    hall = Hall()
    for _ in range(20):
        waiters = [hall.wait() for _ in range(5)]
        for _ in waiters:
            hall.now += 0.5
            hall.free(1)
        hall.now += 60
    for _ in range(10):
        hall.wait()
    error = hall.wait().error
    assert error is not None
    assert error.retry_after_s == pytest.approx(11 / 2, rel=0.3)


def test_where_nothing_goes_it_says_the_longest_wait() -> None:
    hall = Hall()
    for _ in range(11):
        hall.wait()
    assert hall.refused[0].error is not None
    assert hall.refused[0].error.retry_after_s == 30


def test_the_gone_are_forgotten() -> None:
    hall = Hall()
    waiters = [hall.wait(tenant=str(i)) for i in range(6)]
    for waiter in (waiters[0], waiters[3], waiters[3], waiters[5]):
        hall.admission.leave(waiter)
    assert hall.waiting() == 3
    again = hall.wait(tenant="0")
    hall.free(9)
    assert sorted(map(id, hall.placed)) == sorted(map(id, [waiters[1], waiters[2], waiters[4], again]))
    hall.admission.leave(again)
    assert hall.waiting() == 0


def test_room_that_comes_from_elsewhere_is_found() -> None:
    hall = Hall()
    waiter = hall.wait()
    hall.places[-1] += 1
    hall.tick(0.05)
    assert hall.placed == [waiter]


def test_who_must_not_be_overtaken() -> None:
    hall = Hall()
    hall.wait(LOW)
    assert [hall.admission.ahead(service) for service in (LOW, HIGH, APART)] == [1, 0, 0]
    hall.wait(HIGH)
    assert [hall.admission.ahead(service) for service in (LOW, HIGH, APART)] == [2, 1, 0]


def test_things_that_happen_while_one_is_started() -> None:
    """A request that is answered can bring the next one of its connection at once, and end others."""
    hall = Hall()
    waiters = [hall.wait(tenant=str(i % 3)) for i in range(10)]

    def busy() -> None:
        hall.admission.leave(waiters[0])
        hall.admission.leave(waiters[1])
        hall.wait(LOW, tenant="0")
        hall.wait(HIGH, tenant="new")
        hall.admission.pump()

    waiters[0].on_start = busy
    hall.free(1)
    assert hall.placed == [waiters[0]]
    assert hall.waiting() == 10
    assert hall.admission.ahead(LOW) == 10
    hall.free(50)
    assert len(hall.placed) == 11
    assert hall.waiting() == 0


@given(st.lists(st.tuples(st.sampled_from("wwwWsSlft"), st.integers(0, 2), st.integers(0, 3)), max_size=200))
def test_nobody_is_lost(actions: list[tuple[str, int, int]]) -> None:
    """Whatever happens, everyone is waiting, placed, refused or gone, and only one of these."""
    hall, all_, gone = Hall(), [], set()
    for action, service, tenant in actions:
        if action in "wWsS":
            all_.append(hall.wait(service, str(tenant), stuck=action in "sS", first=action in "WS"))
        elif action == "l" and all_:
            waiter = all_[(7 * service + tenant) % len(all_)]
            if waiter not in hall.placed and waiter not in hall.refused:
                gone.add(waiter)
            hall.admission.leave(waiter)
        elif action == "f":
            hall.free(tenant)
        elif action == "t":
            hall.tick(4.0 * tenant)
    assert len(hall.placed) + len(hall.refused) + len(gone) + hall.waiting() == len(all_)
    assert hall.admission._waiting == hall.waiting()
    for waiter in all_:
        waiter.stuck = False
    hall.free(1000)
    assert hall.waiting() == 0
    assert len(hall.placed) + len(hall.refused) + len(gone) == len(all_)
