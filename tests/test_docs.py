"""The documentation is run: its commands, its Python, its fleet files and its links.

A fenced block can carry a mark in the line before it: `<!-- not run: REASON -->`, `<!-- exit code: N -->` (of the
block's last command), `<!-- file: NAME -->` (the block is written to that file, for the commands that follow) or
`<!-- wrong file: NAME -->` (likewise; a fleet file that must not load), or `<!-- in the background: URL -->` (its
command runs on while the rest of the page is tried, from when URL answers, and is ended by SIGTERM).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = re.compile(r"merit |make -n|curl ")
TIMEOUT_S = 240


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    mark: str

    def marked(self, name: str) -> str | None:
        """What stands behind `name:` in the mark before the block."""
        found = re.fullmatch(rf"<!-- {name}: (.+) -->", self.mark)
        return found.group(1) if found else None

    def commands(self) -> list[str]:
        """Commands of a `console` (`$ ...`) or `bash` block, continued lines joined."""
        if self.language not in ("console", "bash"):
            return []
        lines = re.sub(r"\\\n\s*(?:> ?)?", "", self.text).splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [line.strip() for line in lines if RUN.match(line.strip())]


def blocks(text: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    found, inside, mark = [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.fullmatch(r"\s*```(\w*)\s*", line)
        if inside is None and fence:
            inside = (fence.group(1), number, [])
        elif inside is not None and fence:
            found.append(Block(inside[0], "\n".join(inside[2]) + "\n", inside[1], mark))
            inside, mark = None, ""
        elif inside is not None:
            inside[2].append(line)
        elif line.strip():
            mark = line.strip()
    assert inside is None, f"the block of line {inside[1]} never ends" if inside else ""
    return found


def slow(page: Path) -> list[pytest.MarkDecorator]:
    """Pages that simulate, or run more than a few commands, take more than a few seconds."""
    text = page.read_text()
    many = sum(len(block.commands()) for block in blocks(text)) > 4
    heavy = r"merit simulate|import simulate|in the background"
    return [pytest.mark.slow] if many or re.search(heavy, text) else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with the examples, as a reader has it who stands in the checkout."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def environment() -> dict[str, str]:
    """`merit` on the path, and the real traces where they are."""
    shared = os.environ.get("MERIT_SHARED", str(ROOT.parent / "shared"))
    scripts = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "MERIT_SHARED": shared}


@contextmanager
def background(command: str, url: str, folder: Path) -> Iterator[None]:
    """`command`, from when `url` answers; at the end it must leave in good order when told to."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=folder, env=environment(), stdout=said, stderr=said
        )
        try:
            until = time.monotonic() + TIMEOUT_S
            while process.poll() is None and time.monotonic() < until:
                with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
                    break
                time.sleep(0.1)
            yield
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        text = said.read()
    assert code == 0, f"{command}\nended with {code}\n{text[-2000:]}"
    assert "Traceback" not in text, f"{command}\n{text[-3000:]}"


@contextmanager
def the_only_one(page: str) -> Iterator[None]:
    """Pages that show servers use the same ports: one after the other, also over several test processes."""
    with contextlib.ExitStack() as stack:
        if "<!-- in the background:" in page:
            lock = stack.enter_context((Path(tempfile.gettempdir()) / "meritorder-docs.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_page(text: str, folder: Path) -> int:
    """Run everything a page shows, in order, in `folder`; returns how many things were run."""
    with the_only_one(text), contextlib.ExitStack() as running:
        return run_blocks(text, folder, running)


def run_command(command: str, code: int, line: str, folder: Path) -> None:
    """Run one command to its end, which must be `code`."""
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    where = f"{line}: {command}\nended with {ran.returncode}"
    assert ran.returncode == code, f"{where}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    assert "Traceback" not in ran.stderr, f"{where}\n{ran.stderr[-2000:]}"


def run_blocks(text: str, folder: Path, running: contextlib.ExitStack) -> int:
    done, program = 0, ""
    for block in blocks(text):
        if block.marked("not run"):
            continue
        if name := block.marked("file") or block.marked("wrong file"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(block.text)
        commands = block.commands()
        if url := block.marked("in the background"):
            running.enter_context(background(commands[0], url, folder))
            done += 1
            continue
        wanted = [0] * (len(commands) - 1) + [int(block.marked("exit code") or 0)]
        for command, code in zip(commands, wanted, strict=False):
            run_command(command, code, f"line {block.line}", folder)
            done += 1
        if block.language == "python":
            # later blocks of a page build on earlier ones: run all so far as one program
            program += "\n" * max(0, block.line - program.count("\n")) + block.text
            done += 1
    if program:
        (folder / "page.py").write_text(program)
        ran = subprocess.run(
            [sys.executable, "page.py"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert ran.returncode == 0, f"the page's Python, lines as in the page:\n{ran.stderr[-3000:]}"
    return done


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name, marks=slow(p)) for p in PAGES])
def test_everything_shown_runs(page: Path, folder: Path) -> None:
    """Every command and every Python block of the page works as shown."""
    run_page(page.read_text(), folder)


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_blocks_say_what_they_are(page: Path) -> None:
    """A block without a language is never run; one that is not run says why."""
    for block in blocks(page.read_text()):
        assert block.language, f"line {block.line}: a block without a language"
        assert not block.mark.startswith("<!-- not run") or block.marked("not run"), f"line {block.line}: no reason"


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_yaml_parses(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML shown is YAML; a whole fleet file shown loads, beside the models shown."""
    import yaml

    from meritorder.fleet.load import loads
    from meritorder.problems import InputError

    monkeypatch.chdir(tmp_path)
    for block in blocks(page.read_text()):
        if block.language == "json" and (name := block.marked("file")):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(block.text)
        if block.language != "yaml" or block.marked("not run"):
            continue
        tree = yaml.safe_load(block.text)
        if block.marked("wrong file"):
            with pytest.raises(InputError):
                loads(block.text, page.name)
        elif isinstance(tree, dict) and {"sites", "services"} <= set(tree) and {"pools", "plan"} & set(tree):
            loads(block.text, f"{page.name}:{block.line}")


def test_the_fleet_file_page_names_every_key() -> None:
    """Every key of the schema stands in docs/fleet-file.md, every parameter of a policy in docs/policies.md."""
    from meritorder.fleet import control, cooling, faults, gateway, halls, power_train, schema
    from meritorder.fleet.dispatch import POLICIES
    from meritorder.fleet.network import Region
    from meritorder.fleet.plan import demand, ground, offers, plan, promises
    from meritorder.fleet.speculation import Speculation
    from meritorder.fleet.surroundings import Scenario

    fleet_page = (ROOT / "docs" / "fleet-file.md").read_text()
    of_pools = (schema.Pool, schema.Engine, schema.MeasuredCoefficients, gateway.Endpoint, Speculation)
    of_services = (schema.Service, schema.Slo, gateway.Live, gateway.Deadlines, gateway.Queue)
    of_gateways = (gateway.Gateway, gateway.Tls, gateway.DoorLimits)
    of_halls = (halls.Hall, halls.Spread)
    of_control = (control.Control, control.DemandResponse, control.Flexible, gateway.PowerControl)
    of_cooling = (cooling.Cooling, cooling.Plant)
    of_faults = (faults.Faults, faults.FaultRate, faults.FaultAt)
    of_power = (power_train.PowerTrain, power_train.LossCurve, power_train.Generators, power_train.Storage)
    of_buildings = (*of_power, *of_halls, *of_cooling, *of_control, Scenario)
    of_networks = (Region,)
    of_plans = (
        *(demand.Stretch, demand.ServiceDemand, demand.Growth, demand.Future),
        *(offers.Offer, offers.Run, offers.Option, offers.Take, offers.Pair, offers.Api),
        *(ground.Ground, ground.Block, ground.Curtailment, ground.Battery),
        *(promises.Contract, promises.Policy, promises.Survive, promises.Risk),
    )
    of_fleets = (schema.Site, *of_buildings, *of_networks, *of_faults, *of_pools, *of_services, *of_gateways)
    for part in (*of_fleets, *of_plans):
        for key in part.model_fields:
            assert f"`{key}`" in fleet_page, f"{part.__name__}.{key} is not described"
    for key in plan.Plan.model_fields:
        assert f"`plan.{key}" in fleet_page, f"plan.{key} is not described"
    for key in schema.Fleet.model_fields:
        assert re.search(rf"`{key}\b", fleet_page), f"{key} is not described"
    policy_page = (ROOT / "docs" / "policies.md").read_text()
    for name, policy in POLICIES.items():
        part = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", policy_page, re.M | re.S)
        assert part, f"no section on {name}"
        for key in set(policy.model_fields) - {"policy"}:
            assert f"`{key}`" in part.group(1), f"{name}: {key} is not described"


def anchors(text: str) -> set[str]:
    """The anchors that headings of a page get."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_links_resolve(page: Path) -> None:
    """Files and headings that a page points to are there."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name} points to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{page.name} points to {target}: no such heading"


@pytest.mark.parametrize("page", [pytest.param(p, id=p.name) for p in PAGES])
def test_source_files_that_are_named_exist(page: Path) -> None:
    """A source file named in backticks (`dispatch/choose.py`) is there, seen from the checkout or the package."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for name in re.findall(
        r"`([\w/]+/[\w.]*\.(?:py|yaml)|(?:simulate|dispatch|workload|catalog|fleet|perf)/[\w/]*)`", text
    ):
        if name.startswith("runs/"):
            continue
        assert (ROOT / name).exists() or (ROOT / "src" / "meritorder" / name).exists(), f"{page.name} names {name}"


def test_every_page_is_in_the_menu() -> None:
    """The web site's menu names every page of docs/ and no other."""
    import yaml

    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert {name for entry in menu for name in entry.values()} == {p.name for p in (ROOT / "docs").glob("*.md")}


@pytest.mark.slow
def test_the_web_site_builds(tmp_path: Path) -> None:
    """Without a warning: a broken link or a page that is missing is one."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").exists()


def test_a_wrong_page_is_noticed(folder: Path) -> None:
    """The checks themselves: a failing command, failing Python and a wrong exit code are all noticed."""
    for text in (
        "```console\n$ merit no-such-verb\n```\n",
        "```python\nassert False\n```\n",
        "<!-- exit code: 2 -->\n```bash\nmerit --help\n```\n",
    ):
        with pytest.raises(AssertionError):
            run_page(text, folder)
    assert run_page("<!-- not run: shows a mistake -->\n```bash\nmerit no-such-verb\n```\n", folder) == 0
