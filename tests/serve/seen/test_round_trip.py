"""Would another fleet have served my last hour better? From requests that ended to the simulator's answer."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from ended_requests import FLEET, ended, fleet

from meritorder.cli.main import run
from meritorder.serve.seen.recorder import Recorder
from meritorder.simulate.run import simulate
from meritorder.workload.find import find
from meritorder.workload.trace import Trace, make_trace


def traffic(seed: int, requests: int = 300) -> Trace:
    """Prompts of conversations that share their beginnings, of the services of the fleet."""
    g = np.random.default_rng(seed)
    counts = g.integers(1, 9, requests)
    user = g.integers(0, 20, requests)
    blocks = np.concatenate([100 * one + np.arange(count) for one, count in zip(user, counts, strict=True)])
    return make_trace(
        np.sort(g.uniform(0, 60, requests)),
        counts * 64 + g.integers(0, 64, requests),
        g.integers(2, 200, requests),
        service=user % 3,
        services=("chat", "bulk", "think"),
        block_start=np.concatenate(([0], np.cumsum(counts))),
        blocks=blocks,
        block_tokens=64,
    )


def record(trace: Trace, folder: Path, workers: int) -> None:
    """As a gateway would that was sent this traffic: requests end in another order than they came in."""
    recorders = [Recorder(fleet(), worker, b"salt", folder=folder) for worker in range(workers)]
    hashes = np.random.default_rng(9).integers(0, 2**64, trace.unique_blocks, np.uint64)
    texts = [hashes[trace.blocks[a:b]] for a, b in itertools.pairwise(trace.block_start.tolist())]
    accounts = [
        ended(
            float(trace.arrival_s[i]),
            service=int(trace.service[i]),
            pool=2 if trace.service[i] == 2 else 0,
            prompt=int(trace.prompt_tokens[i]),
            output=int(trace.output_tokens[i]),
            blocks=texts[i],  # type: ignore[arg-type]
        )
        for i in range(len(trace))
    ]
    for number, account in enumerate(sorted(accounts, key=lambda account: account.ended)):
        recorders[number % workers](account)
    for recorder in recorders:
        recorder.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_recorded_traffic_simulates_as_the_traffic_itself(tmp_path: Path, workers: int) -> None:
    trace = traffic(seed=workers)
    record(trace, tmp_path, workers)
    again = find(str(tmp_path))
    np.testing.assert_allclose(again.arrival_s, trace.arrival_s - trace.arrival_s[0], atol=1e-6)
    for column in ("prompt_tokens", "output_tokens", "block_start", "blocks"):
        np.testing.assert_array_equal(getattr(again, column), getattr(trace, column), column)
    assert [again.services[i] for i in again.service] == [trace.services[i] for i in trace.service]
    before, after = simulate(fleet(), trace, seed=1), simulate(fleet(), again, seed=1)
    np.testing.assert_array_equal(after.pool, before.pool)
    np.testing.assert_allclose(after.first_s - again.arrival_s, before.first_s - trace.arrival_s, atol=1e-4)


def test_the_command_line_takes_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(traffic(seed=5), tmp_path / "recordings", 2)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    larger = FLEET.replace("model: llama-3.1-8b, replicas: 1", "model: llama-3.1-8b, replicas: 4")
    (tmp_path / "larger.yaml").write_text(larger)
    summaries = []
    for name in ("fleet.yaml", "larger.yaml"):
        assert run(["simulate", str(tmp_path / name), str(tmp_path / "recordings"), "--json"]) == 0
        summaries.append(json.loads(capsys.readouterr().out))
    for summary in summaries:
        assert summary["completed"] == 300
        assert set(summary["by_service"]) == {"chat", "bulk", "think"}
    assert summaries[0]["cost_usd"] < summaries[1]["cost_usd"]
