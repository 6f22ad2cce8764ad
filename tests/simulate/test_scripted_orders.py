"""Whatever a controller orders and a building does to its machines, kernel and oracle carry it out alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def in_plain_python(first: int, last: int) -> None:
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "simulate.scripted_orders", str(first), str(last)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_random_orders() -> None:
    in_plain_python(4000, 4003)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40_000, 40_020, 10))
def test_many_random_orders(seed: int) -> None:
    in_plain_python(seed, seed + 10)
