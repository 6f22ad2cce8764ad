"""What is shipped: the wheel and the source archive hold what the program needs, and nothing else."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "meritorder"


def build(kind: str, folder: Path) -> Path:
    """Build a `wheel` or `sdist` of the source tree into `folder`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, opened."""
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> tarfile.TarFile:
    """The source archive, opened."""
    return tarfile.open(build("sdist", tmp_path_factory.mktemp("sdist")))


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Catalog data, presets, schema and page templates lie beside the code and must be in the wheel."""
    tracked = subprocess.run(
        ["git", "ls-files", "src/meritorder"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    wanted = {name.removeprefix("src/") for name in tracked if (ROOT / name).exists()}
    assert wanted <= set(wheel.namelist())


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (r"meritorder/py\.typed", "the mark that the package is typed"),
        (r"meritorder/catalog/data/.+\.yaml", "catalog data"),
        (r"meritorder/workload/.+\.(yaml|json)", "traffic presets"),
        (r"meritorder/fleet/.*schema.*\.json", "the fleet file's JSON Schema"),
        (r"meritorder/report/.+\.(css|js|html|j2)", "the report's page"),
        (r"meritorder-.+\.dist-info/licenses/LICENSE", "the licence"),
        (r"meritorder-.+\.dist-info/licenses/NOTICE", "the notice about others' measurements"),
    ],
)
def test_the_wheel_holds_what_is_not_code(wheel: zipfile.ZipFile, pattern: str, what: str) -> None:
    """Each kind of file that is read at run time is there."""
    assert [name for name in wheel.namelist() if re.fullmatch(pattern, name)], f"no {what} in the wheel"


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, no recorded traffic, no caches."""
    for name in wheel.namelist():
        assert re.match(r"meritorder(-[\w.]+\.dist-info)?/", name), name
        assert not re.search(r"__pycache__|\.(pyc|csv|jsonl|nbc|nbi|gz|zst)$", name), name


def test_the_wheel_knows_its_command_and_python(wheel: zipfile.ZipFile) -> None:
    """The console script and the required Python."""
    info = next(name.rsplit("/", 1)[0] for name in wheel.namelist() if name.endswith("/METADATA"))
    assert "merit = meritorder.cli.main:main" in wheel.read(f"{info}/entry_points.txt").decode()
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "Requires-Python: >=3.11" in metadata
    assert "License-Expression: Apache-2.0" in metadata


def test_the_notice_holds_the_licence_of_what_is_a_substantial_portion(wheel: zipfile.ZipFile) -> None:
    """LLMServingSim's profiles are in the catalog: its copyright line and permission go with them."""
    name = next(name for name in wheel.namelist() if name.endswith("/licenses/NOTICE"))
    notice = wheel.read(name).decode()
    assert "Copyright (c) 2024, CASYS Lab at KAIST" in notice
    assert "The above copyright notice and this permission notice shall be included" in notice
    for source in ("AISimulate", "ML.ENERGY", "MLCommons", "Splitwise"):
        assert source in notice


def test_the_source_archive_builds_on_its_own(sdist: tarfile.TarFile) -> None:
    """It holds the sources, the examples and the licence."""
    names = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    assert {"pyproject.toml", "LICENSE", "NOTICE", "README.md", "src/meritorder/__init__.py"} <= names
    assert any(name.startswith("examples/") and name.endswith(".yaml") for name in names)


def test_nothing_that_is_shipped_names_this_machine(wheel: zipfile.ZipFile, sdist: tarfile.TarFile) -> None:
    """No absolute path of the checkout and no host name went into an archive."""
    names = [str(ROOT).encode()]
    if len(platform.node()) > 4 and platform.node() != "localhost":
        names.append(platform.node().encode())
    contents = {name: wheel.read(name) for name in wheel.namelist()}
    for member in sdist.getmembers():
        file = sdist.extractfile(member)
        contents[member.name] = file.read() if file else b""
    for name, content in contents.items():
        for secret in names:
            assert secret not in content, f"{name} holds {secret.decode()}"


def test_the_lock_names_no_package_index() -> None:
    """Dependencies are pinned by hash, from whatever index the installing machine uses."""
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", lock)
    pinned = re.findall(r"^[\w.-]+==\S+", lock, re.M)
    assert len(pinned) > 20
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[\w.-]+==)", lock.split("\n", 2)[2]) if entry)
