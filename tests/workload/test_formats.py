"""What each format's columns become, and its traps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from native_files import (
    AZURE_2023,
    BAILIAN,
    BASETEN,
    CHUTES,
    COPILOT,
    MOONCAKE,
    NATIVE,
    TRACELAB,
    VIDUR,
    lines,
    parquet,
    servegen_folder,
    text,
    weka_call,
    weka_folder,
    weka_parquet,
    weka_session,
)

from meritorder.problems import InputError
from meritorder.workload.read import read
from meritorder.workload.trace import Trace


def native(name: str, folder: Path, **choices: Any) -> Trace:
    return read(NATIVE[name][0](folder), **choices)


def blocks_of(trace: Trace, request: int) -> list[int]:
    return trace.blocks[trace.block_start[request] : trace.block_start[request + 1]].tolist()


def test_azure_digits_and_zones(tmp_path: Path) -> None:
    assert native("azure-2023", tmp_path).arrival_s.tolist() == [0, 4.314579, 4.541877]
    assert native("azure-2024", tmp_path).arrival_s.tolist() == [0, 0.00993, 1.017335]
    trace = native("azure-lmm", tmp_path)
    assert trace.arrival_s.tolist() == [0, 0.877, 2.377]
    assert any("67% of the requests carry images (2 each)" in warning for warning in trace.warnings)


def test_azure_rows_with_and_without_zone_are_refused(tmp_path: Path) -> None:
    mixed = AZURE_2023 + "\n2023-11-16 18:15:52+00:00,1,1\n"
    with pytest.raises(InputError, match="time zone in some rows"):
        read(text(mixed)(tmp_path))


def test_burstgpt_is_read_by_column_name(tmp_path: Path) -> None:
    first = native("burstgpt-1", tmp_path)
    assert first.arrival_s.tolist() == [0, 40, 113]
    assert first.services == ("ChatGPT", "GPT-4")
    assert first.service.tolist() == [0, 0, 1]
    third = native("burstgpt-3", tmp_path)
    assert third.prompt_tokens.tolist() == [472, 1087, 417]
    assert third.session.tolist() == [0, 1, 0]
    assert third.turn.tolist() == [0, 0, 1]
    assert not third.closed_loop
    closed = native("burstgpt-3", tmp_path, closed_loop=True)
    assert closed.after.tolist() == [-1, -1, 0]
    assert closed.think_s[2] == pytest.approx(113 - 2.5)


def test_mooncake_counts_milliseconds_and_512_token_blocks(tmp_path: Path) -> None:
    trace = native("mooncake", tmp_path)
    assert trace.arrival_s.tolist() == [0, 0.027, 3.001]
    assert trace.block_tokens == 512
    assert [blocks_of(trace, i) for i in range(3)] == [[0, 1], [0, 1, 2], [3]]


def test_too_many_blocks_mean_another_block_size(tmp_path: Path) -> None:
    rows = [{**MOONCAKE[0], "input_length": 40, "hash_ids": [1, 2, 3]}]
    with pytest.raises(InputError, match=r":1: hash_ids: has 3 ids for a prompt of 40 tokens, which fills 1 blocks"):
        read(text(lines(rows))(tmp_path))


def test_bailian_counts_seconds_and_links_chats(tmp_path: Path) -> None:
    trace = native("bailian", tmp_path)
    assert trace.arrival_s == pytest.approx([0, 0.086, 19.386, 19.886])
    assert trace.block_tokens == 16
    assert trace.session.tolist() == [0, 1, 0, 2]
    assert trace.turn.tolist() == [0, 0, 1, 0]
    assert any("1 turns continue a chat that started before" in warning for warning in trace.warnings)
    assert blocks_of(trace, 2)[:2] == blocks_of(trace, 0)[:2]
    closed = native("bailian", tmp_path, closed_loop=True)
    assert closed.after.tolist() == [-1, -1, 0, -1]
    assert any("contain the recorded answers" in warning for warning in closed.warnings)


def test_bailian_in_milliseconds_is_noticed(tmp_path: Path) -> None:
    rows = [{**BAILIAN[0], "chat_id": i, "timestamp": 1000.0 * i} for i in range(20)]
    with pytest.raises(InputError, match="looks like milliseconds"):
        read(text(lines(rows))(tmp_path))


def test_weka_subagents_are_relative_in_json_and_absolute_in_parquet(tmp_path: Path) -> None:
    session = native("weka-json", tmp_path)
    flat = read(weka_parquet(tmp_path), start_spacing_s=1000)
    for trace in (session, flat):
        assert trace.arrival_s[:4].tolist() == [0, 12, 17, 30]
        assert trace.after[:4].tolist() == [-1, -1, 1, 0]
        assert trace.think_s[:4].tolist() == [0, 0, 1, 26]
        assert trace.session[:4].tolist() == [0, 0, 0, 0]
        assert trace.turn[:4].tolist() == [0, 1, 2, 3]
        assert blocks_of(trace, 3)[:2] == blocks_of(trace, 0)
        assert trace.block_tokens == 64


def test_weka_ids_are_local_to_a_session(tmp_path: Path) -> None:
    trace = read(weka_folder(tmp_path))
    first = {b for i in range(len(trace)) if trace.session[i] == 0 for b in blocks_of(trace, i)}
    second = {b for i in range(len(trace)) if trace.session[i] == 1 for b in blocks_of(trace, i)}
    assert not first & second
    assert len(first) == len(second) == 6


def test_weka_duplicates_are_reported(tmp_path: Path) -> None:
    assert any("1 sessions repeat another one exactly" in w for w in read(weka_folder(tmp_path)).warnings)


def test_weka_near_duplicates_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "near"
    folder.mkdir()
    calls = [weka_call(10.0 * i, 100 + i, 5, [1]) for i in range(5)]
    (folder / "a.json").write_text(json.dumps({**weka_session(), "requests": calls}))
    (folder / "b.json").write_text(json.dumps({**weka_session(), "requests": calls[:4]}))
    assert any("1 pairs of sessions share" in warning for warning in read(folder).warnings)


def test_weka_session_starts_are_chosen(tmp_path: Path) -> None:
    path = weka_parquet(tmp_path)
    even = read(path, start_spacing_s=7)
    starts = [even.arrival_s[even.session == s].min() for s in (0, 1)]
    assert starts == [0, 7]
    poisson = read(path, start_spacing_s=7, start_seed=3)
    assert poisson.arrival_s[0] == 0
    assert poisson.arrival_s[poisson.session == poisson.session.max()].min() != 7
    assert np.array_equal(poisson.arrival_s, read(path, start_spacing_s=7, start_seed=3).arrival_s)
    assert any("no wall clock" in warning for warning in even.warnings)


def test_weka_open_loop(tmp_path: Path) -> None:
    trace = read(weka_parquet(tmp_path), closed_loop=False)
    assert not trace.closed_loop
    assert (np.diff(trace.arrival_s) >= 0).all()


def test_weka_gaps_in_the_recording_are_told(tmp_path: Path) -> None:
    trace = read(weka_parquet(tmp_path), start_spacing_s=1000)
    assert trace.output_tokens[4] == 1
    assert any("1 of 6 calls have no output token" in warning for warning in trace.warnings)
    # No think time recorded, nor how long the call before took: the whole gap.
    assert trace.think_s[5] == 9
    assert any("1 calls have no think_time" in warning for warning in trace.warnings)


def test_tracelab_mints_ids_from_the_prefix_split(tmp_path: Path) -> None:
    trace = native("tracelab", tmp_path)
    assert trace.arrival_s.tolist() == [0, 5, 10]
    assert trace.prompt_tokens.tolist() == [1000, 640, 1300]
    assert trace.session.tolist() == [0, 1, 0]  # the same id at another provider is another session
    assert len(blocks_of(trace, 0)) == 1000 // 64
    shared = [a == b for a, b in zip(blocks_of(trace, 2), blocks_of(trace, 0), strict=False)]
    assert shared == [True] * (1000 // 64)
    assert not set(blocks_of(trace, 1)) & set(blocks_of(trace, 0))
    assert trace.after.tolist() == [-1, -1, 0]
    assert trace.think_s[2] == pytest.approx(10 - 4.5)
    assert any("cached at a session's first call" in warning for warning in trace.warnings)


def test_copilot_calls_become_closed_loops(tmp_path: Path) -> None:
    trace = native("copilot", tmp_path)
    assert trace.arrival_s.tolist() == [0, 3, 5, 60]
    assert trace.after.tolist() == [-1, -1, 0, 2]
    assert trace.think_s.tolist() == [0, 0, 3, 53]
    assert blocks_of(trace, 2)[:10] == blocks_of(trace, 0)
    assert blocks_of(trace, 3)[:5] == blocks_of(trace, 0)[:5]
    assert blocks_of(trace, 3)[5] not in blocks_of(trace, 2)
    assert not native("copilot", tmp_path, closed_loop=False).closed_loop


def test_chutes_counts_microseconds_and_leaves_out_other_models(tmp_path: Path) -> None:
    trace = native("chutes", tmp_path)
    assert trace.arrival_s.tolist() == [0, 1.5, 3]
    assert trace.services == ("llama", "qwen")
    assert any("1 invocations have no token counts" in warning for warning in trace.warnings)
    assert any("1 prompts were partly cached" in warning for warning in trace.warnings)
    typed = {**CHUTES, "started_at": pa.array(CHUTES["started_at"], pa.timestamp("us"))}
    pq.write_table(pa.table(typed), tmp_path / "typed")
    assert read(tmp_path / "typed").arrival_s.tolist() == [0, 1.5, 3]


def test_baseten_hashes_and_sessions(tmp_path: Path) -> None:
    trace = native("baseten", tmp_path)
    assert trace.arrival_s == pytest.approx([0, 0.1, 3.1])
    assert trace.session.tolist() == [0, 1, 0]
    assert trace.block_tokens == 64
    assert [blocks_of(trace, i) for i in range(3)] == [[0, 1], [0, 2], [3]]
    plain = {name: values for name, values in BASETEN.items() if name not in ("total_hashes", "block_size")}
    assert not read(parquet(plain)(tmp_path)).has_blocks
    unsized = {name: values for name, values in BASETEN.items() if name != "block_size"}
    with pytest.raises(InputError, match="block_size: is missing"):
        read(parquet(unsized)(tmp_path))


def test_servegen_folder_is_drawn_from(tmp_path: Path) -> None:
    folder = servegen_folder(tmp_path)
    trace = read(folder, window_s=(600, 1200))
    # Rates 2 and 1 per second; counts vary as renewals do.
    assert 1500 < len(trace) < 2100
    assert set(trace.prompt_tokens.tolist()) == {100, 300}
    assert (trace.output_tokens == 20).mean() == pytest.approx(0.75, abs=0.05)
    assert trace.services == ("m-tiny",)
    assert any("clients without published lengths" in warning for warning in trace.warnings)
    # Marginals are independent: neither length tells the other.
    assert abs(np.corrcoef(trace.prompt_tokens, trace.output_tokens)[0, 1]) < 0.1
    with pytest.raises(InputError, match="outside the data"):
        read(folder, window_s=(90_000, 91_000))


def test_servegen_counts_have_real_variance(tmp_path: Path) -> None:
    folder = tmp_path / "poisson"
    folder.mkdir()
    rows = "".join(f"{600 * i},1.0,1.0,Gamma,1.0,1.0\n" for i in range(40))
    (folder / "chunk-0-trace.csv").write_text(rows)
    (folder / "chunk-0-dataset.json").write_text('{"0": {"input_tokens": {"5": 1}, "output_tokens": {"5": 1}}}')
    trace = read(folder, window_s=(0, 24_000))
    counts = np.bincount((trace.arrival_s // 600).astype(int))
    # Shape 1 is Poisson: variance over mean is 1 (here from 40 windows).
    assert 0.5 < counts.var() / counts.mean() < 1.7
    gaps = np.diff(trace.arrival_s)
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("-5", "is -5; give a whole number of tokens from 1 to 10,000,000"),
        ("nan", "is nan"),
        ("inf", "is inf"),
        ("3.5", "is 3.5"),
        ("0", "is 0; give a whole number of tokens from 1"),
        ("99999999999", "is 99,999,999,999"),
        ("12000000", "is 12,000,000"),
        ("many", 'is "many"'),
        ("", "is missing"),
        ("1e400", "is inf"),
    ],
)
def test_bad_cells_are_named_with_line_column_and_value(cell: str, said: str, tmp_path: Path) -> None:
    path = text(VIDUR + f"9,{cell},5\n")(tmp_path)
    with pytest.raises(InputError) as error:
        read(path)
    assert f"{path}:5: num_prefill_tokens: {said}" in str(error.value)
    path = text(AZURE_2023 + f"\n2023-11-16 19:00:00,{cell},5\n")(tmp_path)
    with pytest.raises(InputError) as error:
        read(path)
    assert f"{path}:5: ContextTokens: {said}" in str(error.value)


@pytest.mark.parametrize("value", [-1, None, "7", True, 3.5, 10**30, [1], 2**31])
def test_bad_json_values_are_named(value: object, tmp_path: Path) -> None:
    rows = [*MOONCAKE, {**MOONCAKE[2], "input_length": value}]
    with pytest.raises(InputError, match=":4: input_length: is "):
        read(text(lines(rows))(tmp_path))
    rows = [*MOONCAKE, {**MOONCAKE[2], "timestamp": value if value not in (2**31, 3.5) else -0.5}]
    with pytest.raises(InputError, match=":4: timestamp: is "):
        read(text(lines(rows))(tmp_path))


def test_every_bad_row_is_counted(tmp_path: Path) -> None:
    content = "arrived_at,num_prefill_tokens,num_decode_tokens\n" + "1,-1,5\n" * 37
    with pytest.raises(InputError) as error:
        read(text(content)(tmp_path))
    assert len(error.value.problems) == 11
    assert "27 more rows like these" in str(error.value)


def test_lines_are_right_behind_blank_ones(tmp_path: Path) -> None:
    path = text(VIDUR + "\n\n9,-4,5\n")(tmp_path)
    with pytest.raises(InputError, match=r":7: num_prefill_tokens: is -4"):
        read(path)
    assert len(read(text(VIDUR + "\n\n9,4,5\n\n")(tmp_path))) == 4


def test_a_row_cut_off_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r":4: has 2 of 3 columns"):
        read(text(AZURE_2023.rsplit(",", 1)[0])(tmp_path))
    with pytest.raises(InputError, match=r":3: ends in the middle of a record"):
        read(text(lines(MOONCAKE)[:-20])(tmp_path))


def test_a_bad_date_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r':5: TIMESTAMP: is "yesterday"'):
        read(text(AZURE_2023 + "\nyesterday,5,5\n")(tmp_path))
    path = text(lines([{**TRACELAB[0], "timing_events": []}]))(tmp_path)
    with pytest.raises(InputError, match="timing_events: has no timestamp"):
        read(path)
    bad = json.loads(json.dumps(COPILOT))
    bad[0]["turns"][1]["llm_calls"][0]["timestamp"] = "noon"
    with pytest.raises(InputError, match=r'turns\[1\].llm_calls\[\].timestamp: is "noon"'):
        read(text(lines(bad))(tmp_path))


def test_huge_times_mean_another_unit(tmp_path: Path) -> None:
    content = "arrived_at,num_prefill_tokens,num_decode_tokens\n1700000000000,5,5\n"
    with pytest.raises(InputError, match=r"arrived_at: is 1,700,000,000,000; give seconds"):
        read(text(content)(tmp_path))


def test_weka_rows_are_checked(tmp_path: Path) -> None:
    session = weka_session()
    session["requests"][0]["in"] = 0
    with pytest.raises(InputError, match=r"request 1: in: is 0"):
        read(text(json.dumps(session))(tmp_path))
    session = weka_session()
    session["requests"][2]["t"] = "late"
    with pytest.raises(InputError, match=r'request 4: t: is "late"'):
        read(text(json.dumps(session))(tmp_path))
