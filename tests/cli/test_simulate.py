"""`merit simulate` in processes of its own, as a user runs it: what it prints, writes, refuses, and leaves behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meritorder.cli.main import run
from meritorder.fleet.dispatch import POLICIES
from meritorder.workload.trace import make_trace

ROOT = Path(__file__).parents[2]
MIXED = ROOT / "examples" / "mixed.yaml"
MERIT = [sys.executable, "-c", "from meritorder.cli.main import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"}
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens"
RUN_FILES = ["fleet.json", "report.html", "requests.parquet", "series.parquet", "summary.json"]
PERCENTILES = {"mean", "p50", "p90", "p99"}


def merit(
    *arguments: object, env: dict[str, str] | None = None, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MERIT, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | (env or {}),
        timeout=300,  # the first run may have to compile
        check=False,
        preexec_fn=before,
    )


def rows(count: int, gap: float = 0.25) -> str:
    lines = (f"{gap * i},{200 + 37 * i % 900},{20 + 11 * i % 150}" for i in range(count))
    return "\n".join([VIDUR, *lines, ""])


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """800 requests in 200 s."""
    path = tmp_path_factory.mktemp("traffic") / "trace.csv"
    path.write_text(rows(800))
    return path


@pytest.fixture(scope="module")
def one_run(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The JSON of a run and the folder it wrote."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "one"
    done = merit("simulate", MIXED, trace, "--json", "--output", folder)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told, folder


def test_json_holds_what_programs_need(one_run: tuple[dict[str, Any], Path]) -> None:
    told, folder = one_run
    assert told["requests"] == told["completed"] == 800
    assert told["wall_s"] > 0
    assert told["requests_per_wall_s"] == pytest.approx(800 / told["wall_s"])
    for key in ("ttft_s", "tpot_s", "e2e_s"):
        assert told[key].keys() >= PERCENTILES
        assert 0 < told[key]["p50"] <= told[key]["p90"] <= told[key]["p99"]
    assert list(told["slo_attainment"]) == ["ultrafast", "chat", "batch"]
    assert all(0 <= share <= 1 for share in told["slo_attainment"].values())
    assert told["energy_j"] > 0
    assert told["cost_usd"] > 0
    assert list(told["by_pool"]) == ["wafer", "h200", "mi300x"]
    assert sum(pool["requests"] for pool in told["by_pool"].values()) == 800
    assert told["report"] == str(folder / "report.html")


def test_results_and_report_are_written(one_run: tuple[dict[str, Any], Path]) -> None:
    told, folder = one_run
    assert names(folder) == RUN_FILES
    assert names(folder.parent) == ["one"]
    assert pq.read_metadata(folder / "requests.parquet").num_rows == 800
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["ttft_s"] == told["ttft_s"]
    page = (folder / "report.html").read_text()
    assert "trace.csv" in page
    assert "Plotly" in page


def test_same_seed_same_result(one_run: tuple[dict[str, Any], Path], trace: Path) -> None:
    def but_for_time(summary: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in summary.items() if key not in ("wall_s", "requests_per_wall_s", "report")}

    again = merit("simulate", MIXED, trace, "--json")
    assert but_for_time(json.loads(again.stdout)) == but_for_time(one_run[0])
    other = merit("simulate", MIXED, trace, "--json", "--seed", "1")
    assert but_for_time(json.loads(other.stdout)) != but_for_time(one_run[0])


def test_tables_fit_a_terminal(trace: Path, tmp_path: Path) -> None:
    done = merit("simulate", MIXED, trace, "--policy", "all", "--output", tmp_path / "all")
    assert done.returncode == 0, done.stderr
    for name in POLICIES:
        assert f"\n{name} " in done.stdout
    assert all(len(line.rstrip()) <= 80 for line in done.stdout.splitlines() if "trace.csv" not in line)
    assert "95.0% wanted" in done.stdout
    assert f"report: {tmp_path / 'all' / 'report.html'}" in done.stderr
    assert names(tmp_path / "all") == sorted([*POLICIES, "report.html"])
    for name in POLICIES:
        assert names(tmp_path / "all" / name) == [name for name in RUN_FILES if name != "report.html"]


def test_several_policies_then_one_in_the_same_folder(trace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    both = ("--policy", "round-robin,merit-order", "--limit", "300", "--json")
    told = json.loads(merit("simulate", MIXED, trace, *both, "--threads", "1", "--output", folder).stdout)
    assert list(told["runs"]) == ["round-robin", "merit-order"]
    assert told["comparison"]["runs"][0]["name"] == "round-robin"
    assert names(folder) == ["merit-order", "report.html", "round-robin"]
    beside = json.loads(merit("simulate", MIXED, trace, *both, "--threads", "2").stdout)
    for name, summary in told["runs"].items():
        assert beside["runs"][name]["e2e_s"] == summary["e2e_s"]
    compared = merit("compare", folder / "round-robin", folder / "merit-order", "--json")
    assert json.loads(compared.stdout)["metrics"] == told["comparison"]["metrics"]
    assert merit("simulate", MIXED, trace, "--output", folder).returncode == 0
    assert names(folder) == RUN_FILES, "nothing of the earlier runs stays"


def test_what_was_not_served_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "long.csv"
    path.write_text(f"{VIDUR}\n0,900,90\n1,900000,90\n2,900,90\n")
    assert run(["simulate", str(MIXED), str(path), "--policy", "random,round-robin"]) == 0
    told = capsys.readouterr().out
    assert "not served by random: 1 too long for every pool\n" in told
    assert "not served by round-robin: 1 too long for every pool\n" in told


def test_window_rate_and_limit(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def simulated(*options: str) -> dict[str, Any]:
        code = run(["simulate", str(MIXED), str(trace), "--json", *options])
        told = capsys.readouterr().out
        assert code == 0, told
        summary: dict[str, Any] = json.loads(told)
        return summary

    cut = simulated("--window", "50:100")
    assert cut["requests"] == 200
    assert cut["trace"]["duration_s"] == pytest.approx(49.75)
    assert simulated("--limit", "30")["requests"] == 30
    slower = simulated("--rate", "1")
    assert slower["requests"] == pytest.approx(200, rel=0.25)
    assert slower["trace"]["duration_s"] == pytest.approx(200, rel=0.1)
    faster = simulated("--rate", "12")
    assert faster["requests"] == pytest.approx(2400, rel=0.01)
    # First the window, then the rate, then the limit: else nothing would be left of this.
    assert simulated("--window", "100:200", "--rate", "8", "--limit", "700")["requests"] == 700


def test_the_preset_stands_in_for_a_trace_that_cannot_be_had(tmp_path: Path) -> None:
    nowhere = {"MERIT_SHARED": str(tmp_path), "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meritorder" / "traces"
    if cache.is_dir() and any(cache.iterdir()):
        pytest.skip("public traces are in the download cache, which also holds the machine code")
    done = merit("simulate", MIXED, "azure-2023-conv", "--limit", "500", "--seed", "3", "--json", env=nowhere)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["trace"]["source"] == "preset azure-2023-conv, seed 3"
    assert any("the recorded azure-2023-conv can't be had here" in line for line in told["warnings"])
    assert told["requests"] == 500


def test_a_real_trace_says_where_it_is_from(shared: Path) -> None:
    done = merit("simulate", MIXED, "azure-2023-conv", "--window", "0:300", env={"MERIT_SHARED": str(shared)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("azure-2023-conv (found in the shared folder), cut from 0 to 300 s: ")


def fleet(text: str) -> Callable[[Path], list[str]]:
    """Arguments with the mixed fleet in which every `a -> b` of `text` was replaced."""

    def made(folder: Path) -> list[str]:
        old, _, new = text.partition(" -> ")
        content = MIXED.read_text()
        assert old in content
        (folder / "fleet.yaml").write_text(content.replace(old, new))
        return ["fleet.yaml", "good.csv"]

    return made


def traffic(content: bytes | str, name: str = "bad.csv") -> Callable[[Path], list[str]]:
    def made(folder: Path) -> list[str]:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return [str(MIXED), name]

    return made


def options(*more: str) -> Callable[[Path], list[str]]:
    return lambda folder: [str(MIXED), "good.csv", *more]


def nameless(folder: Path) -> list[str]:
    """A fleet whose services go by name, on a trace without names."""
    (folder / "fleet.yaml").write_text(re.sub(r"share: (0.\d+)", r"match: of \1", MIXED.read_text()))
    return ["fleet.yaml", "good.csv"]


BAD: dict[str, tuple[Callable[[Path], list[str]], str, str]] = {
    # name: arguments, what stands at the head of the message, and what in its advice
    "truncated": (traffic(rows(9)[:-8]), "bad.csv:10: has 2 of 3 columns", "complete or remove it"),
    "mis-encoded": (traffic(rows(9).encode("utf-16")), "bad.csv: is UTF-16 text", "save it as UTF-8"),
    "empty": (traffic(""), "bad.csv: is empty", "at least one request"),
    "unsorted": (traffic(f"{VIDUR}\n0,9,9\n5,9,9\n4,9,9\n"), "bad.csv:4: arrived_at: goes back", "--sort"),
    "negative": (traffic(f"{VIDUR}\n0,-9,9\n"), "bad.csv:2: num_prefill_tokens: is -9", "from 1 to"),
    "not a number": (traffic(f"{VIDUR}\n0,9,9\nnan,9,9\n"), "bad.csv:3: arrived_at: is nan", "give seconds"),
    "huge": (traffic(f"{VIDUR}\n0,9,1e13\n"), "bad.csv:2: num_decode_tokens: is 1", "to 10,000,000"),
    "wrong unit": (traffic(f"{VIDUR}\n0,9,9\n1700000000000,9,9\n"), "bad.csv:3: arrived_at: is 1,700", "give seconds"),
    "half a Parquet file": (
        traffic(b"PAR1" + b"\0" * 99, "bad.parquet"),
        "bad.parquet: can't be read",
        "copy it again",
    ),
    "a folder as traffic": (lambda folder: [str(MIXED), "there"], "there: is an empty folder", ""),
    "a folder as fleet": (lambda folder: ["there", "good.csv"], "there: is a directory", "give a fleet file"),
    "no such fleet": (lambda folder: ["goood.yaml", "good.csv"], "goood.yaml: does not exist", ""),
    "no such traffic": (lambda folder: [str(MIXED), "azure-2023-con"], "azure-2023-con: is no file", "azure-2023-conv"),
    "does not fit": (fleet("pipeline: 5 -> pipeline: 2"), r"fleet.yaml:\d+: pools.wafer: ", "`pipeline: 4`"),
    "zero replicas": (fleet("replicas: 2 -> replicas: 0"), r"fleet.yaml:\d+: pools.h200.replicas: is 0", "at least 1"),
    "unknown names": (
        fleet("accelerator: cs-3 -> accelerator: cs-33"),
        'pools.wafer.accelerator: there is no accelerator "cs-33"',
        '"cs-3"',
    ),
    "services that the trace lacks": (fleet("share: 0.15 -> match: x"), "services: take requests in two ways", "one"),
    "services by name": (nameless, "services: no request of the trace is of service", "share"),
    "unknown policy": (options("--policy", "randon"), '--policy: there is no policy "randon"', 'mean "random"?'),
    "a negative seed": (options("--seed", "-1"), "invalid value for '--seed'", "see `merit simulate --help`"),
    "an empty window": (options("--window", "900:1000"), "--window: no request from 900 to 1000 s", "arrive from 0"),
    "a window of words": (options("--window", "begin"), '--window: "begin" is no window', "600:1200"),
    "no rate": (options("--rate", "0"), "--rate: is 0", "above 0"),
    "an absurd rate": (options("--rate", "1e9"), r"--rate: is 1e\+09", "give 0.0"),
    "no session to close": (options("--closed-loop"), "good.csv: has no sessions", "leave --closed-loop out"),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_bad_input_is_one_message(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, head, fix = BAD[what]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(rows(50))
    (tmp_path / "there").mkdir()
    filled = arguments(tmp_path)
    before = names(tmp_path)
    done = merit("simulate", *filled, "--output", "out")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    message = done.stderr.removeprefix("compiling the kernel, this once (one to three minutes)\n")
    assert message.startswith("error: ")
    assert re.search(head, message)
    assert fix in message
    assert names(tmp_path) == before, "nothing was written"


@pytest.mark.parametrize("policies", ["merit-order", "random,round-robin"])
def test_folders_that_are_not_for_a_run(trace: Path, tmp_path: Path, policies: str) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    runs = tmp_path / "runs"
    assert merit("simulate", MIXED, trace, "--limit", 60, "--output", runs / "one").returncode == 0
    for folder, said in (
        (tmp_path, "holds other files (runs, thesis.txt)"),
        (runs, "holds other files (one)"),
        (tmp_path / "thesis.txt", "is a file; name a folder"),
        (tmp_path / "thesis.txt" / "below", "can't be written"),
    ):
        done = merit("simulate", MIXED, trace, "--policy", policies, "--output", folder)
        assert done.returncode == 2
        assert f"error: {folder}: {said}" in done.stderr
        assert "Traceback" not in done.stderr
    assert names(tmp_path) == ["runs", "thesis.txt"]
    assert names(runs / "one") == RUN_FILES


def full_disk() -> None:
    """No file may grow beyond 20 kB, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.parametrize("policies", ["merit-order", "random,round-robin"])
def test_a_full_disk_leaves_the_old_results(trace: Path, tmp_path: Path, policies: str) -> None:
    # Compiled code is loaded, not written: the kernel ran before.
    folder = tmp_path / "run"
    assert merit("simulate", MIXED, trace, "--limit", 50, "--output", folder).returncode == 0
    kept = {name: (folder / name).read_bytes() for name in names(folder)}
    for place in (folder, tmp_path / "fresh" / "run"):
        done = merit("simulate", MIXED, trace, "--policy", policies, "--output", place, before=full_disk)
        assert done.returncode == 2
        assert f"error: {place}: can't be written: file too large; name another place" in done.stderr
        assert "Traceback" not in done.stderr
    assert names(tmp_path) == ["run"]
    assert {name: (folder / name).read_bytes() for name in names(folder)} == kept


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("--help",), ("policies",), ("policies", "--json"), ("schema",)])
def test_output_to_a_full_disk(arguments: Sequence[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*MERIT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: can't be written: no space left on device")
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    from meritorder.workload.parquet import write

    n = 3_000_000  # long enough to be running still, on any machine
    write(
        make_trace([i / 500 for i in range(n)], [300] * n, [400] * n, source="steady"),
        tmp_path / "long.parquet",
    )
    command = [*MERIT, "simulate", str(MIXED), str(tmp_path / "long.parquet"), "--policy", "all"]
    # compile first: that can't be stopped at any moment
    subprocess.run([*command, "--limit", "10"], env=ENVIRONMENT, capture_output=True, check=True, timeout=300)
    with subprocess.Popen(
        [*command, "--output", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    ) as process:
        time.sleep(3)
        assert process.poll() is None, process.communicate()[1]
        process.send_signal(signal.SIGINT)
        try:
            told, said = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            # Python drops an interrupt that comes up in a finaliser; a user presses again
            process.send_signal(signal.SIGINT)
            told, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == ""
    assert "Traceback" not in said
    assert names(tmp_path) == ["long.parquet"]


# Bits of text that change what a file says without making it mere noise.
_BITS = [
    b"",
    b"0",
    b"-1",
    b"1e9",
    b"nan",
    b".inf",
    b"\xff",
    b"\x00",
    b"{",
    b"[]",
    b": ",
    b"\n",
    b"null",
    b"'",
    b"&a *a",
]


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    content = original
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = start + draw(st.integers(0, 6))
        content = content[:start] + draw(st.sampled_from(_BITS)) + content[stop:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 9)) == 0 else content


def exit_code(fleet: bytes, traffic: bytes) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fleet.yaml").write_bytes(fleet)
        (folder / "trace.csv").write_bytes(traffic)
        told, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
            code = run(["simulate", str(folder / "fleet.yaml"), str(folder / "trace.csv"), "--json"])
        json.loads(told.getvalue())
        assert names(folder) == ["fleet.yaml", "trace.csv"]
        return code, told.getvalue()


LAPTOP = (ROOT / "examples" / "laptop.yaml").read_bytes()
FUZZ = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@FUZZ
@given(mutated(LAPTOP))
def test_no_fleet_file_brings_it_down(fleet: bytes) -> None:
    assert exit_code(fleet, rows(20).encode())[0] in (0, 2)


@FUZZ
@given(mutated(rows(20).encode()))
def test_no_trace_file_brings_it_down(traffic: bytes) -> None:
    assert exit_code(LAPTOP, traffic)[0] in (0, 2)
