"""Streaming conversion: the same trace as reading, at flat memory, whole or not at all."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from native_files import AZURE_2023, NATIVE, text
from test_parquet import assert_same

from meritorder.problems import InputError
from meritorder.workload import formats
from meritorder.workload.convert import convert
from meritorder.workload.parquet import read_parquet
from meritorder.workload.read import read
from meritorder.workload.reading.options import Options

STREAMED = ("azure-2023", "azure-2024", "azure-lmm", "burstgpt-1", "burstgpt-3", "vidur", "chutes")


def write_azure(path: Path, rows: int, bad_row: int | None = None) -> None:
    """A file like the week of 2024: `rows` requests, 22 ms apart on average."""
    rng = np.random.default_rng(7)
    times = np.datetime64("2024-05-10T00:00:00.000001", "us") + np.cumsum(rng.integers(1, 44_000, rows))
    texts = np.char.replace(np.datetime_as_string(times, unit="us"), "T", " ").tolist()
    prompts, outputs = rng.integers(1, 4000, rows).tolist(), rng.integers(0, 500, rows).tolist()
    if bad_row is not None:
        prompts[bad_row] = -3
    with path.open("w") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        file.writelines(f"{t}+00:00,{p},{o}\n" for t, p, o in zip(texts, prompts, outputs, strict=True))


@pytest.mark.parametrize("name", NATIVE)
def test_a_converted_file_holds_what_reading_gives(name: str, tmp_path: Path) -> None:
    source, target = NATIVE[name][0](tmp_path), tmp_path / "out.parquet"
    done = convert(source, target)
    trace = read(source)
    assert done.streamed == (name in STREAMED)
    assert done.requests == len(trace)
    assert_same(read_parquet(target), trace)


def test_batches_join_seamlessly(tmp_path: Path) -> None:
    source, target = tmp_path / "big.csv", tmp_path / "big.parquet"
    write_azure(source, 200_000)
    done = convert(source, target)
    assert done.streamed
    assert_same(read_parquet(target), read(source))
    packed = tmp_path / "big.csv.gz"
    packed.write_bytes(gzip.compress(source.read_bytes(), 1))
    seen: list[float] = []
    convert(packed, target, options=Options(progress=seen.append))
    assert len(read_parquet(target)) == done.requests
    assert len(seen) >= 2
    assert seen == sorted(seen)
    assert seen[-1] <= 1


def test_a_bad_row_far_down_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    source, target = tmp_path / "big.csv", tmp_path / "big.parquet"
    write_azure(source, 200_000, bad_row=180_000)
    content = source.read_text().splitlines()
    line = next(i for i, row in enumerate(content, start=1) if ",-3," in row)
    with pytest.raises(InputError) as error:
        convert(source, target)
    # A request without output may have any prompt, so the row must be one with output.
    assert f"{source}:{line}: ContextTokens: is -3" in str(error.value)
    assert not target.exists()
    assert not list(tmp_path.glob(".*partial"))


def test_unsorted_rows_between_batches_are_noticed(tmp_path: Path) -> None:
    source = tmp_path / "big.csv"
    write_azure(source, 150_000)
    content = source.read_text().splitlines(keepends=True)
    content[140_000] = content[10]
    source.write_text("".join(content))
    with pytest.raises(InputError, match=r":140001: TIMESTAMP: goes back in time against line 140,000"):
        convert(source, tmp_path / "out.parquet")
    done = convert(source, tmp_path / "out.parquet", options=Options(sort=True))
    assert not done.streamed
    assert (np.diff(read_parquet(tmp_path / "out.parquet").arrival_s) >= 0).all()


def test_limit_ends_the_stream(tmp_path: Path) -> None:
    source = tmp_path / "big.csv"
    write_azure(source, 150_000)
    done = convert(source, tmp_path / "out.parquet", options=Options(limit=1000))
    assert done.requests == len(read_parquet(tmp_path / "out.parquet")) == 1000


def test_whole_seconds_are_reported(tmp_path: Path) -> None:
    rows = "".join(f"{i // 4},10,10\n" for i in range(400))
    source = text("arrived_at,num_prefill_tokens,num_decode_tokens\n" + rows)(tmp_path)
    assert any("whole seconds" in warning for warning in convert(source, tmp_path / "out.parquet").warnings)
    done = convert(source, tmp_path / "out.parquet", options=Options(jitter_seed=1))
    assert any("spread inside" in warning for warning in done.warnings)


def test_source_and_target_must_differ(tmp_path: Path) -> None:
    source = text(AZURE_2023)(tmp_path)
    with pytest.raises(InputError, match="is the source itself"):
        convert(source, source)
    with pytest.raises(InputError, match="is a directory"):
        convert(source, tmp_path)


def test_every_format_says_what_it_looks_for() -> None:
    assert len(set(formats.names())) == len(formats.every())
    for module in formats.every():
        assert module.LOOKS_FOR
        assert hasattr(module, "read") != hasattr(module, "drafts")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Twice the rows need hardly more memory."""
    # The peak of /proc starts anew with the program; getrusage would remember this process, which forked it.
    program = (
        "import sys\nfrom meritorder.workload.convert import convert\nconvert(sys.argv[1], sys.argv[2])\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    peaks = []
    for rows in (4_000_000, 8_000_000):  # below that it has not yet filled its read-ahead
        source = tmp_path / f"{rows}.csv"
        write_azure(source, rows)
        command = [sys.executable, "-c", program, str(source), str(tmp_path / "out.parquet")]
        peaks.append(int(subprocess.run(command, capture_output=True, check=True, text=True).stdout))
    assert peaks[1] < 1.25 * peaks[0], peaks
