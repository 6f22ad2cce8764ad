"""What tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# the first example may have to compile
settings.register_profile("merit", deadline=None)
settings.load_profile("merit")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real traces and measurements; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("MERIT_SHARED", ROOT.parent / "shared"))
    if not (folder / "traces").is_dir():
        pytest.skip("no real data: ../shared is absent (set MERIT_SHARED to its place)")
    return folder
