"""YAML as plain data with lines; files that aren't YAML, or no files at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from meritorder.fleet.document import decode, read_document
from meritorder.fleet.load import load, loads
from meritorder.problems import InputError


def only_complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        loads(text, "f.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


def test_lines_of_keys_and_items() -> None:
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "f")
    assert document.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert document.where(("a", "b")) == "f:2"
    assert document.where(("a", "c", 1)) == "f:5"
    assert document.where(("a", "c", 1, "d")) == "f:5"
    assert document.where(("a", "new", "deep")) == "f:1"
    assert document.where(("other",)) == "f"


def test_words_and_numbers_are_those_of_yaml_1_2() -> None:
    text = "{a: no, b: 12:30, c: 1e3, d: 007, e: 0.5, f: true, g: ~, h: '5', i: 2026-01-01, j: 1_000, k: -.inf, l: +3}"
    data = read_document(text, "f").data
    assert data == {
        **{"a": "no", "b": "12:30", "c": 1000.0, "d": 7, "e": 0.5, "f": True, "g": None, "h": "5"},
        **{"i": "2026-01-01", "j": "1_000", "k": float("-inf"), "l": 3},
    }


def test_keys_are_text() -> None:
    assert read_document("{1: a, no: b, null: c}", "f").data == {"1": "a", "no": "b", "null": "c"}


def test_a_merge_key_fills_in_what_is_not_given() -> None:
    text = "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [{a: 5}, *x], c: 4}\n"
    data = read_document(text, "f").data
    assert data["y"] == {"a": 1, "b": 3}
    assert data["z"] == {"a": 5, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "f.yaml: is empty; give sites, pools and services"),
        ("# only a comment\n", "f.yaml: is empty; give sites, pools and services"),
        ("- a\n- b\n", "f.yaml:1: is a list, not a mapping"),
        ("just words\n", "f.yaml:1: is a single value, not a mapping"),
        ("sites:\n\tnorth: 1\n", "f.yaml:2: has a tab; indent with spaces"),
        ("sites: {north: {pue: 1\n", "f.yaml:2: is not YAML"),
        ("a: b: c\n", "f.yaml:1: has a `:` where none can stand"),
        (
            "a: 'unclosed\nb: 1\n",
            "f.yaml:3: is not YAML: found unexpected end of stream while scanning a quoted scalar",
        ),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: begins a second document (`---`); give one fleet a file"),
        ("a: *nothing\n", "f.yaml:1: has the undefined alias 'nothing'; define it before with `&`"),
        ("a: \x07\n", "f.yaml: holds the character U+0007, which YAML forbids"),
        ("a: &x [*x]\n", "f.yaml:1: contains itself by an alias"),
        ("[" * 5000, "f.yaml: is nested too deeply"),
    ],
)
def test_what_is_not_a_fleet_file(text: str, complaint: str) -> None:
    assert only_complaint(text).startswith(complaint)


def test_keys_given_twice_are_told_with_both_lines(small: str) -> None:
    with pytest.raises(InputError) as caught:
        loads(small.replace("services:", "  fast: {}\nservices:") + "sites: {}\n", "f.yaml")
    assert [str(problem) for problem in caught.value.problems] == [
        "f.yaml:12: pools.fast: is given twice, first on line 7; keep one of them",
        "f.yaml:17: sites: is given twice, first on line 1; keep one of them",
    ]


def test_tags_are_refused(small: str) -> None:
    with pytest.raises(InputError, match=r"f.yaml:17: name: has the tag !python/object:os.system; leave it out"):
        loads(small + "\nname: !python/object:os.system x\n", "f.yaml")


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    started = time.perf_counter()
    assert "too many entries" in only_complaint("\n".join(lines))
    assert time.perf_counter() - started < 5


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InputError, match=r"^f: is a binary file"):
        decode(b"\x7fELF\0\0", "f")
    with pytest.raises(InputError, match=r"^f:2: is not UTF-8 text; save it as UTF-8"):
        decode("a: 1\nb: ä".encode("latin-1"), "f")
    with pytest.raises(InputError, match=r"^f: is larger than 4 MB; give a fleet file"):
        decode(b"x" * 5_000_000, "f")
    assert decode("\ufeffa: 1".encode(), "f") == "a: 1"


def test_a_file_that_cannot_be_read(tmp_path: Path, small: str) -> None:
    (tmp_path / "fleet.yaml").write_text(small)
    with pytest.raises(InputError, match=r"is a directory; give a fleet file"):
        load(tmp_path)
    with pytest.raises(InputError, match=r'fleat.yaml: does not exist; did you mean "fleet.yaml"\?'):
        load(tmp_path / "fleat.yaml")
    with pytest.raises(InputError, match=r"does not exist; there is no folder"):
        load(tmp_path / "no" / "fleet.yaml")
    with pytest.raises(InputError, match=r"does not exist|can't be read"):
        load("a\0b")
    if os.geteuid() != 0:
        (tmp_path / "fleet.yaml").chmod(0)
        with pytest.raises(InputError, match=r"can't be read: permission denied"):
            load(tmp_path / "fleet.yaml")
