"""Calibrating emulated endpoints: the machine that is found is the one that they emulate."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.serve.emulated_fleet import MODEL, emulated, quick_fleet

from meritorder.calibrate.asking import Asker
from meritorder.calibrate.look import find_budget, find_manner
from meritorder.calibrate.profile import fleet_of, profile_of, write_profile
from meritorder.calibrate.session import Estimate, Wanted, calibrate
from meritorder.cli.calibrate import in_words
from meritorder.cli.main import run
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError
from meritorder.serve.http.client import Upstream
from meritorder.serve.http.server import Answer, HttpServer, Request

LIMITS: dict[str, Any] = {"sequences": 3, "budget": 128, "context": 600, "kv_tokens": 16_000}


@contextmanager
def serving(fleet: Fleet) -> Iterator[str]:
    """An emulated replica in a thread of its own; gives its address."""
    with in_thread(lambda: emulated(fleet)) as emulator:
        yield emulator.url("quick", 0)


@contextmanager
def in_thread(context: Any) -> Iterator[Any]:
    """What an asynchronous context manager gives, running in a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    manager = None

    async def enter() -> Any:
        nonlocal manager
        manager = context()
        return await manager.__aenter__()

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    try:
        yield asyncio.run_coroutine_threadsafe(enter(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(leave(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def slow_prompts(fleet: Fleet) -> Fleet:
    """The fleet with 1 ms per prompt token: iterations with and without a prompt differ whatever else runs here."""
    pool = fleet.pools["quick"]
    assert pool.measured is not None
    measured = pool.measured.model_copy(update={"per_token_s": 1e-3})
    return fleet.model_copy(update={"pools": {"quick": pool.model_copy(update={"measured": measured})}})


def quiet(_: str) -> nullcontext[Any]:
    return nullcontext(lambda share: None)


def calibrated(url: str, kept: list[Any] | None = None, **options: Any) -> Any:
    wanted = Wanted(url=url, **{**LIMITS, "seconds": 4.0, "check_seconds": 0.0, **options})
    return calibrate(wanted, lambda estimate: True, quiet, [].append if kept is None else kept.append)


def test_the_machine_found_is_the_one_that_is_emulated() -> None:
    """In one of three runs, if other work stalls some."""
    fleet = quick_fleet(1, max_sequences=3, token_budget=128, request_overhead=0.004)
    true = compile_replica(fleet, "quick").table
    for _ in range(3):
        with serving(fleet) as url:
            profile = calibrated(url)
        mine = compile_replica(fleet_of(profile, 600), "machine").table
        cases = [(b, 40.0 * b, p) for b in range(4) for p in (0, 20, 100) if 0 < b + p <= 128]
        off = max(abs(mine.seconds(b, k, p) / true.seconds(b, k, p) - 1.0) for b, k, p in cases)
        request_s = float(profile["engine"]["request_overhead"].split()[0]) / 1e3
        if off < 0.08 and abs(request_s - 0.004) < 0.003:
            break
    else:
        pytest.fail(f"off by {off:.1%}, request overhead {request_s}")
    assert profile["quality"]["error_held_out"] < 0.1
    assert profile["source"]["model"] == MODEL


def test_the_budget_is_found_by_how_often_others_wait() -> None:
    """In one of three runs, if other work stalls some."""

    async def find(url: str) -> int | None:
        upstream = Upstream(url, loop=asyncio.get_running_loop())
        asker = Asker(upstream, MODEL, b"", "here", 20.0)
        await find_manner(asker)
        found = await find_budget(asker, 600)
        upstream.close()
        return found

    with serving(slow_prompts(quick_fleet(1, token_budget=64))) as url:
        assert 64 in (asyncio.run(find(url)) for _ in range(3))
    with serving(slow_prompts(quick_fleet(1, token_budget=4096))) as url:
        assert None in (asyncio.run(find(url)) for _ in range(3))


def test_nothing_is_measured_before_the_cost_is_agreed_to() -> None:
    seen: list[Estimate] = []

    def refuse(estimate: Estimate) -> bool:
        seen.append(estimate)
        return False

    kept: list[Any] = []
    with serving(quick_fleet(1)) as url:
        wanted = Wanted(url=url, **LIMITS, usd_per_mtok=(1.0, 2.0))
        assert calibrate(wanted, refuse, quiet, kept.append) is None
    assert not kept
    assert seen[0].sweep_requests > 50
    assert (seen[0].check_requests > 50, seen[0].check_s) == (True, 180.0)  # the usual check
    assert seen[0].usd == pytest.approx((seen[0].prompt_tokens + 2 * seen[0].output_tokens) / 1e6)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"model": "other"}, 'has no model "other"'),
        ({"context": 100_000, "timeout_s": 0.001}, "did not answer in"),
    ],
)
def test_what_can_not_be_measured_is_told(options: dict[str, Any], what: str) -> None:
    with serving(quick_fleet(1)) as url, pytest.raises(InputError, match=what):
        calibrated(url, **options)


def test_nobody_there() -> None:
    with pytest.raises(InputError, match="can't be reached"):
        calibrated("http://127.0.0.1:9")


class Short:
    """An endpoint that ends its answers after three tokens, whatever is asked."""

    def handle(self, request: Request, answer: Answer) -> None:
        if request.method == b"GET":
            found = request.path == "/v1/models"
            answer.send(200 if found else 404, b"", b'{"data": [{"id": "m"}]}' if found else b"")
            return
        body = orjson.loads(request.body)
        if isinstance(body.get("prompt"), list):
            answer.send(400, b"", b'{"error": {"message": "prompt must be a string"}}')
            return
        choice = {"text": "x", "delta": {"content": "x"}}
        events = [{"choices": [choice]}] * 3 + [{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}]
        text = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        answer.send(200, b"content-type: text/event-stream\r\n", text)


def test_an_endpoint_that_ends_answers_when_it_likes() -> None:
    from contextlib import asynccontextmanager

    from meritorder.fleet.gateway import DoorLimits

    @asynccontextmanager
    async def short() -> Any:
        loop = asyncio.get_running_loop()
        http = HttpServer(Short().handle, DoorLimits(), loop=loop)
        server = await loop.create_server(http.protocol, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()

    with in_thread(short) as url:
        with pytest.raises(InputError, match="ends its answers after 3 of 12 tokens"):
            calibrated(url)
        with pytest.raises(InputError, match="how many tokens of KV cache"):
            calibrated(url, kv_tokens=None)


def test_the_cost_is_told_part_by_part() -> None:
    both = Estimate(225, 12.2, 1540, 180.0, 25_511, 5_574, 0.0)
    words = "about 0.2 min sweep + 3 min check (225 + 1,540 requests), 25,511 prompt and 5,574 output tokens"
    assert in_words(both) == words
    alone = replace(both, check_requests=0, check_s=0.0, usd=0.5)
    assert in_words(alone) == "about 0.2 min sweep (225 requests), 25,511 prompt and 5,574 output tokens, 0.50 USD"


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sweep, fit, check and profile: a fleet file can name it."""
    fleet = quick_fleet(1, max_sequences=3, token_budget=128)
    profile = tmp_path / "profile.yaml"
    times = ["--minutes", "0.05", "--check-minutes", "0.05", "--tolerance", "9"]
    limits = ["--slots", "3", "--token-budget", "128", "--context", "600", "--kv-tokens", "16000", "--busy-w", "300"]
    with serving(fleet) as url:
        assert run(["calibrate", url, *times, *limits, "-o", str(profile), "--json"]) == 2  # nobody agreed to the cost
        assert "--yes" in capsys.readouterr().out
        assert not profile.exists()
        assert run(["calibrate", url, *times, *limits, "-o", str(profile), "--json", "--yes"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert [load["load"] for load in told["check"]["loads"]] == [0.4, 0.6, 0.8]
    assert told["check"]["passed"]
    (tmp_path / "fleet.yaml").write_text(
        "sites: {here: {usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 0.1}}\n"
        f"pools: {{one: {{site: here, model: {MODEL}, replicas: 1, measured: ./profile.yaml}}}}\n"
        f"services: {{all: {{model: {MODEL}}}}}\n"
    )
    from meritorder.fleet.load import load

    pool = load(tmp_path / "fleet.yaml").pools["one"]
    assert pool.measured is not None
    assert pool.measured.busy_w == 300.0
    assert pool.engine.token_budget == 128


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["http://127.0.0.1:9", "--log", "x.log", "--engine", "vllm"],
        ["--log", "x.log"],
        ["--log", "x.log", "--engine", "vlm"],
        ["http://127.0.0.1:9", "--idle-w", "10", "--busy-w", "5"],
        ["ftp://127.0.0.1"],
        ["http://127.0.0.1:9", "--key", "secret"],
    ],
)
def test_wrong_options_are_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "Traceback" not in told


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    from tests.calibrate.test_calibrate_fit import MACHINES, found_in, table_of
    from tests.calibrate.truth import rows_of

    from meritorder.calibrate.rows import Rows, averaged
    from meritorder.fleet.profile import read_profile

    table = table_of(**MACHINES["uneven"])
    rows = Rows.of(averaged(rows_of(table, 0.02)))
    profile = profile_of(
        found_in(table, 0.02, 0),
        rows,
        (0.02, float("nan")),
        kv_tokens=9000,
        engine={"max_sequences": 8, "token_budget": 256},
        source={"model": "m: with colon", "version": "1.0"},
        inputs={"busy_w": 25.0},
    )
    write_profile(tmp_path / "p.yaml", profile)
    read = read_profile(tmp_path / "p.yaml").data
    assert read == orjson.loads(orjson.dumps(profile))
    assert compile_replica(fleet_of(read, 1500), "machine").notes == ()
