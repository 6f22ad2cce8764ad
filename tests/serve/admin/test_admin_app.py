"""The admin app: what it tells, what it does, and whom it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.serve.admin.admin_control import FakeControl

from meritorder.problems import Problem
from meritorder.serve.admin.app import make_app

PAGES = {"/": ("text/html; charset=utf-8", b"<h1>live</h1>")}


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def admin(control: FakeControl) -> TestClient:
    return TestClient(make_app(control, PAGES, loopback=True), base_url="http://127.0.0.1:8001")


def test_it_tells_state_metrics_decisions_and_shows_the_page(admin: TestClient, control: FakeControl) -> None:
    assert admin.get("/state").json()["name"] == "Laptop"
    assert admin.get("/metrics").text == "merit_up 1\n"
    assert admin.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    control.recent = [{"id": str(n)} for n in range(5)]  # type: ignore[typeddict-item]
    assert [r["id"] for r in admin.get("/requests?most=2").json()["requests"]] == ["0", "1"]
    page = admin.get("/")
    assert page.text == "<h1>live</h1>"
    assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_limits_are_quantities_or_nothing(admin: TestClient, control: FakeControl) -> None:
    for wanted, watts in (("2 kW", 2000.0), (750, 750.0), (None, None)):
        assert admin.put("/limits/site/desk", json={"watts": wanted}).json() == {"watts": watts}
        assert control.told[-1] == ("sites", "desk", watts)
    assert admin.put("/limits/pool/fast", json={"requests": 3}).json() == {"requests": 3}
    assert control.told[-1] == ("pools", "fast", 3)
    assert admin.put("/limits/pool/fast", json={"requests": None}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/limits/site/desk", b'{"watts": "2 kg"}'),
        ("/limits/site/desk", b'{"watts": -1}'),
        ("/limits/site/desk", b'{"watts": [1]}'),
        ("/limits/site/desk", b'{"watts": true}'),
        ("/limits/site/desk", b'{"watts": 1, "more": 2}'),
        ("/limits/site/desk", b"[]"),
        ("/limits/site/desk", b"nonsense"),
        ("/limits/site/desk", b'{"watts": "' + b"9" * 70_000 + b'"}'),
        ("/limits/site/nowhere", b'{"watts": 1}'),
        ("/limits/pool/fast", b'{"requests": 0}'),
        ("/limits/pool/fast", b'{"requests": 1.5}'),
        ("/limits/pool/fast", b'{"requests": "many"}'),
    ],
)
def test_wrong_limits_are_told_and_change_nothing(
    admin: TestClient, control: FakeControl, path: str, body: bytes
) -> None:
    answer = admin.put(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["problems"]
    assert control.told == []


def test_load_targets_are_taken_in_the_units_of_people(admin: TestClient, control: FakeControl) -> None:
    told = {"reduce": 0.25, "duration": "3 h", "within": "30 s"}
    assert admin.post("/targets/site/desk", json=told).status_code == 202
    kind, site, wish = control.told[-1]
    assert (kind, site) == ("ask_site", "desk")
    assert (wish.reduce, wish.duration, wish.within) == (0.25, 10_800.0, 30.0)
    assert admin.post("/targets/site/desk", json={"limit": "28 kW", "duration": 60}).status_code == 202
    assert control.told[-1][2].limit == 28_000.0
    assert admin.get("/power").json() == {"sites": []}


@pytest.mark.parametrize(
    "told",
    [
        {"duration": "1 h"},
        {"duration": "1 h", "reduce": 0.2, "limit": "1 kW"},
        {"duration": "1 h", "reduce": 1.2},
        {"duration": "1 kg", "reduce": 0.2},
        {"duration": [], "reduce": 0.2},
        {"reduce": 0.2},
        {"duration": "1 h", "reduce": 0.2, "strategy": "any"},
    ],
)
def test_wrong_load_targets_are_told_and_change_nothing(
    admin: TestClient, control: FakeControl, told: dict[str, Any]
) -> None:
    answer = admin.post("/targets/site/desk", json=told)
    assert answer.status_code == 400
    assert answer.json()["problems"]
    assert control.told == []


def test_reload_says_what_is_wrong(admin: TestClient, control: FakeControl) -> None:
    assert admin.post("/reload").json() == {"problems": []}
    control.problems = [Problem("is empty", where="fleet.yaml:3", key="pools")]
    answer = admin.post("/reload")
    assert answer.status_code == 409
    assert answer.json() == {"problems": ["fleet.yaml:3: pools: is empty"]}


def test_drain_is_accepted(admin: TestClient, control: FakeControl) -> None:
    assert admin.post("/drain").status_code == 202
    assert control.told == [("drain",)]


def test_keys_are_made_rotated_and_revoked_and_secrets_shown_once(admin: TestClient) -> None:
    made = admin.post("/keys", json={"name": "ada"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert made.json()["key"] == "sk-secret"
    assert "key" not in admin.get("/keys").json()["keys"][0]
    assert admin.post("/keys/k0/rotate").json()["key"] == "sk-other"
    assert admin.delete("/keys/k0").status_code == 204
    assert admin.get("/keys").json() == {"keys": []}
    assert admin.delete("/keys/k0").status_code == 400
    assert admin.post("/keys", json={}).status_code == 400


def test_a_gateway_without_keys_says_so(admin: TestClient, control: FakeControl) -> None:
    control.keyring = None
    answer = admin.get("/keys")
    assert answer.status_code == 400
    assert "keys: required" in answer.json()["problems"][0]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8001"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"host": "[::1"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_pages_of_other_origins_are_refused(admin: TestClient, control: FakeControl, headers: dict[str, str]) -> None:
    assert admin.post("/drain", headers=headers).status_code == 403
    assert admin.get("/state", headers=headers).status_code == 403
    assert control.told == []


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001", "127.0.0.1"])
def test_its_own_page_may_do_everything(admin: TestClient, host: str) -> None:
    assert admin.post("/drain", headers={"host": host, "origin": f"http://{host}"}).status_code == 202


def test_a_link_from_elsewhere_may_open_the_page(admin: TestClient) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert admin.get("/", headers=link).status_code == 200


def test_on_a_public_address_any_name_will_do_but_no_other_origin(control: FakeControl) -> None:
    admin = TestClient(make_app(control, PAGES, loopback=False), base_url="http://gateway.internal:8001")
    assert admin.get("/state").status_code == 200
    assert admin.post("/drain", headers={"origin": "http://evil.example"}).status_code == 403


def test_unknown_paths_and_methods_are_told_as_problems(admin: TestClient) -> None:
    assert admin.get("/nothing").status_code == 404
    assert admin.get("/nothing").json()["problems"]
    answer = admin.get("/drain")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_wrong_unit_is_told_with_its_field(admin: TestClient) -> None:
    (told,) = admin.put("/limits/site/desk", json={"watts": "2 kg"}).json()["problems"]
    assert told.startswith("watts: ")
