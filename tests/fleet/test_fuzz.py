"""Whatever a file holds, the loader gives a fleet or a clear message: never anything else."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_text import PLAN

from meritorder.fleet.document import read_document
from meritorder.fleet.load import load, loads
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError

EXAMPLES = [path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "examples").glob("*.yaml")]
EXAMPLES = [*(text for text in EXAMPLES if "extends:" not in text), PLAN]

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
SPLINTERS = st.sampled_from(
    [
        *(
            "",
            "\t",
            "  ",
            ":",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "'",
            '"',
            "&a ",
            "*a",
            "<<: ",
            "!!int ",
            "|",
            "---\n",
            "null",
            "-1",
        ),
        *("1e999", ".nan", "99999999999999999999", "extends: x\n", "policy", "base: h100", "\x00", "\ud800"),
    ]
)


def accepts_or_explains(text: str) -> None:
    try:
        fleet = loads(text, "f.yaml")
    except InputError as error:
        told = error
    else:
        assert isinstance(fleet, Fleet)
        return
    assert told.problems
    for problem in told.problems:
        assert problem.what
        assert "\n" not in str(problem)
        assert "pydantic" not in str(problem)


@given(st.text())
def test_any_text(text: str) -> None:
    accepts_or_explains(text)


@given(raw=st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(raw)
    try:
        assert isinstance(load(path), Fleet)
    except InputError as error:
        told = error
        assert told.problems


@given(st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0), st.integers(0, 30), SPLINTERS), max_size=4))
def test_examples_with_holes_and_splinters(text: str, cuts: list[tuple[int, int, str]]) -> None:
    for at, length, splinter in cuts:
        at %= len(text)
        text = text[:at] + splinter + text[at + length :]
    accepts_or_explains(text)


@given(st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(0, 10**6), SCALARS), min_size=1, max_size=6))
def test_examples_with_other_values(text: str, changes: list[tuple[int, object]]) -> None:
    data = read_document(text, "f").data
    for where, value in changes:
        slots = [
            (node, key) for node in _containers(data) for key in (node if isinstance(node, dict) else range(len(node)))
        ]
        if slots:
            node, key = slots[where % len(slots)]
            node[key] = value
    accepts_or_explains(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _containers(node: object) -> list[dict[object, object]]:
    if isinstance(node, dict):
        return [node, *(deeper for value in node.values() for deeper in _containers(value))]
    return []
