"""Output folders: replaced as a whole, wherever they lie, and never somebody else's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from meritorder.problems import InputError
from meritorder.simulate.folder import check_folder, replacing_folder
from meritorder.simulate.store import ours


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write(folder: Path, text: str) -> None:
    with replacing_folder(folder, ours) as staging:
        (staging / "summary.json").write_text(text)


def write_half(folder: Path, error: type[BaseException] | OSError) -> None:
    with replacing_folder(folder, ours) as staging:
        (staging / "summary.json").write_text("half")
        raise error


def run_in(folder: Path, *more: str) -> None:
    folder.mkdir(parents=True)
    for name in ("requests.parquet", "series.parquet", "summary.json", "fleet.json", *more):
        (folder / name).write_text("old")


def test_the_folder_stays_the_same_one(tmp_path: Path) -> None:
    """A shell that stands in it, a mount and a link go on working."""
    folder, link = tmp_path / "run", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    number = folder.stat().st_ino
    write(link, "new")
    assert folder.stat().st_ino == number
    assert (folder / "summary.json").read_text() == "new"
    assert link.is_symlink()
    assert names(tmp_path) == ["link", "run"]
    assert names(folder) == ["summary.json"]


def test_everything_of_an_earlier_run_goes(tmp_path: Path) -> None:
    run_in(tmp_path / "random")
    run_in(tmp_path / "round-robin")
    (tmp_path / "report.html").write_text("old")
    write(tmp_path, "new")
    assert names(tmp_path) == ["summary.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), ValueError])
def test_a_failure_changes_nothing(tmp_path: Path, error: type[BaseException] | OSError) -> None:
    write(tmp_path / "old", "old")
    for folder in (tmp_path / "old", tmp_path / "new" / "deep"):
        with pytest.raises(InputError if isinstance(error, OSError) else error):
            write_half(folder, error)
    assert names(tmp_path) == ["old"]
    assert names(tmp_path / "old") == ["summary.json"]
    assert (tmp_path / "old" / "summary.json").read_text() == "old"


def test_runs_with_reports_of_their_own_are_not_replaced(tmp_path: Path) -> None:
    """`--output runs` instead of `runs/new` must not cost all runs."""
    run_in(tmp_path / "runs" / "first", "report.html")
    run_in(tmp_path / "runs" / "second", "report.html")
    with pytest.raises(InputError, match=r"holds other files \(first, second\)"):
        check_folder(tmp_path / "runs", ours)
    (tmp_path / "runs" / "report.html").write_text("a comparison")
    with pytest.raises(InputError, match=r"holds other files \(first, second\)"):
        write(tmp_path / "runs", "new")
    assert names(tmp_path / "runs") == ["first", "report.html", "second"]


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file; name a folder"):
        check_folder(tmp_path / "file", ours)
    with pytest.raises(InputError, match=r"can't be written: .*file is a file"):
        check_folder(tmp_path / "file" / "below" / "it", ours)
