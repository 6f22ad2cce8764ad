"""Numba's decorator with types kept and a cache that can't go stale.

Numba keys its cache on the file of the function alone, so a change in a callee of another file would be
missed. Here the cache lies in a folder named after a hash of every compiled source file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from meritorder import __version__

F = TypeVar("F", bound=Callable[..., object])

# Every folder or file that holds compiled functions: a change in any of them makes a new cache.
_SOURCES = (
    "compiled.py",
    "records.py",
    "facility",
    "dispatch",
    "control",
    "simulate/kernel",
    *(
        f"serve/books/{name}.py"
        for name in ("arrange", "hashes", "ledger", "place", "power", "rebuild", "state", "view")
    ),
    "serve/seen/count.py",
    "serve/seen/layout.py",
    "simulate/result.py",  # its numbers are compiled in
    "workload/statistics/prefix.py",
    "workload/synthesis/chain.py",
)


@cache
def cache_folder() -> Path:
    """Where the machine code of this very source tree is kept (not created here)."""
    root = Path(__file__).parent
    digest = hashlib.sha256(__version__.encode())
    for source in _SOURCES:
        path = root / source
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.name.encode() + file.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "meritorder" / f"kernel-{digest.hexdigest()[:16]}"


def is_compiled() -> bool:
    """Whether the event kernel can start at once, without compiling first."""
    return any(cache_folder().rglob("loop.run-*.nbc"))


def compiled(function: F) -> F:
    """Compile `function` to machine code at its first call and keep the result on disk.

    With NUMBA_DISABLE_JIT=1 the plain Python runs instead, for debugging.
    """
    return _compile(function, inline=False)


def inlined(function: F) -> F:
    """The same, and put the code in place of every call.

    For small functions on the hot path: a call copies every array header of the state, which costs more than they do.
    """
    return _compile(function, inline=True)


def _compile(function: F, *, inline: bool) -> F:
    import numba

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        options = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": inline, "_nrt": False}
        result: F = numba.njit(**options)(function)
        return result
    finally:
        numba.config.CACHE_DIR = before
