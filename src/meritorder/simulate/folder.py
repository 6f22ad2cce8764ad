"""Writing a folder so that a reader sees the old content or the whole new one, never half."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from meritorder.problems import InputError, Problem

# Whether an entry of the folder may be replaced; anything else is somebody's work.
Ours = Callable[[Path], bool]


@contextmanager
def replacing_folder(folder: Path, ours: Ours) -> Iterator[Path]:
    """A temporary folder whose content takes the place of what `folder` holds, on success; on failure nothing changes.

    It lies inside `folder` (made where it is missing), so that this may be a mounted volume, a link, or the folder that
    the user's shell stands in. Raises InputError where it holds what is not `ours` or can't be written.
    """
    folder = folder.absolute()
    check_folder(folder, ours)
    staging, old = (folder / f".{os.getpid()}.{kind}" for kind in ("partial", "old"))
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    done = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = list(folder.iterdir())
        staging.mkdir()
        yield staging
        old.mkdir()
        _move([(entry, old / entry.name) for entry in before] + [(e, folder / e.name) for e in staging.iterdir()])
        done = True
    except OSError as error:
        raise InputError(_unwritable(folder, error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        for path in [] if done else made:
            with suppress(OSError):
                path.rmdir()


def check_folder(folder: Path, ours: Ours) -> None:
    """Raise InputError where `folder` can't be written or holds what is not `ours`: before a long run, not after."""
    if folder.exists():
        if not folder.is_dir():
            raise InputError(Problem("is a file", where=str(folder), fix="name a folder for the run"))
        try:
            foreign = sorted(entry.name for entry in folder.iterdir() if not ours(entry))
        except OSError as error:
            raise InputError(_unwritable(folder, error)) from error
        if foreign:
            what = f"holds other files ({', '.join(foreign[:3])}{', ...' if len(foreign) > 3 else ''})"
            raise InputError(Problem(what, where=str(folder), fix="name a new folder or an earlier run's"))
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(Problem(f"can't be written: {place} is a file", str(folder), fix="name another place"))
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(Problem("can't be written: permission denied", str(folder), fix="name another place"))


def _move(pairs: list[tuple[Path, Path]]) -> None:
    """Rename every first to its second; where one fails, all those before it are moved back."""
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in pairs:
            source.rename(target)
            moved.append((source, target))
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        raise


def _unwritable(folder: Path, error: OSError) -> Problem:
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return Problem(f"can't be written: {reason}", where=str(folder), fix="name another place with room")
