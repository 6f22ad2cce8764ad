"""Traffic by name: presets stand in for what can't be had, and no option is passed over in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from meritorder.problems import InputError
from meritorder.workload.find import find


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shared folder, no cache, no network."""
    monkeypatch.setenv("MERIT_SHARED", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_the_preset_says_that_it_stands_in() -> None:
    trace = find("azure-2023-conv", limit=200, seed=5)
    assert len(trace) == 200
    assert trace.source == "preset azure-2023-conv, seed 5"
    assert any("the recorded azure-2023-conv can't be had here" in line for line in trace.warnings)


def test_a_limit_makes_no_preset_longer() -> None:
    whole = find("servegen-mm-image")
    assert len(find("servegen-mm-image", limit=10 * len(whole))) == len(whole)


def test_a_preset_is_opened_on_demand() -> None:
    assert find("weka-claude-code", limit=300).closed_loop
    free = find("weka-claude-code", limit=300, closed_loop=False)
    assert not free.closed_loop
    assert len(free) == 300


def test_a_preset_without_think_times_is_not_closed() -> None:
    with pytest.raises(InputError, match="leave --closed-loop out"):
        find("azure-2023-code", closed_loop=True, limit=100)


def test_jitter_on_a_preset_is_told_to_do_nothing() -> None:
    assert any("jitter" in line for line in find("azure-2023-code", jitter_seed=1, limit=100).warnings)
