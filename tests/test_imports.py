"""Imports only go down the list of folders, and starting `merit` loads nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "meritorder"

# The one list: what stands later may import what stands earlier, never the other way round.
ORDER = (
    *("problems", "files", "units", "compiled", "records", "catalog", "fleet", "workload", "perf", "facility"),
    *("dispatch", "control", "simulate", "predict", "plan", "serve", "calibrate", "report", "console", "cli"),
)
RANK = {name: rank for rank, name in enumerate(ORDER)}

# Slow to import; only the commands that need them may load them.
HEAVY = ("numba", "pyarrow", "plotly", "pydantic", "yaml", "numpy", "scipy")

FILES = sorted(PACKAGE.rglob("*.py"))


def imported(source: str, package: str) -> list[tuple[int, str]]:
    """(line, module) of every import of a file of `package`, also those inside functions and TYPE_CHECKING."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # `from meritorder import units` names a module, `from meritorder.units import parse` is in one
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def upward(source: str, folder: str, package: str) -> list[str]:
    """Imports of `source` (a file of `folder`) that go up the list."""
    return [
        f"line {line}: {folder} imports {module}"
        for line, module in imported(source, package)
        if module.startswith("meritorder.") and RANK.get(module.split(".")[1], -1) > RANK.get(folder, len(ORDER))
    ]


def test_every_folder_has_its_place_in_the_list() -> None:
    """A new folder or top-level module must be put into ORDER, or its imports would go unchecked."""
    there = {p.stem if p.is_file() else p.name for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert there - {"__init__", "__main__", "__pycache__"} <= set(ORDER)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_only_go_down(file: Path) -> None:
    """No file imports from a folder that stands later in the list."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):
        assert not [m for _, m in imported(file.read_text(), "meritorder") if m.startswith("meritorder")]
        return
    package = ".".join(["meritorder", *parts[:-1]])
    assert upward(file.read_text(), parts[0], package) == []


@pytest.mark.parametrize(
    "line",
    [
        "from meritorder.simulate.run import simulate",
        "import meritorder.simulate",
        "from meritorder import simulate",
        "from ..simulate import run",
        "def f():\n    from meritorder.cli import main",
    ],
)
def test_an_upward_import_is_found(line: str) -> None:
    """The check itself: each way to write an import is seen."""
    assert upward(line, "perf", "meritorder.perf")
    assert not upward(line, "cli", "meritorder.cli")


def test_the_package_and_the_command_line_load_nothing_heavy() -> None:
    """`merit --help` stays fast only if nothing heavy is loaded before a command runs."""
    code = "import sys, json, meritorder.cli.main; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "meritorder.cli.main" in loaded
    assert not loaded & set(HEAVY)
