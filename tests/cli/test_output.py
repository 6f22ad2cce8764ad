"""Tables and progress: what goes where, and when nothing is shown."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from meritorder.cli import output


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal instead of stderr."""
    text = io.StringIO()
    monkeypatch.setattr(output, "console", lambda: Console(file=text, force_terminal=True, width=80))
    return text


def test_a_bar_only_after_a_while(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_PATIENCE_S", 0.2)
    with output.progress("simulating") as advance:
        advance(0.1)
        assert screen.getvalue() == ""
        time.sleep(0.4)
        advance(0.5)
    assert "simulating" in screen.getvalue()
    assert "50%" in screen.getvalue()


def test_a_bar_also_for_what_tells_nothing(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_PATIENCE_S", 0.05)
    with output.progress("writing"):
        time.sleep(0.3)
    assert "writing" in screen.getvalue()


def test_numbers_keep_their_units_in_a_narrow_terminal() -> None:
    text = io.StringIO()
    table = output.table("", ("pool", "site", ">TTFT\np50", ">TTFT\np99"))
    table.add_row("wafer", "a long name that may wrap", "12.3 ms", "45.6 ms")
    Console(file=text, width=40).print(table)
    assert "12.3 ms" in text.getvalue()
    assert "45.6 ms" in text.getvalue()


def test_no_bar_when_quiet(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_PATIENCE_S", 0.0)
    with output.progress("simulating", quiet=True) as advance:
        advance(0.5)
    assert screen.getvalue() == ""


def test_no_bar_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(output, "_PATIENCE_S", 0.0)
    with output.progress("simulating") as advance:
        advance(0.5)
    assert capsys.readouterr() == ("", "")


def test_tables_go_to_stdout_in_full_width(capsys: pytest.CaptureFixture[str]) -> None:
    table = output.table("Pools", ("pool", ">tok/s"))
    table.add_row("x" * 100, "3")
    table.add_row("y", "1,000")
    output.results().print(table)
    told = capsys.readouterr()
    assert told.err == ""
    rows = [line.rstrip() for line in told.out.splitlines()]
    assert any(row.endswith("      3") and "x" * 100 in row for row in rows), "numbers stand flush right, names whole"


def test_what_is_told_is_a_line_whatever_the_width_of_the_screen() -> None:
    text = io.StringIO()
    output.teller(Console(file=text, width=40))("not reloaded: fleet.yaml:3: gateway.retires: is not a known key [x]")
    (line,) = text.getvalue().splitlines()
    assert line.endswith("gateway.retires: is not a known key [x]")
