"""`merit keys`: as a person or a script uses it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from meritorder.cli.main import run
from meritorder.fleet.load import load
from meritorder.serve.doors.doors import Doors
from meritorder.serve.doors.secrets import shown_digest
from meritorder.serve.doors.store import Store
from meritorder.serve.errors import Refused

LAPTOP = Path(__file__).parents[2] / "examples" / "laptop.yaml"


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"extends: {LAPTOP}\ngateway: {{keys: required, database: 'sqlite:///own.db'}}\n")
    return str(path)


def lets_in(fleet: str, secret: str) -> bool:
    """Whether a gateway of this fleet file takes the key."""
    doors = Doors(load(fleet), Store("sqlite:///own.db", Path(fleet).parent), clock=lambda: 0.0)
    asyncio.run(doors.sync())
    try:
        doors.enter(shown_digest([(b"authorization", b"Bearer " + secret.encode())]))
    except Refused:
        return False
    return True


def listed(fleet: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert run(["keys", "list", fleet, "--json"]) == 0
    keys: list[dict[str, object]] = json.loads(capsys.readouterr().out)["keys"]
    return keys


def test_the_secret_alone_is_on_stdout(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "create", fleet, "--name", "ada"]) == 0
    told = capsys.readouterr()
    (secret,) = told.out.splitlines()
    assert lets_in(fleet, secret)
    assert secret not in told.err
    assert "not shown again" in told.err
    assert "keys: required" not in told.err
    assert (Path(fleet).parent / "own.db").exists(), "beside the fleet file"


def test_everything_that_can_be_said(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--tenant team --weight 2 --service chat --model small --model big --rpm 60 --tpm 5000"
    budget = "--tokens 1000000 --usd 12.5 --per day --expires"
    assert run(["keys", "create", fleet, "--name", "ada", *options.split(), *budget.split(), "90 d", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    secret = made.pop("key")
    (key,) = listed(fleet, capsys)
    assert key == made
    assert (key["tenant"], key["weight"], key["services"], key["models"]) == ("team", 2, ["chat"], ["small", "big"])
    assert (key["rpm"], key["tpm"], key["budget_tokens"], key["budget_usd"]) == (60, 5000, 1_000_000, 12.5)
    assert run(["keys", "list", fleet]) == 0
    shown = capsys.readouterr().out
    for part in (
        "ada",
        "team",
        "chat, small, big",
        "60 requests/min",
        "1,000,000 tokens a day",
        "12.5 USD",
        "until 20",
    ):
        assert part in shown
    assert secret not in shown


def test_rotated_and_revoked(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "create", fleet, "--name", "ada"])
    first = capsys.readouterr().out.strip()
    assert run(["keys", "rotate", fleet, "ada", "--grace", "1 h"]) == 0
    second = capsys.readouterr().out.strip()
    assert lets_in(fleet, first)
    assert lets_in(fleet, second)
    assert run(["keys", "rotate", fleet, "ada", "--json"]) == 0
    third = json.loads(capsys.readouterr().out)["key"]
    assert [lets_in(fleet, secret) for secret in (first, second, third)] == [False, False, True]
    assert run(["keys", "revoke", fleet, str(listed(fleet, capsys)[0]["id"])]) == 0
    assert not lets_in(fleet, third)
    run(["keys", "list", fleet])
    assert "revoked 20" in capsys.readouterr().out


def test_a_gateway_that_asks_for_no_keys_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "open.yaml"
    path.write_text(f"extends: {LAPTOP}\n")
    assert run(["keys", "create", str(path), "--name", "ada"]) == 0
    assert "keys: required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--name", "ada", "--service", "chta"], ["--service", 'no service "chta"', "chat"]),
        (["--name", "ada", "--rpm", "0", "--per", "week"], ["--rpm", "--per", "'day', 'month' or 'ever'"]),
        (["--name", "ada", "--expires", "soon"], ["--expires", "not a quantity"]),
        (["--name", "ada", "--expires", "-3 d"], ["--expires", "0 s or more"]),
        (["--name", ""], ["name"]),
        ([], ["--name"]),
    ],
)
def test_wrong_wishes(fleet: str, options: list[str], told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "create", fleet, *options]) == 2
    error = capsys.readouterr().err
    for part in told:
        assert part in error
    assert listed(fleet, capsys) == []


def test_wrong_limits_are_told_as_the_options_they_are(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "create", fleet, "--name", "ada", "--rpm", "0", "--usd", "nan", "--per", "week"]) == 2
    told = capsys.readouterr().err
    assert "--rpm: is 0; it should be greater than or equal to 1" in told
    assert "--usd: is nan" in told
    assert '--per: is "week"' in told


def test_an_unknown_key(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "create", fleet, "--name", "ada"])
    for verb in ("rotate", "revoke"):
        assert run(["keys", verb, fleet, "adda"]) == 2
        assert 'did you mean "ada"' in capsys.readouterr().err


def test_a_database_that_is_not_one(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(fleet).parent / "own.db").write_text("no database " * 100)
    assert run(["keys", "list", fleet, "--json"]) == 2
    assert "not a database" in json.loads(capsys.readouterr().out)["error"]["problems"][0]["what"]


def test_a_busy_database_is_waited_for_and_then_said(
    fleet: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meritorder.serve.doors.database.WAIT_S", 0.2)
    run(["keys", "create", fleet, "--name", "ada"])
    holder = sqlite3.connect(Path(fleet).parent / "own.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert run(["keys", "list", fleet]) == 0, "reading goes on"
    assert run(["keys", "revoke", fleet, "ada"]) == 2
    assert "locked" in capsys.readouterr().err
    holder.close()
