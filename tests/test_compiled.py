"""The cache of machine code must not outlive a change of what was compiled."""

from __future__ import annotations

import re
from pathlib import Path

import meritorder
from meritorder.compiled import _SOURCES

ROOT = Path(meritorder.__file__).parent


def test_every_file_with_compiled_functions_is_part_of_the_cache_key() -> None:
    known = [ROOT / source for source in _SOURCES]
    assert all(path.exists() for path in known)
    compiled = [f for f in ROOT.rglob("*.py") if re.search(r"^@(compiled|inlined)$", f.read_text(), re.MULTILINE)]
    assert len(compiled) > 10
    assert [f for f in compiled if f not in known and f.parent not in known] == []
