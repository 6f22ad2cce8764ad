"""A YAML text as plain data that knows on which line of which file every key stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from meritorder.problems import InputError, Problem

KeyPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 4_000_000
MAX_NODES = 200_000  # after aliases are written out: a few lines of nested aliases can stand for billions

_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", re.IGNORECASE)
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass
class Document:
    """Nested dicts, lists and scalars in `data`; `lines` says where each key path of it stands (`fleet.yaml:12`)."""

    data: dict[str, Any]
    lines: dict[KeyPath, str]
    problems: list[Problem] = field(default_factory=list)

    def where(self, path: KeyPath) -> str:
        """The place of `path`, or of the nearest thing around it that is written somewhere."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return self.lines.get((), "")

    def problem(self, path: KeyPath, what: str, fix: str = "") -> Problem:
        """A problem at `path`."""
        return _problem(self.where(path), path, what, fix)


def decode(raw: bytes, name: str) -> str:
    """The text of a file. Raises InputError where it is none."""
    if len(raw) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES / 1e6:g} MB"
        raise InputError(Problem(what, where=name, fix="give a fleet file (YAML text)"))
    if b"\0" in raw:
        raise InputError(Problem("is a binary file", where=name, fix="give a fleet file (YAML text)"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(Problem("is not UTF-8 text", where=f"{name}:{line}", fix="save it as UTF-8")) from None


def read_document(text: str, name: str) -> Document:
    """Parse YAML with the scalar rules of YAML 1.2: `no` and `12:30` are text, not false and 750.

    Duplicate keys and the like are collected in the document's `problems`.
    Raises InputError where there is no mapping to go on with.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise InputError(Problem("is empty", where=name, fix="give sites, pools and services"))
        if not isinstance(root, yaml.MappingNode):
            what = "is a list" if isinstance(root, yaml.SequenceNode) else "is a single value"
            fix = "a fleet file is a mapping with the keys sites, pools and services"
            raise InputError(Problem(f"{what}, not a mapping", where=f"{name}:{_line(root)}", fix=fix))
        return _Builder(name).document(root)
    except RecursionError:
        raise InputError(Problem("is nested too deeply", where=name, fix="a fleet file has a few levels")) from None
    except yaml.YAMLError as error:
        raise InputError(_syntax_problem(error, name)) from None


class _Loader(yaml.SafeLoader):
    """Composes nodes only; every plain scalar stays text until `_scalar` looks at it."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, str] = {}
        self.problems: list[Problem] = []
        self.nodes = 0
        self.open: set[int] = set()  # nodes being built, to notice one that contains itself

    def document(self, root: yaml.MappingNode) -> Document:
        self.lines[()] = self.name
        return Document(self.build(root, ()), self.lines, self.problems)

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise InputError(Problem("has too many entries", where=self.name, fix="use fewer aliases (`*name`)"))
        if id(node) in self.open:
            raise InputError(
                Problem("contains itself by an alias", where=f"{self.name}:{_line(node)}", fix="write it out")
            )
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self.say(node, path, f"has the tag {node.tag[:40]}", "leave it out")
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.item(child, (*path, index)) for index, child in enumerate(node.value)]
            return _scalar(node)
        finally:
            self.open.discard(id(node))

    def item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = f"{self.name}:{_line(node)}"
        return self.build(node, path)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key, value in self.pairs(node, path):
            if key.value in seen:
                again = (*path, key.value)
                self.say(key, again, f"is given twice, first on line {seen[key.value]}", "keep one of them")
                continue
            seen[key.value] = _line(key)
            self.lines[(*path, key.value)] = f"{self.name}:{_line(key)}"
            result[key.value] = self.build(value, (*path, key.value))
        return result

    def pairs(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The entries of a mapping, those merged in by `<<: *name` last and only where not overridden."""
        merged: list[yaml.Node] = []
        own: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.say(key, path, "has a key that is not a word", "quote it")
            elif key.value == "<<" and key.style is None:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            else:
                own.add(key.value)
                yield key, value
        for other in merged:
            if not isinstance(other, yaml.MappingNode) or id(other) in self.open:
                self.say(other, path, "merges (`<<`) something that is not another mapping", "name one with `*`")
                continue
            self.open.add(id(other))
            try:
                for key, value in list(self.pairs(other, path)):
                    if key.value not in own:
                        own.add(key.value)
                        yield key, value
            finally:
                self.open.discard(id(other))

    def say(self, node: yaml.Node, path: KeyPath, what: str, fix: str) -> None:
        self.problems.append(_problem(f"{self.name}:{_line(node)}", path, what, fix))


def _problem(where: str, path: KeyPath, what: str, fix: str) -> Problem:
    key = ".".join(str(part) for part in path)
    return Problem(_one_line(what), where=where, key=_one_line(key), fix=_one_line(fix))


def _one_line(text: str) -> str:
    """The text with line breaks, terminal codes and the like written as `\\n`, `\\x1b`."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _scalar(node: yaml.Node) -> Any:
    """The value of a scalar by the rules of YAML 1.2; quoted ones are text."""
    text: str = node.value
    if isinstance(node, yaml.ScalarNode) and node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _syntax_problem(error: yaml.YAMLError, name: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        character = error.character if isinstance(error.character, int) else ord(error.character[:1] or b"\0")
        return Problem(f"holds the character U+{character:04X}, which YAML forbids", where=name, fix="remove it")
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("is not YAML", where=name)
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}" if mark else name
    what = (error.problem or error.context or "is not YAML").strip()
    if "'\\t'" in what:
        return Problem("has a tab", where=where, fix="indent with spaces")
    if "another document" in what:
        return Problem("begins a second document (`---`)", where=where, fix="give one fleet a file")
    if what.startswith("found undefined alias"):
        return Problem(what.replace("found ", "has the "), where=where, fix="define it before with `&`")
    if "mapping values are not allowed" in what:
        return Problem("has a `:` where none can stand", where=where, fix="check the indentation, or quote the text")
    context = f" {error.context}" if error.context and error.problem else ""
    since = ""
    if error.context_mark and mark and error.context_mark.line != mark.line:
        since = f" that begins on line {error.context_mark.line + 1}"
    return Problem(f"is not YAML: {what}{context}{since}", where=where, fix="check indentation, brackets and quotes")
