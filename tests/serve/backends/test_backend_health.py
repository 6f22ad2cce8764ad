"""When a backend may be used, by what its requests and the looks at it say."""

from __future__ import annotations

import logging
import random

import pytest
from tests.serve.backends.told import Told

from meritorder.serve.backends.health import (
    EJECTED_S,
    FAILURES,
    HOLD_S,
    MISSES,
    OPEN_S,
    PAUSE_S,
    QUIET_S,
    STARTING_S,
    Health,
)

FULL = 100


class Backend:
    """A health whose clock stands still unless it is turned on; `told`: of the other workers, too."""

    def __init__(self, told: Told | None = None) -> None:
        self.told = told or Told()
        self.health = Health(self.told, 0, "pool/0", FULL)
        self.now = 1000.0
        self.health.take_over(self.now)

    @property
    def usable(self) -> bool:
        assert self.told.is_usable(0) == self.health.usable  # dispatch knows what we know
        return self.health.usable

    def after(self, seconds: float) -> Backend:
        """Turn the clock on, with ticks as often as in life."""
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            self.health.tick(self.now)
        return self

    def ok(self) -> None:
        self.health.ok(self.now, 0.2, 1.0)

    def fail(self) -> None:
        self.health.failed(self.now, "no connection")

    def answers(self) -> None:
        self.health.answered(self.now)

    def is_silent(self, *, sure: bool = False) -> None:
        self.health.silent(self.now, "nothing", since=self.now - 1.0, sure=sure)

    def opened(self) -> Backend:
        for _ in range(FAILURES):
            self.fail()
        return self


def test_it_is_used_until_something_is_known_against_it() -> None:
    backend = Backend()
    assert backend.usable
    assert backend.health.state == "up"
    assert (backend.told.use, backend.told.limit) == ({}, {}), "who starts knows nothing that others don't"


def test_failures_in_a_row_open_it() -> None:
    backend = Backend()
    for _ in range(FAILURES - 1):
        backend.fail()
    assert backend.usable
    backend.fail()
    assert (backend.usable, backend.health.state, backend.health.why) == (False, "open", "no connection")


def test_a_success_in_between_keeps_it() -> None:
    backend = Backend()
    for _ in range(5):
        backend.ok()
        backend.ok()
        backend.fail()
    assert backend.usable


def test_half_of_many_requests_failing_opens_it_though_never_in_a_row() -> None:
    backend = Backend()
    for _ in range(20):
        backend.ok()
        backend.fail()
    assert backend.health.state == "open"


def test_old_failures_are_forgotten() -> None:
    backend = Backend()
    for _ in range(4):
        backend.ok()
        backend.fail()
    backend.after(60)
    for _ in range(20):
        backend.ok()
        backend.fail()
        backend.ok()
    assert backend.usable


def test_it_stays_open_for_a_while_and_then_gets_one_request_at_a_time() -> None:
    backend = Backend().opened()
    backend.answers()  # health pages answer also where requests fail
    assert not backend.usable
    backend.after(OPEN_S).answers()
    assert (backend.usable, backend.health.state, backend.told.limit[0]) == (True, "half-open", 1)


def test_a_failed_trial_opens_it_again_for_twice_as_long() -> None:
    backend = Backend().opened().after(OPEN_S)
    backend.answers()
    backend.fail()
    assert backend.health.state == "open"
    backend.after(OPEN_S).answers()
    assert not backend.usable
    backend.after(OPEN_S).answers()
    assert backend.usable


def test_a_good_trial_starts_it_slowly() -> None:
    backend = Backend().opened().after(OPEN_S)
    backend.answers()
    backend.ok()
    assert (backend.health.state, backend.told.limit[0]) == ("starting", 1)
    limits = [backend.after(STARTING_S / 5).told.limit[0] for _ in range(4)]
    assert limits == pytest.approx([20, 40, 60, 80], abs=2)
    backend.after(STARTING_S / 5 + 0.2)
    assert (backend.health.state, backend.told.limit[0], backend.health.why) == ("up", None, "")


def test_failures_while_starting_open_it_again() -> None:
    backend = Backend().opened().after(OPEN_S)
    backend.answers()
    backend.ok()
    assert backend.after(1.0).opened().health.state == "open"


def test_without_any_request_it_does_not_stay_half_open() -> None:
    backend = Backend().opened().after(OPEN_S)
    backend.answers()
    backend.after(QUIET_S + 0.1).answers()
    assert backend.health.state == "starting"


def test_looks_without_an_answer_take_it_down_and_one_with_brings_it_back() -> None:
    backend = Backend()
    backend.answers()
    for _ in range(MISSES):
        assert backend.usable
        backend.after(2.0).is_silent()
    assert (backend.usable, backend.health.state) == (False, "down")
    backend.after(60.0).answers()
    assert (backend.usable, backend.health.state, backend.told.limit[0]) == (True, "starting", 1)


def test_where_nothing_listens_one_look_is_enough() -> None:
    backend = Backend()
    backend.answers()
    backend.after(2.0).is_silent(sure=True)
    assert backend.health.state == "down"


def test_one_that_was_never_there_is_down_at_once() -> None:
    backend = Backend()
    backend.is_silent()
    assert backend.health.state == "down"


def test_one_too_busy_for_looks_but_not_for_requests_stays() -> None:
    backend = Backend()
    for _ in range(10):
        backend.after(2.0).ok()
        backend.is_silent()
    assert backend.usable


def test_one_that_is_down_but_answers_a_request_is_back() -> None:
    backend = Backend()
    backend.is_silent()
    backend.ok()
    assert backend.health.state == "starting"


def test_retry_after_is_honoured_and_is_no_failure() -> None:
    backend = Backend()
    backend.ok()
    for _ in range(50):
        backend.health.throttled(backend.now, 7.0)
    assert (backend.usable, backend.health.state) == (False, "up")
    assert not backend.after(6.8).usable
    assert backend.after(0.4).usable
    assert backend.told.limit[0] == pytest.approx(FULL / 2, abs=4)  # it was full, not broken


def test_a_shorter_retry_after_does_not_end_a_longer_one() -> None:
    backend = Backend()
    backend.health.throttled(backend.now, 20.0)
    backend.health.throttled(backend.now, 0.0)
    assert not backend.after(19.0).usable


def test_an_absurd_retry_after_is_tried_again_sooner() -> None:
    backend = Backend()
    backend.health.throttled(backend.now, 1e9)
    assert backend.after(601.0).usable


def test_refusals_without_retry_after_pause_it_longer_and_longer() -> None:
    backend = Backend()
    for expected in (PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S):
        for _ in range(20):  # all that were under way are refused, and count once
            backend.health.throttled(backend.now, None)
        assert not backend.after(expected - 0.3).usable
        assert backend.after(0.6).usable
    backend.after(2 * STARTING_S).ok()
    backend.health.throttled(backend.now, None)
    assert backend.after(PAUSE_S + 0.3).usable


def test_retry_after_outlives_failures_of_older_requests() -> None:
    backend = Backend()
    backend.health.throttled(backend.now, 300.0)
    backend.opened().after(OPEN_S + 1.0).answers()
    assert not backend.usable
    backend.after(295.0).answers()
    assert not backend.usable
    backend.after(3.0).answers()
    assert (backend.usable, backend.health.state, backend.told.limit[0]) == (True, "half-open", 1)


def test_retry_after_outlives_a_look_without_an_answer() -> None:
    backend = Backend()
    backend.health.throttled(backend.now, 300.0)
    backend.after(2.0).is_silent(sure=True)
    backend.after(2.0).answers()
    assert not backend.usable
    assert backend.after(300.0).usable


@pytest.mark.parametrize("sure", [True, False])
def test_retry_after_of_one_that_is_open_or_down_counts(sure: bool) -> None:
    backend = Backend()
    if sure:
        backend.is_silent(sure=True)
    else:
        backend.opened()
    backend.health.throttled(backend.now, 60.0)
    backend.after(50.0).answers()
    assert not backend.usable
    backend.after(10.1).answers()
    assert backend.after(0.2).usable


def test_an_older_answer_does_not_end_a_pause() -> None:
    backend = Backend().opened().after(OPEN_S)
    backend.answers()
    backend.health.throttled(backend.now, 20.0)
    backend.ok()
    assert not backend.usable
    assert backend.after(20.2).usable


def test_a_refusal_is_told_whatever_others_have_said_since() -> None:
    """Another worker's pause has ended, ours has not: nobody may be sent there all the same."""
    backend = Backend()
    for retry_after_s in (None, 7.0, None):
        backend.health.throttled(backend.now, retry_after_s)
        assert not backend.told.use[0]
        backend.told.use[0] = True


def test_a_pause_lasts_as_long_as_the_longest_of_any_worker() -> None:
    mine = Backend()
    theirs = Backend(mine.told)
    mine.health.throttled(mine.now, 3.0)
    theirs.health.throttled(theirs.now, 9.0)
    mine.after(8.8)
    assert not mine.usable
    mine.after(0.4)
    assert mine.usable


def test_a_look_does_not_end_the_pause_of_another_worker() -> None:
    mine = Backend().opened()
    theirs = Backend(mine.told)
    theirs.health.throttled(theirs.now, 60.0)
    mine.after(OPEN_S).answers()
    assert not mine.usable
    assert mine.after(60.0).usable


def test_an_ejected_one_comes_back_slowly() -> None:
    backend = Backend()
    backend.health.eject(backend.now, "slow")
    backend.after(EJECTED_S - 1.0).answers()
    assert not backend.usable
    backend.after(1.1).answers()
    assert backend.health.state == "half-open"


def test_what_another_worker_has_found_dead_is_dead_after_one_look() -> None:
    backend = Backend()
    backend.answers()
    assert not backend.health.wants_looks
    backend.told.use[0] = False  # the other worker's
    assert backend.health.wants_looks
    backend.after(2.0).is_silent()
    assert backend.health.state == "down"


def test_another_worker_that_thinks_it_well_is_corrected() -> None:
    backend = Backend()
    backend.is_silent()
    backend.told.use[0] = True
    backend.after(2.0).is_silent()
    assert not backend.told.use[0]
    backend.told.use[0] = True
    backend.fail()
    assert not backend.told.use[0]


def test_a_worker_that_starts_leaves_what_others_found_out_as_it_is() -> None:
    first = Backend().opened()
    Backend(first.told)
    assert not first.told.use[0]
    first.after(OPEN_S).answers()
    Backend(first.told)
    assert first.told.limit[0] == 1


def test_what_a_dead_worker_kept_out_of_use_comes_back() -> None:
    dead = Backend().opened().after(1.0)
    mine = Backend(dead.told)
    mine.now = dead.now
    mine.after(1.0).answers()
    assert not mine.told.use[0], "it might be alive"
    mine.after(HOLD_S).answers()
    assert (mine.usable, mine.health.state, mine.told.limit[0]) == (True, "starting", 1)


def test_what_a_living_worker_keeps_out_of_use_stays_there() -> None:
    theirs = Backend().opened()
    mine = Backend(theirs.told)
    for _ in range(5):
        theirs.after(HOLD_S - 0.5)
        mine.after(HOLD_S - 0.5).answers()
        assert not mine.told.use[0]


@pytest.mark.parametrize(("left", "state"), [(1, "half-open"), (40, "starting")])
def test_limits_that_a_dead_worker_left_are_lifted_by_the_next(left: int, state: str) -> None:
    told = Told()
    told.limit[0] = left
    backend = Backend(told)
    assert (backend.health.state, told.limit[0]) == (state, left)
    backend.ok()
    backend.after(STARTING_S + 0.2)
    assert (backend.health.state, told.limit[0]) == ("up", None)


def test_what_its_cache_held_is_forgotten_when_it_goes_down() -> None:
    backend = Backend().opened()
    assert backend.told.forgotten == [], "errors do not empty a cache"
    backend.is_silent(sure=True)
    backend.is_silent(sure=True)
    assert backend.told.forgotten == [0]


def test_changes_of_state_are_logged_with_their_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "meritorder.backends"):
        Backend().opened()
    assert caplog.messages == ["backend pool/0 is open: no connection"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_dispatch_knows_and_a_good_backend_comes_back(seed: int) -> None:
    dice = random.Random(seed)
    backend = Backend()
    for _ in range(500):
        what = dice.randrange(7)
        if what == 0:
            backend.ok()
        elif what == 1:
            backend.fail()
        elif what == 2:
            backend.health.throttled(backend.now, dice.choice([None, 0.0, 3.0]))
        elif what == 3:
            backend.answers()
        elif what == 4:
            backend.is_silent(sure=dice.random() < 0.5)
        elif what == 5:
            backend.health.eject(backend.now, "slow")
        backend.after(dice.choice([0.0, 0.3, 2.0]))
        limit = backend.told.limit.get(0)
        assert not backend.usable or limit is None or 1 <= limit <= FULL
        assert backend.usable or backend.health.why or backend.health.paused_until
    for _ in range(100):
        backend.after(1.0).answers()
        if backend.usable:
            backend.ok()
    assert (backend.usable, backend.health.state, backend.told.limit.get(0)) == (True, "up", None)
