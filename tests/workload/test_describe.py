from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meritorder.workload.read import read
from meritorder.workload.statistics.describe import describe
from meritorder.workload.statistics.measures import index_of_dispersion, spearman, weighted_quantiles, window_counts
from meritorder.workload.statistics.traps import grid_step, traps
from meritorder.workload.trace import make_trace


def said(value: float, like: str) -> bool:
    """Whether `value` is printed as `like`, to its number of decimals."""
    decimals = len(like.partition(".")[2])
    return f"{value:.{decimals}f}" == like


@pytest.fixture(scope="module")
def found(shared: Path) -> dict[str, Any]:
    folder = shared / "traces"
    return {
        "conv": describe(read(folder / "AzureLLMInferenceTrace_conv.csv.gz")),
        "code": describe(read(folder / "AzureLLMInferenceTrace_code.csv.gz")),
        "mooncake": describe(read(folder / "mooncake_conversation_trace.jsonl.gz")),
        "jittered": describe(read(folder / "mooncake_conversation_trace.jsonl.gz", jitter_seed=1)),
        "weka": describe(read(folder / "weka_claude_code.parquet")),
    }


# The published table of arrivals: req/s, CV, IDC at 1, 10 and 60 s, peak over mean at 1 and 60 s.
@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("conv", "5.53 1.09 1.4 3.9 16.1 2.9 1.5"),
        ("code", "2.57 13.2 13.2 71.6 164 26.1 4.2"),
        ("mooncake", "3.40 3.03 7.9 2.1 2.9 8.2 1.2"),
    ],
)
def test_arrivals_equal_the_published_table(found: dict[str, Any], name: str, row: str) -> None:
    a = found[name]["arrivals"]
    mine = [a["mean_per_s"], a["cv"], *a["idc"].values(), *a["peak_to_mean"].values()]
    assert all(said(value, like) for value, like in zip(mine, row.split(), strict=True)), mine


def test_jitter_takes_the_false_bursts_away(found: dict[str, Any]) -> None:
    a = found["jittered"]["arrivals"]
    assert a["cv"] == pytest.approx(1.01, abs=0.02)
    assert a["idc"]["1"] == pytest.approx(1.05, abs=0.04)
    assert a["idc"]["10"] == pytest.approx(1.5, abs=0.1)
    assert a["idc"]["60"] == pytest.approx(2.9, abs=0.1)


def test_azure_code_is_on_and_off(found: dict[str, Any]) -> None:
    a = found["code"]["arrivals"]
    assert said(100 * a["empty_seconds"], "73")
    assert (a["empty_minutes"], a["busiest_minute"]) == (12, 632)
    assert said(100 * a["gaps_below_10ms"], "39")


# Lengths: mean, p50, p90, p99, maximum; the last two are Spearman and in per out.
@pytest.mark.parametrize(
    ("name", "prompts", "outputs", "both"),
    [
        ("conv", "1155 1020 2735 4142 14050", "211 129 424 601 1000", "0.07 5.5"),
        ("code", "2048 1469 5188 7436 7437", "28 13 55 251 1899", "-0.02 73"),
        ("mooncake", "12035 6909 27367 85400 126195", "343 350 597 1119 2000", "0.07 35"),
        ("weka", "114214 98297 193671 464422 894371", "436 216 875 3730 18195", "0.07 262"),
    ],
)
def test_lengths_equal_the_published_table(
    found: dict[str, Any], name: str, prompts: str, outputs: str, both: str
) -> None:
    row = found[name]
    for key, likes in (("prompt_tokens", prompts), ("output_tokens", outputs)):
        for q, like in zip(("mean", "p50", "p90", "p99", "max"), likes.split(), strict=True):
            # The table rounds half up.
            assert np.floor(row[key][q] + 0.5) == float(like), (key, q, row[key][q])
    like_rho, like_ratio = both.split()
    assert said(row["spearman"], like_rho)
    assert said(row["in_per_out"], like_ratio)


def test_mooncake_reuse(found: dict[str, Any]) -> None:
    prefix = found["mooncake"]["prefix"]
    ratios = [f"{100 * row['hit_ratio']:.2f}" for row in prefix["lru"]]
    assert ratios == ["4.54", "5.47", "11.25", "21.53", "29.31", "36.15", "37.08"]
    assert [row["blocks"] for row in prefix["lru"]] == [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000]
    assert said(100 * prefix["hit_ratio"], "37.36")
    assert (prefix["unique_blocks"], prefix["blocks_in_every_request"]) == (182_790, 1)
    assert said(100 * prefix["reuses_of_top_tenth"], "75")
    assert [round(v) for v in prefix["reuse_gap_s"].values()] == [114, 324, 627]


def test_weka_reuse_and_sessions(found: dict[str, Any]) -> None:
    sessions = found["weka"]["sessions"]
    assert said(100 * found["weka"]["prefix"]["hit_ratio"], "96.3")
    assert said(100 * sessions["hit_ratio_after_first_call"], "97.4")
    assert [f"{100 * v:.0f}" for v in sessions["hit_ratio"].values()] == ["74", "95", "98"]
    assert [round(v) for v in sessions["new_tokens_after_first_call"].values()] == [728, 4287, 51707]
    size = sessions["requests"]
    assert [round(size[q]) for q in ("mean", "p50", "p90", "max")] == [68, 43, 157, 561]
    gap = sessions["gap_s"]
    shares = [f"{100 * gap[q]:.1f}" for q in ("over_1min", "over_5min", "over_1h")]
    assert (round(gap["p50"]), shares) == (17, ["18.0", "4.9", "0.4"])


def test_warnings_on_the_real_files(found: dict[str, Any]) -> None:
    assert [w for w in found["mooncake"]["warnings"] if "3 s grid" in w]
    assert len([w for w in found["mooncake"]["warnings"] if "grid" in w]) == 1
    assert not [w for w in found["jittered"]["warnings"] if "3 s grid" in w]
    assert any("pile up at 4,070 to 4,111" in w for w in found["conv"]["warnings"])
    assert any("7,437 tokens" in w and "tail beyond is missing" in w for w in found["code"]["warnings"])


def test_windows_leave_the_last_part_out() -> None:
    times = np.array([5.0, 5.2, 6.1, 8.9, 9.4])
    assert window_counts(times, 1).tolist() == [2, 1, 0, 1]
    assert index_of_dispersion(times, 1) == pytest.approx(0.5)
    assert index_of_dispersion(times, 10) is None


def test_spearman_with_ties() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 500), rng.integers(0, 5, 500)
    assert spearman(a, a + b) == pytest.approx(spearmanr(a, a + b).statistic)
    assert spearman(a, np.ones(500)) is None


def test_weighted_quantiles() -> None:
    assert weighted_quantiles(np.array([1, 2, 3]), np.array([1, 8, 1]), (0.05, 0.5, 0.95)) == [1.0, 2.0, 3.0]


def test_an_empty_trace_has_a_description() -> None:
    found = describe(make_trace([], [], []))
    assert found["requests"] == 0
    assert found["prompt_tokens"] is None


def normal(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "arrival_s": np.cumsum(rng.exponential(1, n)),
        "prompt_tokens": np.rint(rng.lognormal(6, 1, n)),
        "output_tokens": np.rint(rng.lognormal(4, 1, n)) + 1,
    }


def test_ordinary_traffic_raises_no_warning() -> None:
    assert traps(make_trace(**normal(3000))) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"arrival_s": np.arange(3000) * 0.5}, "one arrival every 0.5 s exactly"),
        ({"arrival_s": np.repeat(np.arange(300), 10) * 2.0}, "2 s grid"),
        ({"prompt_tokens": np.full(3000, 512)}, "every prompt has 512 tokens"),
        ({"output_tokens": np.random.default_rng(1).integers(1, 500, 3000)}, "spread evenly"),
        ({"prompt_tokens": np.minimum(normal(3000)["prompt_tokens"], 1024)}, "context cap: the tail beyond"),
        ({"output_tokens": normal(3000)["prompt_tokens"] + 5}, "rank correlation 1.00"),
        ({k: np.repeat(v[:1500], 2) for k, v in normal(3000).items()}, "1,500 requests repeat another one exactly"),
    ],
)
def test_invented_capped_and_doubled_traffic_is_named(change: dict[str, Any], text: str) -> None:
    found = traps(make_trace(**{**normal(3000), **change}))
    assert any(text in warning for warning in found), found


def test_doubled_sessions_are_named() -> None:
    columns = normal(40)
    doubled = {k: np.concatenate((v, v)) for k, v in columns.items() if k != "arrival_s"}
    session = np.concatenate((np.repeat(np.arange(8), 5), 8 + np.repeat(np.arange(8), 5)))
    found = traps(make_trace(np.arange(80) * 1.1 + np.sin(np.arange(80)), **doubled, session=session))
    assert any("8 sessions repeat another one exactly" in warning for warning in found), found


def test_a_clock_of_milliseconds_is_no_grid() -> None:
    rng = np.random.default_rng(0)
    assert grid_step(np.sort(rng.integers(0, 2000, 10_000)) / 1000) is None
