"""Whole simulated runs against measured vLLM servers: errors stay what docs/machines.md says, or get less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scripts.replay_vllm import METRICS, replays

# Median absolute error that is published, and a little.
LIMITS = {"TTFT mean": 0.30, "TTFT p99": 0.23, "TPOT mean": 0.15, "E2E mean": 0.16, "E2E p99": 0.22}


def test_errors_are_what_is_published(shared: Path) -> None:
    found = replays(shared / "perf")
    assert len(found) == 15
    errors = np.array([[p / m - 1 for p, m in zip(r.predicted, r.measured, strict=True)] for r in found])
    for name, error in zip(METRICS, errors.T, strict=True):
        assert np.median(abs(error)) < LIMITS[name], name
