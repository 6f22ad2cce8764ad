"""From a table to its answers: which form it has, and what is said of rows that can't be answered."""

from __future__ import annotations

import math
from collections.abc import Sequence

from meritorder.catalog.load import Catalog
from meritorder.predict.form import Answer, Form, Progress, Row
from meritorder.predict.tables import Table
from meritorder.problems import InputError, Problem


def form_of(table: Table, forms: Sequence[Form], where: str) -> Form:
    """The form whose columns the table has; where several fit, the one that asks for most.

    Raises InputError that names the nearest form and what is missing for it.
    """
    there = set(table.columns)
    fitting = [form for form in forms if form.needs <= there]
    if fitting:
        return max(fitting, key=lambda form: len(form.needs))
    nearest = min(forms, key=lambda form: (len(form.needs - there) / len(form.needs), form.name))
    missing = ", ".join(sorted(nearest.needs - there))
    known = "; ".join(form.name for form in forms)
    problem = Problem(
        "has the columns of no table that can be predicted",
        where=where,
        fix=f"the nearest is {nearest.name}, which also needs: {missing}. Known: {known}",
    )
    raise InputError(problem)


def answered(form: Form, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
    """The form's answers to `rows` without the columns that it predicts: outcomes must not be seen.

    An answer that isn't a finite number is none.
    """
    hidden = set(form.adds)
    inputs = [{key: value for key, value in row.items() if key not in hidden} for row in rows]
    return [_sound(answer) for answer in form.predict(inputs, catalog, progress)]


def _sound(answer: Answer) -> Answer:
    odd = sorted(name for name, value in answer.values.items() if not math.isfinite(value))
    if not odd:
        return answer
    kept = {name: value for name, value in answer.values.items() if name not in odd}
    note = f"no finite {', '.join(odd)}"
    return Answer(kept, f"{answer.note}; {note}" if answer.note else note)
