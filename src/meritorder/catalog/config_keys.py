"""`Keys`: a config.json as a mapping that collects what is missing or wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meritorder.problems import Problem, said

_MOST = 10**12  # no width, count or length of a model is larger


class Keys:
    """The keys of (a part of) a config.json. What is asked for and not there becomes a problem, and counts as 1."""

    def __init__(self, data: Mapping[str, Any], where: str, problems: list[Problem], inside: str = "") -> None:
        self.data, self.where, self.problems, self.inside = data, where, problems, inside

    def __contains__(self, key: str) -> bool:
        return self.data.get(key) is not None

    def part(self, *names: str) -> Keys | None:
        """The mapping under the first of these names that there is."""
        for name in names:
            if isinstance(self.data.get(name), Mapping):
                return Keys(self.data[name], self.where, self.problems, f"{self.inside}{name}.")
        return None

    def count(self, *names: str, default: int | None = None) -> int:
        """The whole number under the first of these names; `default` where there is none (None: a problem)."""
        for name in names:
            value = self.data.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
                self.wrong(name, f"is {said(value)}, not a count", "give a whole number")
                return 1
            return value
        if default is not None:
            return default
        self.wrong(names[0], "is missing", "take the config.json that was published with the weights")
        return 1

    def flag(self, name: str, default: bool = False) -> bool:
        """The truth value under `name`."""
        value = self.data.get(name)
        return value if isinstance(value, bool) else default

    def text(self, *names: str) -> str:
        """The text under the first of these names, or an empty one."""
        return next((self.data[name] for name in names if isinstance(self.data.get(name), str)), "")

    def entries(self, name: str) -> list[Any]:
        """The list under `name`, or an empty one."""
        value = self.data.get(name)
        return list(value) if isinstance(value, list) else []

    def wrong(self, key: str, what: str, fix: str) -> None:
        """Note a problem with `key`."""
        problem = Problem(what, self.where, self.inside + key, fix)
        if problem not in self.problems:
            self.problems.append(problem)
