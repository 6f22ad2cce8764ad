"""Replicas far worse than their pool are ejected, but never too many of them."""

from __future__ import annotations

import asyncio

from tests.serve.backends.told import Told, backends_of, fleet_of

from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.outliers import outliers


def pool_of(
    ttfts_s: list[float], *, failing: float = 0.0, predicted_s: list[float] | None = None
) -> tuple[list[Backend], float]:
    """Replicas after a hundred requests each; the first fails `failing` of its requests.

    `predicted_s`: the TTFT that was predicted for those of each; 200 ms unless given.
    """

    async def made() -> tuple[list[Backend], float]:
        urls = [f"http://127.0.0.1:{port}" for port in range(9000, 9000 + len(ttfts_s))]
        backends = backends_of(fleet_of(pool={"urls": urls}), Told())
        predictions = predicted_s or [0.2] * len(ttfts_s)
        for backend, ttft_s, predicted in zip(backends, ttfts_s, predictions, strict=True):
            for number in range(100):
                if backend.index == 0 and number < 100 * failing:
                    backend.health.recent.add(1.0, 0.0, 1.0)
                else:
                    backend.health.recent.add(1.0, 1.0, 0.0, ttft_s, ttft_s / predicted)
        return backends, 1.0

    return asyncio.run(made())


def ejected(ttfts_s: list[float], *, failing: float = 0.0, predicted_s: list[float] | None = None) -> list[int]:
    backends, now = pool_of(ttfts_s, failing=failing, predicted_s=predicted_s)
    return [backend.index for backend, _ in outliers(backends, now)]


def test_a_replica_much_slower_than_the_others_goes() -> None:
    assert ejected([0.2, 0.2, 5.0, 0.3]) == [2]


def test_usual_differences_stay() -> None:
    assert ejected([0.2, 0.3, 0.5, 0.6]) == []
    assert ejected([0.001, 0.001, 0.1]) == []  # many times slower, but nobody feels it


def test_who_gets_the_long_prompts_is_not_the_slow_one() -> None:
    assert ejected([0.2, 0.2, 5.0, 0.2], predicted_s=[0.2, 0.2, 5.0, 0.2]) == []
    assert ejected([5.0, 5.0, 5.0], predicted_s=[5.0, 0.2, 5.0]) == [1], "as slow as the others, with less to do"


def test_requests_without_a_time_to_first_token_say_nothing_about_it() -> None:
    """A whole answer takes as long as it is long."""
    backends, now = pool_of([0.2, 0.2, 0.2])
    for _ in range(100):
        backends[1].health.ok(now, 60.0, None)
    assert list(outliers(backends, now)) == []


def test_a_replica_that_fails_more_often_than_the_others_goes() -> None:
    assert ejected([0.2, 0.2, 0.2], failing=0.4) == [0]
    assert ejected([0.2, 0.2, 0.2], failing=0.1) == []


def test_never_more_than_half_of_a_pool_and_the_worst_first() -> None:
    assert ejected([0.2, 0.2, 0.2, 4.0, 9.0, 6.0]) == [4, 5, 3]
    assert ejected([0.2, 9.0]) == [1]
    assert ejected([9.0]) == []


def test_those_already_out_count() -> None:
    backends, now = pool_of([0.2, 0.2, 9.0, 0.2])
    for backend in backends[:2]:
        backend.health.silent(now, "gone", since=now, sure=True)
    assert list(outliers(backends, now)) == []


def test_a_few_requests_say_nothing() -> None:
    backends, now = pool_of([0.2, 0.2, 9.0])
    assert list(outliers(backends, now + 120.0)) == []  # long ago


def test_the_reason_names_both_sides() -> None:
    backends, now = pool_of([0.2, 0.2, 5.0])
    assert [why for _, why in outliers(backends, now)] == [
        "first tokens after 5.00 s, 25.0 times as late as predicted; of the others of pool 1.0 times"
    ]
