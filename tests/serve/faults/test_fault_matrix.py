"""Nothing lost: one test a fault, each with a real gateway process and real backend processes.

Wherever a healthy backend is left every client gets its whole answer; else an honest error within its deadline.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.fake_backend import Act, Fault
from tests.serve.faults.processes import (
    WITHIN_S,
    all_honest,
    ask,
    ask_many,
    backends,
    fleet_of,
    nothing_lost,
    serving,
    wait_for,
)

pytestmark = pytest.mark.slow

MANY = 8
BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
SLOWLY = Act("ok", token_s=0.05)


@BOTH
def test_a_backend_killed_before_its_first_byte(tmp_path: Path, stream: bool) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.always(Act("ok", first_s=5.0))
        threading.Timer(0.4, bad.kill).start()
        nothing_lost(ask_many(gateway.url, MANY, stream=stream))


def test_a_backend_killed_in_mid_stream(tmp_path: Path) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.always(Act("ok", token_s=0.1))
        threading.Timer(0.8, bad.kill).start()
        nothing_lost(ask_many(gateway.url, MANY))


@BOTH
def test_a_backend_frozen_before_its_first_byte(tmp_path: Path, stream: bool) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.freeze()
        nothing_lost(ask_many(gateway.url, MANY, stream=stream))
        bad.thaw()


def test_a_backend_frozen_in_mid_stream(tmp_path: Path) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.always(Act("ok", token_s=0.1))
        threading.Timer(0.8, bad.freeze).start()
        nothing_lost(ask_many(gateway.url, MANY))
        bad.thaw()


def test_a_slow_backend_is_not_taken_for_a_frozen_one(tmp_path: Path) -> None:
    with backends() as (slow, good), serving(tmp_path, fleet_of([slow.url, good.url])) as gateway:
        slow.always(Act("ok", first_s=0.6, token_s=0.2))
        nothing_lost(ask_many(gateway.url, 4))
        assert slow.seen() >= 2  # it did serve


@pytest.mark.parametrize(
    "fault",
    ["truncate", "no-done", "bad-sse", "bad-json", "error-event", "die-before", "die-mid", "freeze-head", "garbage"],
)
def test_a_broken_stream_is_taken_up_by_the_other(tmp_path: Path, fault: Fault) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.always(Act(fault, after=5))
        nothing_lost(ask_many(gateway.url, MANY))


@pytest.mark.parametrize("fault", ["truncate", "wrong-length", "die-before", "die-mid", "garbage", "status"])
def test_a_broken_answer_is_asked_for_again(tmp_path: Path, fault: Fault) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.always(Act(fault))
        nothing_lost(ask_many(gateway.url, MANY, stream=False))


@BOTH
def test_a_storm_of_429(tmp_path: Path, stream: bool) -> None:
    with backends() as (bad, good), serving(tmp_path, fleet_of([bad.url, good.url])) as gateway:
        bad.always(Act("status", status=429, headers=(("retry-after", "30"),)))
        nothing_lost(ask_many(gateway.url, MANY, stream=stream))
        refused = bad.seen()
        nothing_lost(ask_many(gateway.url, MANY, stream=stream))
        assert bad.seen() == refused  # asked to wait 30 s, it is left alone


def test_a_backend_that_resets_connections(tmp_path: Path) -> None:
    with backends(1) as (good,), resetting() as bad, serving(tmp_path, fleet_of([bad, good.url])) as gateway:
        nothing_lost(ask_many(gateway.url, MANY))


def test_a_backend_whose_certificate_nobody_signed(tmp_path: Path) -> None:
    import ssl

    import trustme
    from tests.serve.fake_backend import FakeBackend

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with (
        backends(1) as (good,),
        FakeBackend(context=context) as bad,
        serving(tmp_path, fleet_of([f"https://127.0.0.1:{bad.port}", good.url])) as gateway,
    ):
        nothing_lost(ask_many(gateway.url, MANY))
        assert not [request for request in bad.requests if request.method == "POST"]


def test_a_backend_whose_name_is_unknown(tmp_path: Path) -> None:
    with backends(1) as (good,), serving(tmp_path, fleet_of(["http://no-such-host.invalid:80", good.url])) as gateway:
        nothing_lost(ask_many(gateway.url, MANY))


@BOTH
def test_all_backends_down(tmp_path: Path, stream: bool) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both])) as gateway:
        for each in both:
            each.kill()
        for answer in [*ask_many(gateway.url, MANY, stream=stream), ask(gateway.url, stream=stream)]:
            assert answer.status in (502, 503, 504)
            assert answer.error
            assert answer.headers["x-request-id"]
            assert answer.seconds < WITHIN_S


def test_all_backends_frozen_in_mid_stream(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both])) as gateway:
        for each in both:
            each.always(Act("freeze-mid", after=3))
        for answer in ask_many(gateway.url, 4):
            assert answer.status == 200
            assert answer.error
            assert not answer.finished
            assert answer.text.split() == [f"w{i}" for i in range(len(answer.text.split()))]  # what came is right
            assert answer.seconds < WITHIN_S


def test_a_worker_killed(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both], workers=2)) as gateway:
        for each in both:
            each.always(SLOWLY)
        before = gateway.workers()
        threading.Timer(0.5, os.kill, (before[0], signal.SIGKILL)).start()
        answers = ask_many(gateway.url, 16)
        all_honest(answers)
        assert any(answer.whole for answer in answers)  # those of the other worker
        gateway.restarted(before)
        nothing_lost(ask_many(gateway.url, MANY))
        state = httpx.get(f"{gateway.admin}/state").json()
        assert sum(pool["in_flight"] for pool in state["pools"]) == 0  # what it held has left the books


def test_the_fleet_file_is_reloaded_under_load(tmp_path: Path) -> None:
    with backends(3) as (old, kept, new), serving(tmp_path, fleet_of([old.url, kept.url])) as gateway:
        for each in (old, kept, new):
            each.always(SLOWLY)
        answers = []
        load = threading.Thread(target=lambda: [answers.extend(ask_many(gateway.url, MANY)) for _ in range(4)])
        load.start()
        time.sleep(0.5)
        text = gateway.fleet.read_text()
        gateway.fleet.write_text(text.replace(old.url, new.url))
        assert httpx.post(f"{gateway.admin}/reload", timeout=60).json() == {"problems": []}
        load.join()
        nothing_lost(answers)
        asked = old.seen()
        nothing_lost(ask_many(gateway.url, MANY))
        assert old.seen() == asked
        assert new.seen() > 0
        limit = f"{gateway.admin}/limits/pool/all"
        assert httpx.put(limit, json={"requests": 3}).status_code == 200
        assert httpx.post(f"{gateway.admin}/reload", timeout=60).status_code == 200
        assert httpx.get(f"{gateway.admin}/state").json()["pools"][0]["limit"] == 3  # what was set outlives a reload
        assert httpx.put(limit, json={"requests": None}).status_code == 200
        gateway.fleet.write_text(text.replace("replicas: 2", "replicas: 3"))
        wrong = httpx.post(f"{gateway.admin}/reload", timeout=60)
        assert wrong.status_code == 409
        assert "addresses" in wrong.json()["problems"][0]
        nothing_lost(ask_many(gateway.url, MANY))


def test_it_drains_under_load(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both])) as gateway:
        for each in both:
            each.always(Act("ok", token_s=0.1))
        answers = []
        load = threading.Thread(target=lambda: answers.extend(ask_many(gateway.url, MANY)))
        load.start()
        time.sleep(0.8)
        gateway.process.send_signal(signal.SIGTERM)
        load.join()
        nothing_lost(answers)
        assert gateway.process.wait(10) == 0
        assert ask(gateway.url).cut  # nobody listens any more


def test_what_outlives_the_drain_is_told_so(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both], drain_time="1 s")) as gateway:
        for each in both:
            each.always(Act("ok", token_s=0.3))
        answers = []
        load = threading.Thread(target=lambda: answers.extend(ask_many(gateway.url, 4)))
        load.start()
        time.sleep(0.8)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        began = time.monotonic()
        assert ask(gateway.url).cut  # who comes now is turned away at once, not left hanging
        assert time.monotonic() - began < 0.5
        load.join()
        assert all(answer.error and not answer.finished for answer in answers)
        assert gateway.process.wait(10) == 0


def test_a_reload_waits_for_the_longest_answer(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both], drain_time="500 ms")) as gateway:
        for each in both:
            each.always(Act("ok", token_s=0.25))
        answers = []
        load = threading.Thread(target=lambda: answers.extend(ask_many(gateway.url, 4)))
        load.start()
        time.sleep(0.8)
        assert httpx.post(f"{gateway.admin}/reload", timeout=60).json() == {"problems": []}
        load.join()
        nothing_lost(answers)
        counted = 'merit_requests_total{outcome="ok",pool="all",service="chat"} 4.0'
        wait_for(lambda: counted in httpx.get(f"{gateway.admin}/metrics").text)  # also those that the old ones ended


def test_a_worker_killed_again_and_again(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both])) as gateway:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            for pid in children(gateway.process.pid):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.3)
        nothing_lost(ask_many(gateway.url, MANY))  # they have waited for the next one


def test_a_worker_that_does_not_come_up_any_more_leaves_the_port_to_the_others(tmp_path: Path) -> None:
    with backends() as both, serving(tmp_path, fleet_of([each.url for each in both], workers=2)) as gateway:
        kept = gateway.workers()[0]
        until = time.monotonic() + 60.0
        while "does not come up" not in gateway.errors.read_text():
            assert time.monotonic() < until
            for pid in set(children(gateway.process.pid)) - {kept}:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        nothing_lost(ask_many(gateway.url, 16))
        assert httpx.post(f"{gateway.admin}/reload", timeout=60).json() == {"problems": []}
        wait_for(lambda: len(gateway.workers()) == 2)
        nothing_lost(ask_many(gateway.url, 16))


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def test_the_database_is_gone(tmp_path: Path) -> None:
    import json
    import subprocess

    from tests.serve.faults.processes import MERIT

    with backends() as both:
        fleet = fleet_of([each.url for each in both], keys="required")
        with serving(tmp_path, fleet) as gateway:
            command = [MERIT, "keys", "create", gateway.fleet, "--name", "tester", "--json"]
            made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            key = {"authorization": f"Bearer {made['key']}"}
            wait_for(lambda: ask(gateway.url, headers=key).whole)
            (tmp_path / "keys.db").unlink()
            (tmp_path / "keys.db").mkdir()  # nothing can be opened there
            time.sleep(2.5)
            nothing_lost(ask_many(gateway.url, MANY, headers=key))
            assert ask(gateway.url).status == 401


@contextmanager
def resetting() -> Iterator[str]:
    """A server that resets every connection as soon as it has read something."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with closing(listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
