"""Reading a table of configurations and writing it with predictions: one row in, one row out."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meritorder.files import write_text
from meritorder.predict.form import Answer, Form, Row
from meritorder.problems import InputError, Problem

NOTE = "note"


@dataclass(frozen=True)
class Table:
    """A CSV file: its comment lines (`# ...` before the header), column names, and rows by column."""

    comments: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: tuple[int, ...]  # where each row starts in the file


def read_table(path: Path) -> Table:
    """Read a CSV file. Raises InputError where it can't be read, has no header or a row of another width."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise InputError(Problem(f"can't be read: {reason.lower()}", where=str(path), fix="name a CSV file")) from None
    lines = text.splitlines(keepends=True)
    head = 0
    while head < len(lines) and (lines[head].startswith("#") or not lines[head].strip()):
        head += 1
    reader = csv.reader(io.StringIO("".join(lines[head:])))
    columns = tuple(next(reader, ()))
    if not columns:
        raise InputError(Problem("has no header line", where=str(path), fix="name the columns in the first line"))
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        problem = Problem(f"names the column {twice[0]} twice", where=f"{path}:{head + 1}", fix="name it once")
        raise InputError(problem)
    rows, starts, problems = [], [], []
    begin = reader.line_num
    for cells in reader:
        line, begin = head + begin + 1, reader.line_num
        if not cells:
            continue
        if len(cells) != len(columns):
            what = f"has {len(cells)} cells, the header {len(columns)}"
            problems.append(Problem(what, where=f"{path}:{line}", fix="give every row as many cells as the header"))
            continue
        rows.append(dict(zip(columns, cells, strict=True)))
        starts.append(line)
    if problems:
        raise InputError(problems)
    comments = tuple(line.rstrip("\n") for line in lines[:head] if line.strip())
    return Table(comments, columns, tuple(rows), tuple(starts))


def write_table(path: Path, table: Table, form: Form, answers: Sequence[Answer]) -> None:
    """Write the rows with the answers behind them. A column that the table has already is not overwritten: the
    predicted one is then named `predicted_...`."""
    names = {name: f"predicted_{name}" if name in table.columns else name for name in (*form.adds, NOTE)}
    text = io.StringIO()
    for comment in table.comments:
        text.write(comment + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.columns, *names.values()])
    for row, answer in zip(table.rows, answers, strict=True):
        predicted = [f"{answer.values[name]:.6g}" if name in answer.values else "" for name in form.adds]
        writer.writerow([*(row[name] for name in table.columns), *predicted, answer.note])
    write_text(path, text.getvalue())
