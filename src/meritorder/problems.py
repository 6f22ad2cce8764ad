"""What is wrong with an input, said once and clearly: what, where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a user's input.

    `where` is a file with line (`fleet.yaml:12`) or an option (`--rate`), `key` the path inside it
    (`pools.fast.replicas`), `what` the fault, `fix` what would be right.
    """

    what: str
    where: str = ""
    key: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """`fleet.yaml:12: pools.fast.replicas: is 0; give at least 1`."""
        head = ": ".join(part for part in (self.where, self.key) if part)
        text = f"{head}: {self.what}" if head else self.what
        return f"{text}; {self.fix}" if self.fix else text


class InputError(Exception):
    """The user's input can't be used. Carries every problem found, not the first only; exit code 2."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean "h100"?` or, when nothing is near, the names there are."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if near:
        match = next(n for n in names if n.lower() == near[0])
        return f'did you mean "{match}"?'
    return "known: " + (", ".join(names) if names else "none")


def said(value: object, most: int = 40) -> str:
    """A value of a YAML file as a message names it: texts quoted, in `most` characters at most."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    text = text if len(text) <= most else text[: most - 3] + "..."
    return f'"{text}"' if isinstance(value, str) else text
