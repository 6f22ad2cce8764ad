"""Keys and usage in a database: the same with SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meritorder.problems import InputError
from meritorder.serve.doors.secrets import digest
from meritorder.serve.doors.store import NEVER, Charge, News, Seen, Store


@pytest.fixture
def store(database: str) -> Store:
    return Store(database)


def opened_by(news: News) -> dict[bytes, str]:
    assert news.keys is not None
    return {secret.digest: key.name for key in news.keys for secret in key.digests}


def test_a_key_with_everything(store: Store) -> None:
    wanted = {
        **{"name": "ada", "tenant": "lovelace", "weight": 2.5, "services": ["chat"], "models": ["small", "big"]},
        **{"rpm": 60, "tpm": 1000, "budget_tokens": 10**12, "budget_usd": 7.5, "budget_period": "day"},
        "lifetime_s": 3600,
    }
    made = store.create(wanted)
    (key,) = store.sync([], Seen()).keys or ()
    assert (key.id, key.name, key.tenant, key.weight) == (made["id"], "ada", "lovelace", 2.5)
    assert (key.services, key.models) == (("chat",), ("small", "big"))
    assert (key.rpm, key.tpm, key.budget_tokens, key.budget_usd) == (60, 1000, 10**12, 7.5)
    assert key.digests[0].digest == digest(made["key"].encode())
    assert key.digests[0].expires == pytest.approx(time.time() + 3600, abs=60)


def test_a_key_with_a_name_only_is_not_limited(store: Store) -> None:
    made = store.create({"name": "ada"})
    assert made["tenant"] == "ada"
    assert [made[limit] for limit in ("rpm", "tpm", "budget_tokens", "budget_usd", "expires")] == [None] * 5
    (key,) = store.sync([], Seen()).keys or ()
    assert (key.rpm, key.tpm, key.services, key.digests[0].expires) == (0, 0, (), NEVER)


def test_secrets_are_long_and_only_shown_once(store: Store, database: str) -> None:
    made = [store.create({"name": f"n{i}"}) for i in range(3)]
    assert len({key["key"] for key in made}) == 3
    assert all(len(key["key"]) > 45 for key in made)
    assert all("key" not in listed for listed in store.listed())
    assert made[0]["key"] not in str(store.listed())
    if database.startswith("sqlite"):
        file = Path(database.removeprefix("sqlite:///"))
        held = b"".join(path.read_bytes() for path in file.parent.iterdir())
        assert made[0]["id"].encode() in held
        assert made[0]["key"].encode() not in held
        assert file.stat().st_mode & 0o077 == 0, "nobody else may read it"


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(store: Store) -> None:
    made = store.create({"name": "ada"})
    seen = store.sync([], Seen()).seen
    store.revoke(made["id"])
    assert store.sync([], seen).keys == ()
    assert store.listed()[0]["revoked"] == pytest.approx(time.time(), abs=60)


def test_a_revoked_key_gets_no_new_secret(store: Store) -> None:
    made = store.create({"name": "ada"})
    store.revoke(made["id"])
    revoked = store.listed()[0]["revoked"]
    for change in (store.rotate, store.revoke):
        with pytest.raises(InputError, match="is revoked"):
            change(made["id"])
    assert store.listed()[0]["revoked"] == revoked


def test_rotating_leaves_the_old_secret_for_a_while(store: Store) -> None:
    first = store.create({"name": "ada", "rpm": 3})
    second = store.rotate("ada", grace_s=0.3)
    assert second["id"] == first["id"]
    news = store.sync([], Seen())
    assert opened_by(news) == {digest(key["key"].encode()): "ada" for key in (first, second)}
    third = store.rotate(first["id"])
    time.sleep(0.4)
    assert opened_by(store.sync([], Seen())) == {digest(third["key"].encode()): "ada"}


def test_a_longer_grace_does_not_bring_an_old_secret_back(store: Store) -> None:
    first = store.create({"name": "ada"})
    store.rotate("ada")
    store.rotate("ada", grace_s=3600)
    assert digest(first["key"].encode()) not in opened_by(store.sync([], Seen()))


def test_names_serve_where_they_are_unique(store: Store) -> None:
    keys = [store.create({"name": "ada"}) for _ in range(2)]
    with pytest.raises(InputError, match=f"several keys.*{keys[0]['id']}"):
        store.revoke("ada")
    store.revoke(keys[0]["id"])
    store.revoke("ada")
    with pytest.raises(InputError, match="there is no key"):
        store.rotate("ada")
    assert all(key["revoked"] for key in store.listed())


def test_charges_add_up(store: Store) -> None:
    store.create({"name": "ada", "budget_usd": 5})
    store.create({"name": "bob", "budget_tokens": 5, "budget_period": "ever"})
    store.create({"name": "eve"})
    a, b, e = (key.number for key in store.sync([], Seen()).keys or ())
    news = store.sync([Charge(a, 1, 10, 20, 0.5), Charge(e, 1, 1, 1, 0.1)], Seen())
    assert news.all_spending
    assert [(s.number, s.tokens, s.usd) for s in news.spending] == [(a, 30, 0.5)], "only of keys with budgets"
    news = store.sync([Charge(a, 2, 1, 2, 0.25), Charge(b, 1, 3, 4, 0.0)], news.seen)
    assert news.keys is None
    assert not news.all_spending
    assert sorted((s.number, s.tokens, s.usd) for s in news.spending) == [(a, 33, 0.75), (b, 7, 0.0)]
    assert store.sync([], news.seen).spending == (), "nothing new"
    ada = store.listed()[0]
    assert (ada["requests"], ada["prompt_tokens"], ada["output_tokens"], ada["usd"]) == (3, 11, 22, 0.75)
    assert (ada["spent_tokens"], ada["spent_usd"]) == (33, 0.75)
    assert ada["last_used"] == pytest.approx(time.time(), abs=60)
    assert store.listed()[2]["spent_tokens"] == 2


def test_budgets_count_their_period_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # 2026-01-30, the day after, and 2026-02-01
    days = [1769731200.0 + 86400 * day for day in range(3)]
    for period in ("day", "month", "ever"):
        store.create({"name": period, "budget_usd": 100, "budget_period": period})
    seen, spent = Seen(), {}
    for now in days:
        monkeypatch.setattr(time, "time", lambda now=now: now)
        numbers = {key.number: key.name for key in store.sync([], Seen()).keys or ()}
        news = store.sync([Charge(number, 1, 1, 0, 1.0) for number in numbers], seen)
        assert news.all_spending, "with every day"
        spent = {numbers[s.number]: s.usd for s in news.spending}
        assert spent["day"] == 1.0
        seen = news.seen
    assert spent == {"day": 1.0, "month": 1.0, "ever": 3.0}
    assert {key["name"]: key["spent_usd"] for key in store.listed()} == spent


def test_a_new_budget_counts_what_was_used_before(store: Store) -> None:
    store.create({"name": "ada", "budget_usd": 5})
    news = store.sync([], Seen())
    (ada,) = news.keys or ()
    news = store.sync([Charge(ada.number, 1, 1, 1, 1.0)], news.seen)
    store.create({"name": "bob"})
    assert store.sync([], news.seen).spending[0].usd == 1.0


def test_many_at_once_lose_nothing(database: str) -> None:
    stores = [Store(database) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda store: store.create({"name": "x", "budget_usd": 1}), stores))
        numbers = [key.number for key in stores[0].sync([], Seen()).keys or ()]
        charges = [Charge(number, 1, 2, 3, 0.5) for number in numbers]
        list(pool.map(lambda i: stores[i % 4].sync(charges, Seen()), range(40)))
    assert len({key["id"] for key in made}) == 4
    assert [key["requests"] for key in stores[0].listed()] == [40] * 4
    assert [key["spent_usd"] for key in stores[0].listed()] == [20.0] * 4


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "name"),
        ({"name": "ada", "rpm": 0}, "rpm"),
        ({"name": "ada", "rpm": "many"}, "rpm"),
        ({"name": "ada", "budget_period": "week"}, "budget_period"),
        ({"name": "ada", "budget_usd": float("nan")}, "budget_usd"),
        ({"name": "ada", "colour": "red"}, "colour"),
        ({"name": "ada", "services": "chat"}, "services"),
        ({"name": 'ada"; DROP TABLE merit_keys; --', "tpm": -1}, "tpm"),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, fields: dict[str, object], wrong: str) -> None:
    store = Store("sqlite:///keys.db", tmp_path)
    with pytest.raises(InputError) as told:
        store.create(fields)
    assert [problem.key for problem in told.value.problems] == [wrong]
    assert store.listed() == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sqlite://", "names no file"),
        ("nonsense", "not a database address"),
        ("mysql://root:hunter2@db/x", "mysql is not a database that keys can be in"),
        ("env:NO_SUCH_VARIABLE", "the environment has no NO_SUCH_VARIABLE"),
        ("file:absent", "can't be read: no such file"),
        ("sqlite:///no/such/folder/keys.db", "there is no folder .*/no/such/folder"),
    ],
)
def test_wrong_addresses(address: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told) as error:
        Store(address, tmp_path)
    assert "hunter2" not in str(error.value)


def test_addresses_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "where").write_text("sqlite:///keys.db\n")
    monkeypatch.setenv("MERIT_KEYS", f"sqlite:///{tmp_path / 'keys.db'}")
    Store("file:where", tmp_path).create({"name": "ada"})
    assert [key["name"] for key in Store("env:MERIT_KEYS").listed()] == ["ada"], "relative to the folder given"


def test_a_database_that_is_not_there_is_said_without_its_password() -> None:
    store = Store("postgresql://merit:very-secret@127.0.0.1:1/keys")
    with pytest.raises(InputError, match="can't be used") as error:
        store.listed()
    assert "very-secret" not in str(error.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_text("hello " * 1000)
    with pytest.raises(InputError, match="not a database"):
        Store("sqlite:///keys.db", tmp_path).listed()


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    store = Store("sqlite:///keys.db", tmp_path)
    assert list(tmp_path.iterdir()) == []
    store.listed()
    assert (tmp_path / "keys.db").stat().st_mode & 0o777 == 0o600


def test_nothing_is_connected_before_it_is_needed() -> None:
    """Opening a store of a server that is down costs nothing and loads no driver's connection."""
    code = "from meritorder.serve.doors.store import Store; Store('postgresql://merit@127.0.0.1:1/keys')"
    pytest.importorskip("psycopg")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
