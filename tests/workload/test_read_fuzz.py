"""Whatever bytes come in: a trace that keeps its contract, or one InputError; never another exception."""

from __future__ import annotations

import gzip
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native_files import NATIVE
from test_read import check_contract

from meritorder.problems import InputError
from meritorder.workload.convert import convert
from meritorder.workload.parquet import read_parquet
from meritorder.workload.read import read

HEADERS = (
    b"TIMESTAMP,ContextTokens,GeneratedTokens\n",
    b"TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n",
    b"Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens\n",
    b"arrived_at,num_prefill_tokens,num_decode_tokens\n",
    b'{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": [1]}\n',
    b'{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0, "input_length": 5, "output_length": 5}\n',
    b'{"requests": [], "block_size": 64',
    b'{"session_id": "a", "turns": [',
    b'{"prefix_tokens": 1, "newly_append_tokens": 1, "output_tokens": 1, "timing_events": [',
    b"PAR1",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
)
# Pieces that break parsers: signs, quotes, brackets, numbers of other kinds, dates, odd characters.
SNIPPETS = st.sampled_from(
    [
        *(
            b",",
            b"\n",
            b"\r\n",
            b'"',
            b"-",
            b"nan",
            b"1e999",
            b"null",
            b"[",
            b"]",
            b"{",
            b"}",
            b"\x00",
            b"\xff",
            b"true",
        ),
        *(
            b"0",
            b"99999999999999999999",
            b"2023-13-45 99:00:00",
            b"-1",
            b".5",
            b"\xe2\x82\xac",
            b'"a":1',
            b"1970-01-01",
        ),
    ]
)
QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def original(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = NATIVE[name][0](Path(folder))
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return files[0].read_bytes()


def survives(content: bytes, name: str = "fuzz") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            trace = read(path)
        except InputError:
            return
        check_contract(trace)


@QUICK
@given(st.one_of(st.binary(max_size=200), st.builds(bytes.__add__, st.sampled_from(HEADERS), st.binary(max_size=200))))
def test_random_bytes(content: bytes) -> None:
    survives(content)


@QUICK
@given(st.sampled_from(HEADERS), st.lists(SNIPPETS, max_size=30))
def test_headers_with_odd_pieces(header: bytes, pieces: list[bytes]) -> None:
    survives(header + b"".join(pieces))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(NATIVE)), st.floats(0, 1), st.integers(0, 12), st.one_of(SNIPPETS, st.binary(max_size=4)),
    st.booleans(),
)  # fmt: skip
def test_native_files_with_a_piece_exchanged(name: str, where: float, cut: int, piece: bytes, packed: bool) -> None:
    content = original(name)
    at = int(where * len(content))
    changed = content[:at] + piece + content[at + cut :]
    survives(gzip.compress(changed, 1) if packed else changed)


@QUICK
@given(st.sampled_from(sorted(NATIVE)), st.floats(0, 1))
def test_native_files_cut_off(name: str, where: float) -> None:
    content = original(name)
    survives(content[: int(where * len(content))])


@QUICK
@given(st.sampled_from(sorted(NATIVE)), st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_packed_files_damaged(name: str, where: float, noise: bytes) -> None:
    packed = gzip.compress(original(name), 1)
    at = int(where * len(packed))
    survives(packed[:at] + noise + packed[at + len(noise) :])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["azure-2023", "burstgpt-3", "vidur"]), st.floats(0, 1), SNIPPETS)
def test_conversion_leaves_a_whole_file_or_none(name: str, where: float, piece: bytes) -> None:
    content = original(name)
    at = int(where * len(content))
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "source", Path(folder) / "target.parquet"
        path.write_bytes(content[:at] + piece + content[at:])
        try:
            done = convert(path, target)
        except InputError:
            assert [p.name for p in Path(folder).iterdir()] == ["source"]
            return
        assert len(read_parquet(target)) == done.requests


ODD_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5),
    st.lists(st.integers(-5, 5), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def replace_somewhere(value: Any, where: float, new: Any) -> Any:
    """A copy of a JSON value with one of its inner values exchanged; `where` in [0, 1) chooses which."""
    if isinstance(value, dict | list) and value and where > 0.02:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = where * len(keys)
        key = keys[min(int(place), len(keys) - 1)]
        inside = replace_somewhere(value[key], place - int(place), new)
        return {**value, key: inside} if isinstance(value, dict) else [*value[:key], inside, *value[key + 1 :]]
    return new


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["mooncake", "bailian", "weka-json", "tracelab", "copilot"]),
    st.lists(st.tuples(st.floats(0.03, 1, exclude_max=True), ODD_VALUES), min_size=1, max_size=3),
)
def test_json_with_values_exchanged(name: str, changes: list[tuple[float, Any]]) -> None:
    records = [json.loads(line) for line in original(name).splitlines()]
    for where, new in changes:
        records = replace_somewhere(records, where, new)
    survives("".join(json.dumps(record) + "\n" for record in records).encode())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["chutes", "baseten", "weka-parquet", "own", "servegen-rates"]), st.data())
def test_parquet_with_a_column_exchanged(name: str, data: st.DataObject) -> None:
    if name == "own":
        table = pa.table({"arrival_s": [0.0, 1.0, 2.0], "prompt_tokens": [5, 6, 7], "output_tokens": [7, 8, 9],
                          "service": ["a", "b", "a"], "after": [-1, 0, -1], "think_s": [0.0, 1.0, 0.0]})  # fmt: skip
    elif name == "servegen-rates":
        table = pa.table({"model": ["m"] * 3, "client": [0, 0, 1], "start_s": [0, 600, 0], "rate": [0.1, 0.2, 0.3],
                          "pattern": ["Gamma", "Weibull", "Gamma"], "arg1": [1.0, 0.5, 2.0]})  # fmt: skip
    else:
        table = pq.read_table(pa.BufferReader(original(name)))
    column = data.draw(st.sampled_from(table.column_names))
    values = data.draw(
        st.one_of(
            *(
                st.lists(st.one_of(st.none(), kind), min_size=len(table), max_size=len(table))
                for kind in (
                    *(st.integers(-5, 5), st.integers(-(2**62), 2**62), st.floats(), st.text(max_size=3)),
                    *(st.booleans(), st.lists(st.integers(-3, 300), max_size=3), st.lists(st.text(max_size=1))),
                    st.datetimes(),
                )
            )
        )
    )
    changed = table.set_column(table.column_names.index(column), column, pa.array(values))
    sink = pa.BufferOutputStream()
    pq.write_table(changed, sink)
    survives(sink.getvalue().to_pybytes())
