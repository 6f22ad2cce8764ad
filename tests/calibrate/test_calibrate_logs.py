"""Logs of engines in their own words: what is read, and what can't be."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from meritorder.calibrate.from_log import ENGINES, calibrate_log
from meritorder.calibrate.logs import llamacpp, sglang, trtllm, vllm
from meritorder.cli.main import run
from meritorder.fleet.profile import read_profile
from meritorder.problems import InputError

DATA = Path(__file__).parent / "data"

VLLM = """\
INFO 11-20 [kv_cache_utils.py] GPU KV cache size: 46,592 tokens
Engine 000: Iteration(41): 1 context requests, 64 context tokens, 0 generation requests, 0 generation tokens, \
iteration elapsed time: 187.32 ms, GPU KV cache usage: 0.3%
Engine 000: Iteration(42): 2 context requests, 100 context tokens, 3 generation requests, 3 generation tokens, \
iteration elapsed time: 60.5 ms, GPU KV cache usage: 1.0%
Iteration(43): 0 context requests, 0 context tokens, 4 generation requests, 4 generation tokens, \
iteration elapsed time: 20.25 ms
Iteration(44): 0 context requests, 0 context tokens, 1 generation requests, 1 generation tokens, \
iteration elapsed time: 9.0 ms (dummy), GPU KV cache usage: 0.1%
Iteration(45): something else
"""

SGLANG = """\
[2026-07-01 10:00:00] max_total_num_tokens=120000, chunked_prefill_size=8192
[2026-07-01 10:00:01] Prefill batch. #new-seq: 1, #new-token: 512, #cached-token: 0, token usage: 0.00, \
#running-req: 0, #queue-req: 2, input throughput (token/s): 0.00
[2026-07-01 10:00:01] Prefill batch. #new-seq: 2, #new-token: 600, #cached-token: 100, token usage: 0.01, \
#running-req: 1, #queue-req: 0, input throughput (token/s): 10240.00
[2026-07-01 10:00:02] Decode batch. #running-req: 3, #token: 1300, token usage: 0.01, cuda graph: True, \
gen throughput (token/s): 200.0, #queue-req: 0
[2026-07-01 10:00:03] Decode batch, #running-req: 3, #token: 1420, token usage: 0.01, cuda graph: True, \
gen throughput (token/s): 300.0, #queue-req: 0
"""

TRTLLM = """\
[TRT-LLM] [I] iter = 7, global_rank = 0, rank = 0, currank_total_requests = 1/1, host_step_time = 22.4ms, \
prev_device_step_time = 5.0ms, timestamp = 2026-08-04 19:08:13, num_scheduled_requests: 1, \
states = {'num_ctx_requests': 1, 'num_ctx_tokens': 31, 'num_generation_tokens': 0}
[TRT-LLM] [I] iter = 8, global_rank = 0, rank = 0, num_scheduled_requests = 2, kv_cache_util = 0.1, \
currank_total_requests = 1/8, host_step_time = 7.4ms, prev_device_step_time = 21.5ms, \
timestamp = 2026-08-04 19:08:13, states = {'num_ctx_requests': 0, 'num_ctx_tokens': 0, 'num_generation_tokens': 2, \
'cached_kv_tokens': 63}
[TRT-LLM] [I] iter = 9, global_rank = 0, rank = 0, num_scheduled_requests = 0, kv_cache_util = 0.1, \
currank_total_requests = 0/8, host_step_time = 7.4ms, prev_device_step_time = 6.25ms, \
timestamp = 2026-08-04 19:08:13, states = {'num_ctx_requests': 0, 'num_ctx_tokens': 0, 'num_generation_tokens': 0}
[TRT-LLM] [I] iter = 10, global_rank = 0, rank = 0, num_scheduled_requests = 1, kv_cache_util = 0.1, \
currank_total_requests = 0/8, host_step_time = 7.4ms, prev_device_step_time = 900.0ms, \
timestamp = 2026-08-04 19:08:13, states = {'num_ctx_requests': 0, 'num_ctx_tokens': 0, 'num_generation_tokens': 1}
"""


def test_vllm() -> None:
    log = vllm.read(VLLM.splitlines(), None)
    assert log.kv_tokens == 46_592
    assert log.iterations == [
        (0.18732, (0, 0.0, 64, 64 * 65 / 2)),
        (0.0605, (3, pytest.approx(465.92), 100, 100 * 51 / 2)),
        (0.02025, (4, 0.0, 0, 0.0)),
    ]
    assert not log.kv_known
    assert log.unread.startswith("Iteration(45)")


def test_sglang_lines_that_tell_only_of_themselves() -> None:
    log = sglang.read(SGLANG.splitlines(), None)
    assert log.kv_tokens == 120_000
    assert log.iterations == [
        (0.05, (0, 0.0, 512, 512 * 513 / 2)),  # 512 tokens at 10,240 a second, while others waited
        (pytest.approx(0.01), (3, 1420.0, 0, 0.0)),  # not the line before: prompts came since
    ]


def test_tensorrt_llm_times_stand_in_the_next_line() -> None:
    log = trtllm.read(TRTLLM.splitlines(), None)
    assert log.iterations == [(0.0215, (0, 0.0, 31, 31 * 32 / 2)), (0.00625, (2, 63.0, 0, 0.0))]  # idle time isn't one
    assert not log.kv_known


def test_tensorrt_llm_statistics() -> None:
    told = [
        {
            "iter": 5,
            "iterLatencyMS": 12.5,
            "inflightBatchingStats": {"numContextRequests": 1, "numCtxTokens": 32, "numGenRequests": 3},
            "kvCacheStats": {"maxNumBlocks": 1000, "tokensPerBlock": 32, "usedNumBlocks": 10},
        },
        {"iter": 6, "iterLatencyMS": 1.0, "inflightBatchingStats": {"numCtxTokens": 0, "numGenRequests": 0}},
    ]
    log = trtllm.read([orjson.dumps(told).decode()], None)
    assert log.kv_tokens == 32_000
    assert log.iterations == [(0.0125, (3, 288.0, 32, 32 * 33 / 2))]


def test_llama_cpp() -> None:
    """Written by llama.cpp itself: prompts of 10, 100 and 20 tokens, 64 tokens an iteration, three slots."""
    with (DATA / "llamacpp.log").open() as lines:
        log = llamacpp.read(lines, None)
    assert [tuple(iteration) for _, iteration in log.iterations[:5]] == [
        (0, 0.0, 10, 55.0),
        (1, 10.0, 0, 0.0),
        (1, 11.0, 63, 63 * 64 / 2),
        (1, 12.0, 57, 37 * 63 + 37 * 38 / 2 + 20 * 21 / 2),
        (3, 133.0, 0, 0.0),
    ]
    assert log.iterations[1][0] == pytest.approx(0.704032 - 0.688306)  # from its start to the next one's


def test_a_profile_from_a_log(tmp_path: Path) -> None:
    file = tmp_path / "vllm.log"
    lines = []
    for i in range(400):
        decoding, tokens = i % 7, 50 * (i % 3 == 0)
        ms = 20.0 + 2.0 * decoding + 0.5 * tokens + 0.1 * (i % 5)
        lines.append(
            f"Iteration({i}): {int(tokens > 0)} context requests, {tokens} context tokens, {decoding} generation "
            f"requests, {decoding} generation tokens, iteration elapsed time: {ms} ms"
        )
    file.write_text("\n".join(lines))
    with pytest.raises(InputError, match="KV cache"):
        calibrate_log(file, "vllm", None, {})
    profile = calibrate_log(file, "vllm", 5000, {"busy_w": 300.0})
    assert profile["quality"]["error_held_out"] < 0.02
    assert profile["measured"]["kv_tokens"] == 5000
    assert profile["measured"]["busy_w"] == 300.0
    assert profile["engine"] == {"max_sequences": 6, "token_budget": 56}
    assert "request_overhead" not in profile["engine"]


@pytest.mark.parametrize(("slower", "doubts"), [(1.0, ()), (1.8, ("noise of repeats is", "error where held out is"))])
def test_a_disturbed_machine_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], slower: float, doubts: tuple[str, ...]
) -> None:
    """Every other eighth of the log something else ran."""
    file, out = tmp_path / "vllm.log", tmp_path / "p.yaml"
    lines = []
    for i in range(800):
        decoding, tokens = i % 7, 50 * (i % 3 == 0)
        ms = (20.0 + 2.0 * decoding + 0.5 * tokens) * (slower if i // 100 % 2 else 1.0)
        lines.append(
            f"Iteration({i}): {int(tokens > 0)} context requests, {tokens} context tokens, {decoding} generation "
            f"requests, {decoding} generation tokens, iteration elapsed time: {ms} ms"
        )
    file.write_text("\n".join(lines))
    options = ["--log", str(file), "--engine", "vllm", "--kv-tokens", "5000", "-o", str(out)]
    assert run(["calibrate", *options, "--json"]) == 0
    printed = capsys.readouterr()
    told = orjson.loads(printed.out)["quality"].get("notes", [])
    assert len(told) == len(doubts)
    assert all(note.startswith(doubt) for note, doubt in zip(told, doubts, strict=True))
    assert [line.removeprefix("note: ") for line in printed.err.splitlines() if line.startswith("note: ")] == told
    assert read_profile(out).data["quality"].get("notes", []) == told


def test_logs_that_tell_nothing_are_told(tmp_path: Path) -> None:
    file = tmp_path / "other.log"
    file.write_text("Iteration(1): in another form\n" * 99)
    with pytest.raises(InputError, match="0 iterations") as caught:
        calibrate_log(file, "vllm", 1000, {})
    assert "in another form" in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        calibrate_log(tmp_path / "none.log", "vllm", 1000, {})


NO_LOGS = {
    "empty": b"",
    "text": b"hello\n",
    "binary": bytes(range(256)) * 40,
    "numbers that are none": (
        b"Iteration(1): 1 context requests, 5 context tokens, 0 generation requests, 0 generation tokens, "
        b"iteration elapsed time: 1.2.3 ms\n"
        b'{"iterLatencyMS": "soon", "inflightBatchingStats": {"numCtxTokens": 5}}\n'
        b'{"iterLatencyMS": 3, "inflightBatchingStats": {"numCtxTokens": null}}\n'
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("content", NO_LOGS.values(), ids=NO_LOGS)
def test_files_that_are_no_logs_are_told(tmp_path: Path, engine: str, content: bytes) -> None:
    file = tmp_path / "l.log"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"l\.log: tells of 0 iterations, 30 are needed"):
        calibrate_log(file, engine, None, {})
