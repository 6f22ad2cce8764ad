"""Fitting in parts: a part sees what the parts before it have written, whatever this process has read before."""

from functools import cache, partial

import pytest
from scripts.machine_fit.turns import in_turn


@cache
def _read(path):
    return path.read_text()


def _add(word, path):
    path.write_text(f"{_read(path)} {word}")


def _fail():
    raise ValueError("no rows")


def test_a_part_reads_what_the_one_before_it_wrote(tmp_path):
    path = tmp_path / "catalog"
    path.write_text("old")
    assert _read(path) == "old"
    in_turn(partial(_add, word, path) for word in ("kernels", "engines", "power"))
    assert path.read_text() == "old kernels engines power"


def test_a_part_that_fails_ends_the_fit(tmp_path):
    path = tmp_path / "catalog"
    path.write_text("old")
    with pytest.raises(ValueError, match="no rows"):
        in_turn([_fail, partial(_add, "power", path)])
    assert path.read_text() == "old"
