"""Recognition, compression, choices of reading, and the real traces."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import zstandard
from native_files import AZURE_2023, BURSTGPT_1, MOONCAKE, NATIVE, VIDUR, lines, text

from meritorder.problems import InputError
from meritorder.workload.read import read, recognise
from meritorder.workload.reading.peek import peek
from meritorder.workload.trace import Trace

TEXTS = ("azure-2023", "azure-lmm", "burstgpt-3", "vidur", "mooncake", "bailian", "weka-json", "tracelab", "copilot")


def check_contract(trace: Trace) -> None:
    """What everything behind the readers relies on."""
    n = len(trace)
    assert n > 0
    clock = trace.after < 0
    assert (np.diff(trace.arrival_s[clock]) >= 0).all()
    assert np.isfinite(trace.arrival_s[clock]).all()
    assert (trace.after < np.arange(n)).all()
    assert (trace.prompt_tokens >= 1).all()
    assert (trace.output_tokens >= 1).all()
    assert (trace.think_s >= 0).all()
    assert trace.block_start[0] == 0
    assert trace.block_start[-1] == len(trace.blocks)
    if trace.has_blocks:
        assert (np.diff(trace.block_start) <= np.ceil(trace.prompt_tokens / trace.block_tokens)).all()
        assert set(trace.blocks.tolist()) == set(range(trace.unique_blocks))
    else:
        assert len(trace.blocks) == 0
    assert (trace.service >= 0).all()
    assert (trace.service < len(trace.services)).all()


@pytest.mark.parametrize("name", NATIVE)
def test_every_format_is_recognised_by_content(name: str, tmp_path: Path) -> None:
    write, format, requests = NATIVE[name]
    path = write(tmp_path)
    assert format == recognise(peek(path), None).NAME
    trace = read(path)
    check_contract(trace)
    assert trace.source
    if requests is not None:
        assert len(trace) == requests
    forced = read(path, format)
    assert np.array_equal(forced.arrival_s, trace.arrival_s, equal_nan=True)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_files_are_read_like_plain_ones(name: str, pack: object, tmp_path: Path) -> None:
    path = NATIVE[name][0](tmp_path)
    packed = tmp_path / "packed"
    packed.write_bytes(pack(path.read_bytes()))  # type: ignore[operator]
    assert np.array_equal(read(packed).arrival_s, read(path).arrival_s)


def test_a_byte_order_mark_and_windows_lines_change_nothing(tmp_path: Path) -> None:
    plain = read(text(VIDUR)(tmp_path))
    for name, content in (("a", VIDUR), ("b", lines(MOONCAKE))):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode())
        trace = read(path)
        assert len(trace) == 3
        if name == "a":
            assert np.array_equal(trace.prompt_tokens, plain.prompt_tokens)


def test_unknown_files_say_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(text("time,tokens\n1,2\n")(tmp_path))
    message = str(error.value)
    assert "found a first line time, tokens" in message
    for name in (
        "azure",
        "burstgpt",
        "mooncake",
        "bailian",
        "weka",
        "servegen",
        "vidur",
        "tracelab",
        "copilot",
        "chutes",
    ):
        assert f"{name}:" in message


def test_a_file_that_fits_two_formats_asks_for_one(tmp_path: Path) -> None:
    header = "TIMESTAMP,ContextTokens,GeneratedTokens,arrived_at,num_prefill_tokens,num_decode_tokens\n"
    path = text(header + "2023-11-16 18:15:46.6805900,374,44,7.0,100,5\n")(tmp_path)
    with pytest.raises(InputError, match="fits several formats: azure and vidur; choose one with --format"):
        read(path)
    assert read(path, "vidur").prompt_tokens.tolist() == [100]
    assert read(path, "azure").prompt_tokens.tolist() == [374]


def test_a_forced_format_must_fit_and_be_known(tmp_path: Path) -> None:
    path = text(VIDUR)(tmp_path)
    with pytest.raises(InputError, match="is no azure trace"):
        read(path, "azure")
    with pytest.raises(InputError, match='did you mean "vidur"'):
        read(path, "vidor")


def test_limit_keeps_the_first_requests(tmp_path: Path) -> None:
    for name, (write, _, requests) in NATIVE.items():
        folder = tmp_path / name
        folder.mkdir()
        path = write(folder)
        whole, some = read(path), read(path, limit=2)
        assert len(some) == 2
        check_contract(some)
        if requests is not None and name not in ("tracelab",):
            assert some.prompt_tokens.tolist() == whole.prompt_tokens[:2].tolist()
    with pytest.raises(InputError, match="--limit: is 0"):
        read(path, limit=0)


def test_unsorted_rows_are_refused_with_the_line_and_sorted_on_demand(tmp_path: Path) -> None:
    path = text("arrived_at,num_prefill_tokens,num_decode_tokens\n5,1,1\n7,2,1\n6,3,1\n4,4,1\n")(tmp_path)
    with pytest.raises(InputError) as error:
        read(path)
    assert f"{path}:4: arrived_at: goes back in time against line 3" in str(error.value)
    assert "merit traffic convert --sort" in str(error.value)
    trace = read(path, sort=True)
    assert trace.arrival_s.tolist() == [0, 1, 2, 3]
    assert trace.prompt_tokens.tolist() == [4, 1, 3, 2]
    assert any("sorted" in warning for warning in trace.warnings)


def test_failed_requests_are_left_out_and_counted(tmp_path: Path) -> None:
    trace = read(text(BURSTGPT_1)(tmp_path))
    assert trace.output_tokens.tolist() == [18, 230, 276]
    assert any(warning.startswith("1 of 4 rows") for warning in trace.warnings)
    empty = tmp_path / "failed"
    empty.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n1,5,0\n")
    with pytest.raises(InputError, match="no request that was answered"):
        read(empty)


def test_jitter_spreads_a_grid_in_order_and_by_seed(tmp_path: Path) -> None:
    rows = [{**MOONCAKE[0], "timestamp": 3000 * (i // 10), "output_length": i + 1} for i in range(200)]
    path = text(lines(rows))(tmp_path)
    raw = read(path)
    assert any("3 s grid" in warning for warning in raw.warnings)
    spread = read(path, jitter_seed=1)
    assert not any("--jitter" in warning for warning in spread.warnings)
    assert (np.floor(spread.arrival_s / 3) == raw.arrival_s / 3).all()
    assert (np.diff(spread.arrival_s) > 0).all()
    assert spread.output_tokens.tolist() == raw.output_tokens.tolist()
    assert np.array_equal(spread.arrival_s, read(path, jitter_seed=1).arrival_s)
    assert not np.array_equal(spread.arrival_s, read(path, jitter_seed=2).arrival_s)


def test_a_closed_loop_needs_sessions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sessions"):
        read(text(AZURE_2023)(tmp_path), closed_loop=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "blank lines"),
        (b"[{}, {}]", "JSON array"),
        (AZURE_2023.encode("utf-16"), "UTF-16"),
        (b"\x00\x01\x02garbage", "neither text nor Parquet"),
        (gzip.compress(AZURE_2023.encode() * 50)[:-20], "middle of its compressed data"),
        (gzip.compress(b""), "blank lines"),
        (b"PAR1" + b"x" * 40, "can't be read"),
        (b'{"timestamp": 1, "inp', "no JSON"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", "no request that was answered|no rows"),
    ],
)
def test_damaged_files_give_one_clear_message(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        read(path)
    assert len(error.value.problems) == 1
    assert str(path) in str(error.value)


def test_missing_files_and_odd_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="empty folder"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="no trace format that is known"):
        read(tmp_path)


def test_azure_2023_whole(shared: Path) -> None:
    conv = read(shared / "traces" / "AzureLLMInferenceTrace_conv.csv.gz")
    code = read(shared / "traces" / "AzureLLMInferenceTrace_code.csv.gz")
    assert (len(conv), len(code)) == (19_366, 8_819)
    assert (round(conv.prompt_tokens.mean()), round(conv.output_tokens.mean())) == (1_155, 211)
    assert (round(code.prompt_tokens.mean()), round(code.output_tokens.mean())) == (2_048, 28)
    gaps = np.diff(conv.arrival_s)
    assert gaps.std() / gaps.mean() == pytest.approx(1.09, abs=0.01)
    gaps = np.diff(code.arrival_s)
    assert gaps.std() / gaps.mean() == pytest.approx(13.2, abs=0.1)
    assert "2023-11-16 18:15:46" in conv.source
    check_contract(conv)


def test_mooncake_whole(shared: Path) -> None:
    path = shared / "traces" / "mooncake_conversation_trace.jsonl.gz"
    trace = read(path)
    assert len(trace) == 12_031
    assert trace.prompt_tokens.astype(np.int64).sum() == 144_793_823
    assert trace.unique_blocks == 182_790
    assert trace.block_tokens == 512
    assert any("3 s grid" in warning for warning in trace.warnings)
    gaps = np.diff(trace.arrival_s)
    assert gaps.std() / gaps.mean() == pytest.approx(3.03, abs=0.01)
    gaps = np.diff(read(path, jitter_seed=0).arrival_s)
    assert gaps.std() / gaps.mean() == pytest.approx(1.01, abs=0.03)
    check_contract(trace)


def test_mooncake_in_seconds_is_noticed(shared: Path, tmp_path: Path) -> None:
    with gzip.open(shared / "traces" / "mooncake_conversation_trace.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    path = tmp_path / "seconds.jsonl"
    path.write_text(lines([{**row, "timestamp": row["timestamp"] / 1000} for row in rows]))
    with pytest.raises(InputError, match="looks like seconds"):
        read(path)
    assert any("looks like seconds" in warning for warning in read(path, "mooncake").warnings)


def test_weka_parquet_whole(shared: Path) -> None:
    trace = read(shared / "traces" / "weka_claude_code.parquet")
    assert len(trace) == 26_088
    assert len(np.unique(trace.session)) == 383
    assert round(trace.prompt_tokens.mean()) == 114_214
    assert trace.output_tokens.mean() == pytest.approx(436, abs=0.5)
    assert len(trace.blocks) == 46_543_652
    assert trace.closed_loop
    # 383 main agents and 50 sub-agents start by the clock.
    assert (trace.after < 0).sum() == 383 + 50
    assert any("near-duplicates" in warning for warning in trace.warnings)
    assert (trace.after < np.arange(len(trace))).all()
    # Ids of different sessions are apart: each block belongs to one session.
    owner = np.full(trace.unique_blocks, -1)
    counts = np.diff(trace.block_start)
    owner[trace.blocks] = np.repeat(trace.session, counts)
    assert (owner[trace.blocks] == np.repeat(trace.session, counts)).all()


def test_weka_native_sample_agrees_with_the_parquet_form(shared: Path) -> None:
    import pyarrow.parquet as pq

    native = read(shared / "traces" / "weka_native_sample" / "trace_0291.json.gz")
    table = pq.read_table(shared / "traces" / "weka_claude_code.parquet", filters=[("trace_id", "=", "trace_0291")])
    if not len(table):
        pytest.skip("this session isn't in the shared part")
    order = np.argsort(table["t"].to_numpy(), kind="stable")
    assert np.allclose(native.arrival_s, table["t"].to_numpy()[order])
    assert native.prompt_tokens.tolist() == table["in"].to_numpy()[order].tolist()


def test_servegen_rates_are_reproduced(shared: Path) -> None:
    path = shared / "traces" / "servegen_rates.parquet"
    trace = read(path, model="mm-image", window_s=(36_000, 39_600))
    assert len(trace) / 3600 == pytest.approx(12.5, rel=0.06)
    again = read(path, model="mm-image", window_s=(36_000, 39_600))
    other = read(path, model="mm-image", window_s=(36_000, 39_600), seed=1)
    assert np.array_equal(trace.arrival_s, again.arrival_s)
    assert not np.array_equal(trace.arrival_s[:100], other.arrival_s[:100])
    with pytest.raises(InputError, match="choose one with `merit traffic convert --model NAME`"):
        read(path)
    with pytest.raises(InputError, match='did you mean "mm-image"'):
        read(path, model="mm-imag")


def test_times_in_a_smaller_unit_are_suspected(tmp_path: Path) -> None:
    head = "arrived_at,num_prefill_tokens,num_decode_tokens\n"
    path = tmp_path / "milliseconds.csv"
    path.write_text(head + "".join(f"{200_003 * i},{9 + i},9\n" for i in range(100)))
    assert any("are the times really in seconds" in warning for warning in read(path).warnings)
    path.write_text(head + "".join(f"{20.3 * i},{9 + i},9\n" for i in range(100)))
    assert not any("really in seconds" in warning for warning in read(path).warnings)
