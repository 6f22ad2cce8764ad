"""From rows to answers: a row that can't be read or predicted says why, and the others are answered all the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from meritorder.predict.form import Answer, Progress, Row
from meritorder.problems import InputError

Key = TypeVar("Key", bound=Hashable)


def each(rows: Sequence[Row], progress: Progress, answer: Callable[[Row], Answer]) -> list[Answer]:
    """Rows answered one by one."""
    answers = []
    for row in rows:
        try:
            answers.append(answer(row))
        except InputError as error:
            answers.append(refusal(error))
        progress(1)
    return answers


def together(
    rows: Sequence[Row],
    progress: Progress,
    key: Callable[[Row], Key],
    answer: Callable[[Key, Sequence[Row]], Sequence[Answer]],
) -> list[Answer]:
    """Rows of the same `key` answered at once. An InputError of `key` is its row's, one of `answer` all its rows'."""
    answers = [Answer()] * len(rows)
    groups: dict[Key, list[int]] = {}
    for place, row in enumerate(rows):
        try:
            groups.setdefault(key(row), []).append(place)
        except InputError as error:
            answers[place] = refusal(error)
            progress(1)
    for of, members in groups.items():
        try:
            found = answer(of, [rows[place] for place in members])
        except InputError as error:
            found = [refusal(error)] * len(members)
        for place, one in zip(members, found, strict=True):
            answers[place] = one
        progress(len(members))
    return answers


def refusal(error: InputError) -> Answer:
    """No values, and why."""
    return Answer({}, "; ".join(str(problem) for problem in error.problems))
