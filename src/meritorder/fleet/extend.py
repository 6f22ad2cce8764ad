"""`extends: other.yaml`: a fleet file laid on another, so that "same fleet, other policy" is two lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meritorder.fleet.document import MAX_BYTES, Document, KeyPath, decode, read_document
from meritorder.problems import InputError, Problem, did_you_mean

# Mappings whose keys are names that the user gave: removing a name that isn't there must be a slip.
NAMED = frozenset({"models", "accelerators", "sites", "pools", "services"})


def read_file(path: Path, shown: str | None = None) -> Document:
    """The document of a fleet file with everything it extends merged in.

    Raises InputError where the file, or one that it extends, can't be read or isn't a mapping.
    """
    name = str(path) if shown is None else shown
    try:
        if path.is_dir():
            raise InputError(Problem("is a directory", where=name, fix="give a fleet file (YAML)"))
        if not path.exists():
            raise InputError(Problem("does not exist", where=name, fix=_neighbours(path)))
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(Problem(f"can't be read: {reason.lower()}", where=name)) from None
    return read_document(decode(raw, name), name)


def extend(document: Document, folder: Path, seen: tuple[Path, ...]) -> Document:
    """`document` laid on the file that it extends, if any; `seen` are the files on the way, for cycles."""
    if "extends" not in document.data:
        return document
    target = document.data.pop("extends")
    if not isinstance(target, str) or not target.strip():
        problem = document.problem(("extends",), "is not a file name", "write `extends: other.yaml`")
        raise InputError([*document.problems, problem])
    path = folder / target
    try:
        real = path.resolve()
    except (OSError, ValueError, RuntimeError):
        real = path
    if real in seen:
        way = " -> ".join(file.name for file in (*seen, real))
        problem = document.problem(("extends",), f"goes in a circle: {way}", "let one of them stand alone")
        raise InputError([*document.problems, problem])
    try:
        below = extend(read_file(path), path.parent, (*seen, real))
    except InputError as error:
        at = document.where(("extends",))
        told = [Problem(p.what, p.where, p.key or f"extended by {at}", p.fix) for p in error.problems]
        raise InputError([*document.problems, *told]) from None
    return merge(below, document)


def merge(under: Document, over: Document) -> Document:
    """`over` laid on `under`: mappings merge, `null` removes an entry, anything else replaces.

    A mapping whose `policy` changes is replaced, since other policies have other parameters.
    """
    problems = [*under.problems, *over.problems]

    def lay(below: dict[str, Any], above: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        result = dict(below)
        for key, value in above.items():
            here = (*path, key)
            mine = result.get(key)
            if value is None:
                if len(path) == 1 and path[0] in NAMED and key not in below:
                    problems.append(over.problem(here, "is removed but was never there", did_you_mean(key, below)))
                result.pop(key, None)
            elif isinstance(value, dict) and isinstance(mine, dict) and _same_kind(mine, value):
                result[key] = lay(mine, value, here)
            else:
                result[key] = _without_nulls(value)
        return result

    data = lay(under.data, over.data, ())
    return Document(data, {**under.lines, **over.lines}, problems)


def _same_kind(below: dict[str, Any], above: dict[str, Any]) -> bool:
    return "policy" not in above or above["policy"] == below.get("policy")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    return value


def _neighbours(path: Path) -> str:
    """What to write instead of a file that isn't there: one of its folder with a name like it."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    names = [file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml")]
    return did_you_mean(path.name, names) if names else "name a fleet file (YAML)"
