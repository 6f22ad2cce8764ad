"""Replays against emulated endpoints: what comes out is what went in, and what the simulator says."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import numpy as np
import pytest
import uvloop
from tests.serve.emulated_fleet import MODEL, STEP_S, emulated, quick_fleet

from meritorder.fleet.schema import Fleet
from meritorder.serve.http.client import Upstream
from meritorder.serve.replay.attempt import OUTCOMES
from meritorder.serve.replay.compare import compare, simulated_latencies
from meritorder.serve.replay.measured import Measured
from meritorder.serve.replay.prompts import Prompts
from meritorder.serve.replay.replay import Replay
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace, make_trace


def replay(trace: Trace, fleet: Fleet, *, stop_after: float | None = None, **options: Any) -> Measured:
    """Replay a trace against an emulator of one replica."""

    async def run() -> Measured:
        loop = asyncio.get_running_loop()
        async with emulated(fleet) as emulator:
            upstream = Upstream(emulator.url("quick", 0), loop=loop)
            models = options.pop("models", [MODEL] * len(trace))
            one = Replay(trace, upstream, models, Prompts(trace), loop=loop, **options)
            if stop_after is not None:
                loop.call_later(stop_after, one.stop)
            measured = await one.run()
            upstream.close()
        return measured

    return uvloop.run(run())


def outcomes(measured: Measured) -> list[str]:
    return [OUTCOMES[i] for i in measured.outcome]


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_lengths_are_exact(api: str) -> None:
    trace = make_trace([0.0, 0.01, 0.02], [5, 700, 33], [1, 12, 7])
    measured = replay(trace, quick_fleet(1), api=api)
    assert outcomes(measured) == ["completed"] * 3
    assert measured.prompt_tokens.tolist() == [5, 700, 33]
    assert measured.output_tokens.tolist() == [1, 12, 7]
    assert np.isnan(measured.latencies()["tpot_s"]).tolist() == [True, False, False]


def test_measured_is_what_is_simulated() -> None:
    """The emulator keeps its promise and the replay its schedule: in one of three runs, if other work stalls some."""
    g = np.random.default_rng(3)
    n = 60
    arrivals = np.cumsum(g.exponential(0.03, n))
    blocks = [block for i in range(n) for block in (0, 1, 2 + 2 * i, 3 + 2 * i)]
    trace = make_trace(
        arrivals, g.integers(80, 300, n), g.integers(2, 20, n),
        block_start=np.arange(n + 1) * 4, blocks=blocks, block_tokens=16,
    )  # fmt: skip
    fleet = quick_fleet(1, request_overhead=0.01, output_token_overhead=0.001)
    simulated = simulated_latencies(simulate(fleet, trace))
    off = []
    for _ in range(3):
        measured = replay(trace, fleet)
        assert outcomes(measured) == ["completed"] * n
        found = compare(measured, simulated)
        assert found["requests"] == n
        off.append(max(abs(found[name]["difference"]["mean"]) for name in ("ttft_s", "tpot_s", "e2e_s")))
        if off[-1] < 0.15:
            break
    assert min(off) < 0.15


def test_latency_counts_from_the_schedule() -> None:
    """A machine that does one at a time gets four at once: the last waits for all, and that is measured."""
    trace = make_trace([0.5] * 4, [1] * 4, [10] * 4)
    measured = replay(trace, quick_fleet(1, max_sequences=1))
    assert (measured.arrival_s == 0.5).all()
    assert np.sort(measured.latencies()["e2e_s"])[-1] >= 4 * 10 * STEP_S


def test_turns_wait_for_one_another() -> None:
    trace = make_trace(
        [0.0, np.nan, np.nan], [10, 20, 30], [10, 5, 5],
        session=[0, 0, 0], turn=[0, 1, 2], after=[-1, 0, 1], think_s=[0.0, 0.2, 0.0],
    )  # fmt: skip
    measured = replay(trace, quick_fleet(1))
    assert outcomes(measured) == ["completed"] * 3
    assert measured.arrival_s[1] == pytest.approx(measured.finish_s[0] + 0.2, abs=1e-6)
    assert measured.arrival_s[2] == pytest.approx(measured.finish_s[1], abs=1e-6)


def test_whoever_waits_for_a_refused_one_is_never_asked() -> None:
    trace = make_trace([0.0, np.nan, np.nan, 0.1], [17_000, 10, 10, 10], [1] * 4, after=[-1, 0, 1, -1])
    measured = replay(trace, quick_fleet(1))
    assert outcomes(measured) == ["refused", "unreached", "unreached", "completed"]
    assert measured.http.tolist() == [400, 0, 0, 200]
    assert "context" in measured.why[0]


def test_clients_of_the_trace_give_up() -> None:
    trace = make_trace([0.0, 0.0], [10, 10], [5_000, 5], cancel_s=[0.2, np.inf])
    measured = replay(trace, quick_fleet(1))
    assert outcomes(measured) == ["cancelled", "completed"]
    assert 0.15 < measured.finish_s[0] < 1.5
    assert measured.first_s[0] < measured.finish_s[0], "it saw its first tokens"


def test_what_never_ends_is_given_up() -> None:
    measured = replay(make_trace([0.0], [10], [15_000]), quick_fleet(1), timeout_s=0.3)
    assert outcomes(measured) == ["timeout"]


def test_a_stopped_replay_keeps_what_it_has() -> None:
    trace = make_trace([0.0, 0.0, 100.0], [10, 10, 10], [1, 5_000, 1])
    measured = replay(trace, quick_fleet(1), stop_after=0.4)
    assert measured.interrupted
    assert outcomes(measured) == ["completed", "interrupted", "interrupted"]
    assert np.isfinite(measured.latencies()["ttft_s"]).tolist() == [True, False, False]


def test_an_endpoint_that_isnt_there_or_breaks_off() -> None:
    """Every request ends with a reason; nothing hangs."""

    async def run() -> Measured:
        loop = asyncio.get_running_loop()

        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            event = b'data: {"choices":[{"text":"one"}]}\n\n'
            writer.write(head + b"%x\r\n%b\r\n" % (len(event), event))
            writer.close()

        server = await asyncio.start_server(half, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        trace = make_trace([0.0], [4], [4])
        one = Replay(trace, Upstream(f"http://127.0.0.1:{port}", loop=loop), ["m"], Prompts(trace), loop=loop)
        broken = await one.run()
        server.close()
        with socket.socket() as free:  # nobody listens at a port that was just let go of
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        one = Replay(trace, Upstream(f"http://127.0.0.1:{port}", loop=loop), ["m"], Prompts(trace), loop=loop)
        gone = await one.run()
        assert outcomes(broken) == ["broken"]
        assert broken.output_tokens.tolist() == [1]
        return gone

    gone = uvloop.run(run())
    assert outcomes(gone) == ["failed"]
    assert "refused" in gone.why[0]
