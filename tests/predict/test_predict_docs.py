"""The page on tables names every one that is known, with its columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from meritorder.predict.forms import FORMS

PAGE = (Path(__file__).parents[2] / "docs/predict.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_page_names_the_table_and_its_columns(form):
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {form.name} |"))
    _, _, _, needs, adds, _ = line.split("|")
    assert {word.strip(" `") for word in needs.split(",")} == set(form.needs)
    assert [word.strip(" `") for word in adds.split(",")] == list(form.adds)


def test_no_two_tables_are_recognised_alike():
    assert len({form.needs for form in FORMS}) == len(FORMS)
