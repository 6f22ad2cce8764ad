"""How verbs speak: results on stdout (tables, or one JSON object), messages and progress on stderr."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from meritorder.problems import Problem

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import Console
    from rich.table import Table

_WIDE = 160  # columns of a table that goes to a file or pipe
_PATIENCE_S = 2.0  # shorter waits need no progress bar


def print_json(value: Any) -> None:
    """One JSON object on stdout. NumPy arrays and numbers are fine; NaN and infinity become null."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(value, option=options).decode() + "\n")
    sys.stdout.flush()


def console() -> Console:
    """Where messages go: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def teller(out: Console) -> Callable[[str], None]:
    """Prints what happens in the course of time: a line each, with the time, never broken where a screen would end."""
    from time import strftime

    def tell(line: str) -> None:
        out.print(f"{strftime('%H:%M:%S')} {line}", markup=False, soft_wrap=True)

    return tell


def results() -> Console:
    """Where results for people go: stdout, wide enough for tables where that is not a terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def table(title: str, columns: Iterable[str]) -> Table:
    """An empty table; columns named with a leading `>` are numbers, set flush right. Use `add_row` with text."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heading = (
        Text(title, style="bold", no_wrap=True, overflow="ignore") if title else None
    )  # may be wider than the table
    result = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        if column.startswith(">"):  # a number stays on a line with its unit, and shows where it had no room
            result.add_column(column[1:], justify="right", overflow="ellipsis", no_wrap=True)
        else:
            result.add_column(column, overflow="fold", no_wrap=number == 0)
    return result


def print_problems(problems: Iterable[Problem], as_json: bool = False) -> None:
    """Problems a line each on stderr, or as `{"error": {"problems": [...]}}` on stdout."""
    if as_json:
        told = [{"what": p.what, "where": p.where, "key": p.key, "fix": p.fix} for p in problems]
        print_json({"error": {"problems": told}})
        return
    from rich.text import Text

    out = console()
    for problem in problems:
        line = Text("error: ", style="bold red")
        for part in (problem.where, problem.key):
            if part:
                line.append(f"{part}: ", style="bold" if part == problem.where else "cyan")
        line.append(problem.what, style="default")
        if problem.fix:
            line.append(f"; {problem.fix}", style="green")
        out.print(line, soft_wrap=True)


@contextmanager
def progress(label: str, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """A bar on stderr for what takes longer than two seconds: call the function yielded with 0 ... 1, or never.

    Nothing is shown when `quiet`, or where stderr is not a terminal.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    out = console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=out,
        transient=True,
        disable=quiet or not out.is_terminal,
    )
    task = bar.add_task(label, total=None)  # no share known yet: a bar that moves to and fro
    show = threading.Timer(_PATIENCE_S, bar.start)
    show.daemon = True

    def advance(fraction: float) -> None:
        bar.update(task, total=1.0, completed=fraction)

    if not bar.disable:
        show.start()
    try:
        yield advance
    finally:
        show.cancel()
        if show.ident is not None:
            show.join()
        bar.stop()


@contextmanager
def on_ctrl_c(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call `stop` on Ctrl-C meanwhile; without effect outside the main thread, where signals don't arrive."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
