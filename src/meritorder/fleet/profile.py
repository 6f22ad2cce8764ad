"""`measured: ./profile.yaml`: a pool's machine from the file that `merit calibrate` wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from meritorder.fleet.document import Document, KeyPath
from meritorder.fleet.extend import read_file
from meritorder.fleet.measured import Profile
from meritorder.fleet.wording import in_words
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.units import FROM_FILE

_HEAD = 65_536  # bytes of a file that tell whether it is a profile


def read_profile(path: Path) -> Document:
    """The document of a profile. Raises InputError with everything that is wrong in it, each with its line."""
    document = read_file(path)
    problems = list(document.problems)
    try:
        Profile.model_validate(document.data, context=FROM_FILE)
    except ValidationError as error:
        problems += in_words(error, document, document.data, Profile)
    if problems:
        raise InputError(problems)
    return document


def with_profiles(document: Document) -> Document:
    """The document with every profile that a pool names written out: `measured: FILE`, or `base: FILE` in `measured`.

    The file's path is seen from the file in which it is named; what stands beside `base`, and in the pool's `engine`,
    comes before what the profile says. Raises InputError with what is wrong in one.
    """
    pools = document.data.get("pools")
    for name, pool in pools.items() if isinstance(pools, dict) else ():
        measured = pool.get("measured") if isinstance(pool, dict) else None
        named = measured.get("base") if isinstance(measured, dict) else measured
        if not isinstance(named, str):
            continue
        place: KeyPath = ("pools", name, "measured")
        own = {key: value for key, value in measured.items() if key != "base"} if isinstance(measured, dict) else {}
        path = Path(document.where(place).rpartition(":")[0]).parent / named
        try:
            if _is_missing(path):
                raise InputError(Problem("does not exist", str(path), fix=_instead(path)))
            profile = read_profile(path)
        except InputError as error:
            at = document.where(place)
            told = [Problem(p.what, p.where, p.key or f"named by {at}", p.fix) for p in error.problems]
            raise InputError([*document.problems, *told]) from None
        pool["measured"] = profile.data["measured"] | own
        _note_lines(document, profile, place, own)
        _fill_in_engine(document, profile, name, pool)
    return document


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):  # whoever reads it says why it can't be
        return False


def _instead(path: Path) -> str:
    """What to name instead of a profile that isn't there: one of its folder, never a file of another kind."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    profiles = [file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml") and _is_profile(file)]
    return did_you_mean(path.name, profiles) if profiles else f"`merit calibrate URL --output {path.name}` writes one"


def _is_profile(file: Path) -> bool:
    """Whether its outermost keys are those of a profile, as far as its first lines tell."""
    try:
        with file.open("rb") as lines:
            return re.search(rb"^measured:", lines.read(_HEAD), re.MULTILINE) is not None
    except OSError:
        return False


def _fill_in_engine(document: Document, profile: Document, name: str, pool: dict[str, Any]) -> None:
    known, mine = profile.data.get("engine"), pool.get("engine", {})
    if isinstance(known, dict) and isinstance(mine, dict):
        pool["engine"] = known | mine
        _note_lines(document, profile, ("pools", name, "engine"), mine)


def _note_lines(document: Document, profile: Document, place: KeyPath, own: dict[str, Any]) -> None:
    """What came from the profile stands on its lines."""
    part = place[-1]
    for path, line in profile.lines.items():
        if len(path) > 1 and path[0] == part and path[1] not in own:
            document.lines[(*place, *path[1:])] = line
