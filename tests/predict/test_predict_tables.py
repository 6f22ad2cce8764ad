"""Tables of `merit predict`: one row in, one row out, and outcomes that nobody sees."""

from __future__ import annotations

import csv

import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.answer import answered, form_of
from meritorder.predict.form import Answer
from meritorder.predict.tables import read_table, write_table
from meritorder.problems import InputError


class Doubling:
    """Predicts `y` as twice `x`, and says why where it can't."""

    name = "doubling"
    needs = frozenset({"x"})
    adds = ("y",)

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []

    def predict(self, rows, catalog, progress):
        self.seen = list(rows)
        answers = []
        for row in rows:
            progress(1)
            answers.append(Answer({"y": 2 * float(row["x"])}) if row["x"] else Answer({}, "x is empty"))
        return answers


class Trebling(Doubling):
    name = "trebling"
    needs = frozenset({"x", "z"})


def table_of(tmp_path, text):
    path = tmp_path / "in.csv"
    path.write_text(text)
    return read_table(path)


def test_one_row_in_one_row_out_with_comments_and_order_kept(tmp_path):
    table = table_of(tmp_path, '# units: s\nx,label\n2,"a, b"\n,none\n1.5,c\n')
    form = Doubling()
    answers = answered(form, table.rows, catalog(), lambda n: None)
    write_table(tmp_path / "out.csv", table, form, answers)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "# units: s"
    assert list(csv.reader(lines[1:])) == [
        ["x", "label", "y", "note"],
        ["2", "a, b", "4", ""],
        ["", "none", "", "x is empty"],
        ["1.5", "c", "3", ""],
    ]


def test_measured_columns_are_kept_and_hidden(tmp_path):
    table = table_of(tmp_path, "x,y,note\n1,99,mine\n")
    form = Doubling()
    write_table(tmp_path / "out.csv", table, form, answered(form, table.rows, catalog(), lambda n: None))
    assert all("y" not in row for row in form.seen)
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert rows == [{"x": "1", "y": "99", "note": "mine", "predicted_y": "2", "predicted_note": ""}]


def test_an_answer_that_is_no_number_is_none():
    form = Doubling()
    (answer,) = answered(form, [{"x": "inf"}], catalog(), lambda n: None)
    assert answer.values == {}
    assert "no finite y" in answer.note


def test_the_form_that_asks_for_most_is_taken(tmp_path):
    table = table_of(tmp_path, "z,x\n1,2\n")
    assert form_of(table, (Doubling(), Trebling()), "t").name == "trebling"
    table = table_of(tmp_path, "x\n1\n")
    assert form_of(table, (Doubling(), Trebling()), "t").name == "doubling"


def test_an_unknown_table_is_told_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"nearest is trebling, which also needs: x\. Known: doubling; trebling"):
        form_of(table_of(tmp_path, "z\n1\n"), (Doubling(), Trebling()), "in.csv")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", "", "has no header line"),
        ("# only a comment\n", "", "has no header line"),
        ("x,x\n1,2\n", ":1", "names the column x twice"),
        ("# c\nx,y\n1,2\n3\n", ":4", "has 1 cells, the header 2"),
        ('x,y\n"two\nlines",2\n1,2,3\n', ":4", "has 3 cells, the header 2"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path, text, line, what):
    with pytest.raises(InputError) as caught:
        table_of(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.where.endswith(f"in.csv{line}")
    assert what in problem.what


def test_a_table_that_is_not_there_is_one_message(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv.*can't be read"):
        read_table(tmp_path / "none.csv")
