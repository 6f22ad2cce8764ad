"""A folder for what processes share, for tests that make no difference between fixtures and helpers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def new_folder() -> Path:
    """An empty folder, removed when the tests end."""
    path = Path(tempfile.mkdtemp(prefix="merit-test-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
