"""The `merit` command as a user meets it: help, wrong words, wrong input, interruption, a closed pipe."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from meritorder import __version__
from meritorder.cli import main, output
from meritorder.problems import InputError, Problem

ROOT = Path(__file__).parents[2]
MERIT = [sys.executable, "-c", "from meritorder.cli.main import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}


def merit(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MERIT, *arguments], capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False
    )


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb `boom NAME [--times N] [--json]` that raises what NAME says."""

    def boom(name: str, times: int = 1, json: bool = False) -> None:
        raise {
            "input": InputError([Problem("is bad", "f:1", "a.b", "make it good"), Problem("is worse", "f:2")] * times),
            "interrupt": KeyboardInterrupt(),
        }[name]

    module = SimpleNamespace(command=boom)
    monkeypatch.setitem(sys.modules, "meritorder.cli.boom", module)  # type: ignore[arg-type]
    monkeypatch.setitem(main.VERBS, "boom", main.Verb("meritorder.cli.boom", "Raise."))


def test_help_names_every_verb_without_importing_any() -> None:
    code = "import sys; from meritorder.cli.main import run; run(['--help']); "
    code += "print(sorted(m for m in sys.modules if m.startswith('meritorder') or m in HEAVY))"
    code = code.replace("HEAVY", "('numba', 'pyarrow', 'pydantic', 'plotly', 'yaml', 'numpy')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    for name, verb in main.VERBS.items():
        assert name in done.stdout
        assert verb.help[:30] in done.stdout
    loaded = done.stdout.splitlines()[-1]
    assert loaded == "['meritorder', 'meritorder.cli', 'meritorder.cli.main', 'meritorder.problems']"


def test_help_is_quick() -> None:
    def cpu_seconds() -> float:
        """Processor time, which other work on the machine doesn't stretch; `--help` waits for nothing."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert merit("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize("name", sorted(main.VERBS))
def test_every_verb_has_help(name: str) -> None:
    done = merit(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"merit {name}" in done.stdout


def test_help_flows(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks of the source are none of the terminal's."""
    sys.modules["meritorder.cli.boom"].command.__doc__ = "Raise.\n\n    One line\n    and more of it.\n    "
    assert main.run(["boom", "--help"]) == 0
    assert "One line and more of it." in capsys.readouterr().out


def test_without_arguments_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 0
    assert "Usage: merit" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"merit {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulte"], 'error: merit: there is no verb "simulte"; did you mean "simulate"?'),
        (["xyz"], 'error: merit: there is no verb "xyz"; known: boom, calibrate'),
        (["--versoin"], 'error: merit: there is no option --versoin; did you mean "--version"?'),
        (["boom", "input", "--tmes", "3"], 'error: merit boom: there is no option --tmes; did you mean "--times"?'),
        (["boom"], "error: merit boom: missing argument 'name'; see `merit boom --help`"),
        (["boom", "input", "--times", "x"], "error: merit boom: invalid value for '--times'"),
        (["boom", "input", "more"], "error: merit boom: got unexpected extra argument"),
    ],
)
def test_wrong_words(verb: None, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    told = capsys.readouterr()
    assert told.err.startswith(message)
    assert told.out == ""


def test_bad_input_is_a_line_a_problem(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["boom", "input", "--times", "1"]) == 2
    assert capsys.readouterr() == ("", "error: f:1: a.b: is bad; make it good\nerror: f:2: is worse\n")


def test_bad_input_as_json(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["boom", "input", "--json"]) == 2
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out) == {
        "error": {
            "problems": [
                {"what": "is bad", "where": "f:1", "key": "a.b", "fix": "make it good"},
                {"what": "is worse", "where": "f:2", "key": "", "fix": ""},
            ]
        }
    }


def test_interruption(verb: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["boom", "interrupt"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_markup_in_a_problem_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_problems([Problem("is [red]odd[/red] [/]", where="a[0]")])
    assert capsys.readouterr().err == "error: a[0]: is [red]odd[/red] [/]\n"


def test_a_reader_that_stops_is_no_error() -> None:
    command = [*MERIT, "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    output.print_json({"a": float("nan"), "b": np.array([1.5, np.inf]), "c": np.int32(3), 4: "x"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": 3, "4": "x"}
