"""Who is let in, how much, and what becomes of it when the database is not there."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from key_database import Postgres

from meritorder.fleet.schema import Fleet
from meritorder.serve.doors import doors as doors_module
from meritorder.serve.doors.caller import ANYONE, Caller
from meritorder.serve.doors.doors import Doors
from meritorder.serve.doors.secrets import shown_digest
from meritorder.serve.doors.store import Store
from meritorder.serve.doors.tally import Tally
from meritorder.serve.errors import Refused

CHAT, BATCH = 0, 1


def shown(**headers: str) -> bytes | None:
    """What the doors see of a request."""
    return shown_digest([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()])


class House:
    """Doors with a clock that stands still until it is moved."""

    def __init__(self, fleet: Fleet, store: Store, tally: Tally | None = None) -> None:
        self.now = 600.0
        self.store = store
        self.doors = Doors(fleet, store, clock=lambda: self.now, tally=tally)

    def key(self, **fields: Any) -> Caller:
        """The caller of a new key."""
        secret = self.store.create({"name": "ada", **fields})["key"]
        self.sync()
        return self.enter(secret)

    def enter(self, secret: str) -> Caller:
        return self.doors.enter(shown(authorization=f"Bearer {secret}"))

    def sync(self) -> None:
        asyncio.run(self.doors.sync())

    def allow(self, caller: Caller, tokens: int = 10, service: int = CHAT, model: str = "small") -> None:
        self.doors.allow(caller, service, tokens, model)


@pytest.fixture
def house(fleet_of: Callable[..., Fleet], tmp_path: Path) -> House:
    return House(fleet_of(), Store("sqlite:///keys.db", tmp_path))


def refused(call: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as told:
        call()
    return told.value


def test_without_keys_anyone_comes_in(fleet_of: Callable[..., Fleet]) -> None:
    doors = Doors(fleet_of(gateway="{}"), None, clock=lambda: 0.0)
    caller = doors.enter(shown(authorization="Bearer whatever"))
    assert caller is ANYONE
    doors.allow(caller, CHAT, 10**9, "small")
    doors.charge(caller, 10, 10, 1.0)
    asyncio.run(asyncio.wait_for(doors.run(), 5))


def test_the_key_may_come_as_openai_or_anthropic_send_it(house: House) -> None:
    secret = house.store.create({"name": "ada"})["key"]
    house.sync()
    for headers in (
        {"authorization": f"Bearer {secret}"},
        {"authorization": f"bearer  {secret} "},
        {"x_api_key": secret},
    ):
        assert house.doors.enter(shown(**headers)).name == "ada"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer merit-wrong"},
        {"x_api_key": ""},
        {"x_api_key": "\xff\x00"},
        {"authorization": "Bearer " + "x" * 100_000},
    ],
)
def test_strangers_are_told_so_and_nothing_else(house: House, headers: dict[str, str]) -> None:
    house.sync()
    error = refused(lambda: house.doors.enter(shown(**headers)))
    assert error.status == 401
    assert "wrong" not in error.message


def test_part_of_a_secret_or_its_hash_opens_nothing(house: House) -> None:
    secret = house.store.create({"name": "ada"})["key"]
    house.sync()
    assert house.enter(secret)
    for wrong in (secret[:-1], secret + "x", secret.lower(), secret.removeprefix("merit-")):
        assert refused(lambda wrong=wrong: house.enter(wrong)).status == 401


def test_a_caller_tells_no_secret(house: House) -> None:
    caller = house.key()
    assert caller.id in repr(caller)
    assert "merit-" not in repr(caller)


def test_revoked_rotated_and_expired_keys(house: House) -> None:
    made = house.store.create({"name": "ada", "lifetime_s": 3600})
    short = house.store.create({"name": "bob", "lifetime_s": 0.2})
    house.sync()
    before = house.enter(made["key"])
    house.enter(short["key"])
    rotated = house.store.rotate("ada", grace_s=0.2)
    house.sync()
    assert house.enter(made["key"]) is house.enter(rotated["key"]) is before
    time.sleep(0.25)
    house.sync()
    for secret in (made["key"], short["key"]):
        assert refused(lambda secret=secret: house.enter(secret)).status == 401
    house.store.revoke(made["id"])
    house.sync()
    assert refused(lambda: house.enter(rotated["key"])).code == "invalid_api_key"


def test_scopes(house: House) -> None:
    caller = house.key(services=["batch"], models=["small"])
    house.allow(caller, service=BATCH)
    error = refused(lambda: house.allow(caller, service=CHAT))
    assert (error.status, error.code) == (403, "service_not_allowed")
    error = refused(lambda: house.allow(caller, service=BATCH, model="large"))
    assert (error.status, error.param) == (403, "model")


def test_requests_a_minute(house: House) -> None:
    caller = house.key(rpm=3)
    for _ in range(3):
        house.allow(caller)
    error = refused(lambda: house.allow(caller))
    assert error.status == 429
    house.now += error.retry_after_s - 0.1
    assert refused(lambda: house.allow(caller)).status == 429, "not earlier than was said"
    house.now += 0.2
    house.allow(caller)


def test_refused_requests_do_not_count(house: House) -> None:
    caller = house.key(rpm=2, tpm=100)
    house.allow(caller, tokens=90)
    for _ in range(50):
        assert refused(lambda: house.allow(caller, tokens=90)).status == 429
    house.allow(caller, tokens=10)


def test_tokens_a_minute_are_settled_at_the_end(house: House) -> None:
    caller = house.key(tpm=1000)
    house.allow(caller, tokens=900)
    assert refused(lambda: house.allow(caller, tokens=200)).status == 429
    house.doors.charge(caller, 10, 40, 0.0)
    house.allow(caller, tokens=900)
    house.doors.charge(caller, 1000, 1000, 0.0)
    error = refused(lambda: house.allow(caller, tokens=1))
    assert error.retry_after_s > 60, "it took twice what it may"


def test_over_both_limits_the_longer_wait_is_said(house: House) -> None:
    caller = house.key(rpm=2, tpm=1000)
    house.allow(caller, tokens=500)
    house.allow(caller, tokens=500)
    house.now += 60
    error = refused(lambda: house.allow(caller, tokens=900))
    assert "1,000 tokens" in error.message
    house.now += error.retry_after_s + 0.1
    house.allow(caller, tokens=900)


def test_what_is_expected_and_what_is_used_agree_once_all_have_ended(house: House) -> None:
    caller = house.key(tpm=10**9)
    sizes = [1, 10, 500, 3, 70_001]
    for tokens in sizes:
        house.allow(caller, tokens=tokens)
    assert caller.tokens.now == sum(sizes)
    for tokens in reversed(sizes):
        house.doors.charge(caller, tokens, 5, 0.0)
    assert caller.tokens.now == sum(sizes) + 5 * len(sizes)
    assert (caller.open_requests, caller.open_tokens) == (0, 0)


def test_a_request_of_more_than_a_minutes_tokens_passes_alone(house: House) -> None:
    caller = house.key(tpm=100)
    house.allow(caller, tokens=5000)
    assert refused(lambda: house.allow(caller, tokens=1)).status == 429
    house.now += 120
    house.allow(caller, tokens=1)


def test_a_budget_of_money_ends_at_once_and_comes_back_with_the_period(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = house.key(budget_usd=1.0, budget_period="day")
    house.allow(caller)
    house.doors.charge(caller, 5, 5, 0.6)
    house.allow(caller)
    house.doors.charge(caller, 5, 5, 0.6)
    error = refused(lambda: house.allow(caller))
    assert (error.status, error.code) == (402, "insufficient_quota")
    assert 0 < error.retry_after_s <= 86400
    house.sync()
    assert refused(lambda: house.allow(caller)).status == 402, "also once it is written"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + error.retry_after_s + 1)
    house.sync()
    house.allow(caller)


def test_a_budget_of_tokens_for_ever_never_comes_back(house: House) -> None:
    caller = house.key(budget_tokens=100, budget_period="ever")
    house.allow(caller)
    house.doors.charge(caller, 60, 40, 0.0)
    error = refused(lambda: house.allow(caller))
    assert (error.status, error.retry_after_s) == (402, 0.0)


def test_budgets_hold_over_everything_that_shares_the_database(fleet_of: Callable[..., Fleet], database: str) -> None:
    one, two = (House(fleet_of(), Store(database)) for _ in range(2))
    secret = one.store.create({"name": "ada", "budget_tokens": 100})["key"]
    one.sync()
    two.sync()
    for house in (one, two):
        caller = house.enter(secret)
        house.allow(caller)
        house.doors.charge(caller, 25, 25, 0.0)
        house.allow(caller)
    one.sync()
    two.sync()
    one.sync()
    for house in (one, two):
        assert refused(lambda house=house: house.allow(house.enter(secret))).status == 402


def test_limits_change_while_it_runs(house: House) -> None:
    """The caller stays the same, so that what it used goes on counting."""
    caller = house.key(rpm=1)
    house.allow(caller)
    with house.store._transaction() as base:
        house.store._change(base, "keys")
        base.exec_driver_sql("UPDATE merit_keys SET rpm = 5")
    house.sync()
    for _ in range(4):
        house.allow(caller)
    assert refused(lambda: house.allow(caller)).status == 429


def test_before_the_keys_are_read_it_is_not_the_clients_fault(fleet_of: Callable[..., Fleet]) -> None:
    house = House(fleet_of(), Store("postgresql://merit@127.0.0.1:1/keys"))
    house.sync()
    error = refused(lambda: house.enter("merit-anything"))
    assert error.status == 503
    assert error.retry_after_s > 0


def test_a_database_that_goes_down_stops_nobody(
    fleet_of: Callable[..., Fleet], postgres_server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    postgres_server.empty()
    house = House(fleet_of(), Store(postgres_server.url))
    made = house.store.create({"name": "ada", "budget_tokens": 1000})
    house.sync()
    postgres_server.stop()
    try:
        for _ in range(3):
            caller = house.enter(made["key"])
            house.allow(caller)
            house.doors.charge(caller, 100, 100, 0.1)
            house.sync()
    finally:
        postgres_server.start()
    assert len([line for line in caplog.messages if "known keys go on" in line]) == 1, "said once"
    assert "very-secret" not in caplog.text
    house.sync()
    (listed,) = house.store.listed()
    assert (listed["requests"], listed["prompt_tokens"], listed["usd"]) == (3, 300, pytest.approx(0.3))
    house.sync()
    assert house.store.listed()[0]["requests"] == 3, "written once"
    house.allow(caller)
    house.doors.charge(caller, 400, 0, 0.0)
    assert refused(lambda: house.allow(caller)).status == 402


def test_a_locked_database_does_not_hold_up_the_loop(fleet_of: Callable[..., Fleet], tmp_path: Path) -> None:
    house = House(fleet_of(), Store("sqlite:///keys.db", tmp_path))
    caller = house.key(budget_usd=5)
    house.allow(caller)
    house.doors.charge(caller, 1, 1, 1.0)
    lock = (
        "import sqlite3, sys, time\n"
        f"c = sqlite3.connect({str(tmp_path / 'keys.db')!r}, isolation_level=None)\n"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read(); c.execute('ROLLBACK')"
    )
    holder = subprocess.Popen([sys.executable, "-c", lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    async def meanwhile() -> int:
        task, turns = asyncio.create_task(house.doors.sync()), 0
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            await asyncio.sleep(0.01)
            turns += 1
        assert not task.done()
        house.allow(caller)
        house.doors.charge(caller, 1, 1, 1.0)
        holder.communicate()
        await task
        return turns

    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    assert asyncio.run(meanwhile()) > 20
    house.sync()
    assert house.store.listed()[0]["usd"] == 2.0, "also what was charged meanwhile"


def test_run_learns_of_keys_and_writes_charges(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors_module, "SYNC_S", 0.1)

    async def live() -> None:
        task = asyncio.create_task(house.doors.run())
        secret = (await asyncio.to_thread(house.store.create, {"name": "ada"}))["key"]
        until = time.monotonic() + 10
        while time.monotonic() < until:
            await asyncio.sleep(0.02)
            try:
                caller = house.enter(secret)
                break
            except Refused:
                continue
        house.allow(caller)
        house.doors.charge(caller, 3, 4, 0.5)
        while time.monotonic() < until and caller.new_requests:
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(live())
    assert house.store.listed()[0]["usd"] == 0.5


def test_workers_share_a_limit(fleet_of: Callable[..., Fleet], tmp_path: Path) -> None:
    store = Store("sqlite:///keys.db", tmp_path)
    houses = [House(fleet_of(), store, Tally(tmp_path / "tally", workers=3, worker=i)) for i in range(3)]
    secret = store.create({"name": "ada", "rpm": 30, "tpm": 10_000})["key"]
    other = store.create({"name": "bob", "rpm": 30})["key"]
    passed = 0
    for house in houses:
        house.sync()
    for step in range(60):
        house = houses[step % 3]
        with contextlib.suppress(Refused):
            house.allow(house.enter(secret))
            passed += 1
        for each in houses * 2:  # the first to speak hears the others the next time
            each.doors._share()
    assert passed == 30
    for house in houses:
        house.allow(house.enter(other))
        house.now += 60 + 45  # next minute: three quarters of the last one are out of sight
        house.doors._limited.add(house.enter(secret))
    for house in houses:
        house.doors._share()
    assert [houses[0].enter(secret).requests.others_before, houses[0].enter(secret).requests.before] == [20, 10]
    house = houses[0]
    for _ in range(22):
        house.allow(house.enter(secret))
    assert refused(lambda: house.allow(house.enter(secret))).status == 429


def test_workers_that_are_processes_share_a_limit(fleet_of: Callable[..., Fleet], tmp_path: Path) -> None:
    """What another process counted is heard here."""
    code = (
        "import sys; from pathlib import Path\n"
        "from meritorder.serve.doors.caller import Caller; from meritorder.serve.doors.tally import Tally\n"
        "caller = Caller(7, 'key'); caller.requests.add(600.0, 5); caller.tokens.add(600.0, 50)\n"
        "Tally(Path(sys.argv[1]), workers=2, worker=1).share([caller], 600.0)\n"
    )
    here = Tally(tmp_path / "tally", workers=2, worker=0)
    subprocess.run([sys.executable, "-c", code, tmp_path / "tally"], check=True, timeout=60)
    caller = Caller(7, "key")
    here.share([caller], 601.0)
    assert (caller.requests.others_now, caller.tokens.others_now) == (5, 50)
    here.share([caller], 661.0)
    assert (caller.requests.others_before, caller.requests.others_now) == (5, 0)
    here.share([caller], 731.0)
    assert caller.requests.others_before == 0, "too old"


def test_the_file_of_the_tally_takes_little_room(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", workers=64, worker=0)
    tally.share([Caller(1, "a"), Caller(1 << 30, "far beyond")], 600.0)
    assert (tmp_path / "tally").stat().st_blocks * 512 < 1e6
