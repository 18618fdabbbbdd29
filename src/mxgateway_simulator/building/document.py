"""A YAML document whose every value knows its line; what YAML would take in silence is refused here.

A key that occurs twice, a word such as `Yes` or `ON` that YAML turns into true, a number as a key: each would be lost,
or mean something else than its writer sees.
"""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NoReturn, TypeVar

import yaml

from mxgateway_simulator.errors import GalaxyDescriptionError

_E = TypeVar("_E", bound=IntEnum)
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_HINTS = {
    "'\\t'": "use blanks in place of tabs",
    "'%'": "put the text in quotes",
    "'@'": "put the text in quotes",
    "'`'": "put the text in quotes",
    "expected ',' or": "a bracket or brace before it is not closed",
    "another document": "a file holds one Galaxy; remove the line ---",
    "constructor for the tag": "write plain values, without !tags",
    "undefined alias": "write the name after & before *",
}


class PlacedMapping(dict[str, Any]):
    """A mapping and the lines of its keys."""

    lines: dict[str, int]


class PlacedList(list[Any]):
    """A list and the lines of its entries."""

    lines: list[int]


class _LostError(Exception):
    def __init__(self, line: int, text: str) -> None:
        self.line = line
        super().__init__(text)


MAX_VALUES = 1_000_000
"""Values of a document, those behind each alias counted anew: far beyond any Galaxy, and read in seconds."""
MAX_DEPTH = 100
_UNDER_WAY = -1


class _Loader(yaml.SafeLoader):
    """SafeLoader that keeps lines, and refuses what it would lose and what has no end."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _measure(node, {}, 0)
        return node


def _measure(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many values a node is once all its aliases are written out.

    Raises:
        _LostError: too many, or too deep.
    """
    size = known.get(id(node))
    if size is None:
        if depth > MAX_DEPTH:
            raise _LostError(_line(node), f"is nested too deeply to be a Galaxy: more than {MAX_DEPTH} levels")
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = node.value
        elif isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        known[id(node)] = _UNDER_WAY
        size = 1 + sum(_measure(part, known, depth + 1) for part in parts)
        known[id(node)] = size
    if size == _UNDER_WAY:
        raise _LostError(_line(node), "is no YAML that ends: an alias (*name) stands within what it is for (&name)")
    if size > MAX_VALUES:
        raise _LostError(
            _line(node),
            f"is more than {MAX_VALUES} values with all its aliases (*name) written out; let `scale` repeat",
        )
    return size


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[PlacedMapping]:
    data = PlacedMapping()
    data.lines = {}
    yield data
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag == _MERGE:
            continue
        line = _line(key)
        if not isinstance(key, yaml.ScalarNode):
            raise _LostError(line, "a key is a list or a mapping; write a name")
        if key.tag != _TEXT:
            raise _LostError(line, f"YAML does not read the key {key.value} as text; put it in quotes: '{key.value}'")
        if key.value in seen:
            raise _LostError(
                line,
                f"the key {key.value!r} stands here for the second time, the first time in line {seen[key.value]};"
                " remove one, or rename it",
            )
        seen[key.value] = line
    loader.flatten_mapping(node)
    for key, value in node.value:
        name = key.value
        # What is merged in comes first, and what stands here wins.
        data[name] = loader.construct_object(value, deep=True)
        data.lines[name] = _line(key)


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> Iterator[PlacedList]:
    data = PlacedList()
    data.lines = [_line(entry) for entry in node.value]
    yield data
    data.extend(loader.construct_object(entry, deep=True) for entry in node.value)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _sequence)


def decoded(data: bytes, file: str) -> str:
    """The text of a file.

    Raises:
        GalaxyDescriptionError: it is not UTF-8.
    """
    for mark, name in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            raise GalaxyDescriptionError(file, "", f"is {name}; save it as UTF-8", line=1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8: byte 0x{data[error.start]:02X}; save the file as UTF-8"
        raise GalaxyDescriptionError(file, "", problem, line=line) from error


def load(text: str, file: str) -> Any:
    """The document of a text: PlacedMapping, PlacedList and scalars.

    Raises:
        GalaxyDescriptionError: it is no YAML, or YAML would lose some of it.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except _LostError as problem:
        raise GalaxyDescriptionError(file, "", str(problem), line=problem.line) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem_text = str(getattr(error, "problem", None) or error)
        hint = next((hint for word, hint in _HINTS.items() if word in problem_text), "")
        column = f"column {mark.column + 1}: " if mark else ""
        raise GalaxyDescriptionError(
            file,
            "",
            f"{column}is no YAML: {problem_text}{f'; {hint}' if hint else ''}",
            line=mark.line + 1 if mark else 0,
        ) from error
    except RecursionError as error:
        raise GalaxyDescriptionError(file, "", "is nested too deeply to be a Galaxy") from error


class Node:
    """A value of the document together with its place.

    Attributes:
        path: its place, for example `templates.$Pump.attributes.Speed.type`.
        line: its line; that of what it stands in, where it is missing.
    """

    def __init__(self, file: str, path: str, value: Any, line: int, lines: dict[str, int]) -> None:
        self.file, self.path, self.value, self.line = file, path, value, line
        self._lines = lines
        lines[path] = line

    @classmethod
    def root(cls, file: str, document: Any, lines: dict[str, int]) -> Node:
        """The whole document; `lines` gets the line of every place that is looked at."""
        return cls(file, "", document, 1, lines)

    def with_value(self, value: Any) -> Node:
        """The same place with another value."""
        return Node(self.file, self.path, value, self.line, self._lines)

    def fail(self, problem: str) -> NoReturn:
        raise GalaxyDescriptionError(self.file, self.path, problem, line=self.line)

    def child(self, key: str) -> Node:
        lines = getattr(self.value, "lines", {})
        path = f"{self.path}.{key}" if self.path else key
        return Node(self.file, path, self.value.get(key), lines.get(key, self.line), self._lines)

    def mapping(self, *allowed: str) -> Node:
        """Checks for a mapping whose keys are among `allowed` (any, when none are given)."""
        if self.value is None:
            self.value = {}
        if not isinstance(self.value, dict):
            self.fail(f"a mapping is wanted here, not {_kind(self.value)}; write `key: value` lines")
        for key in self.value:
            if allowed and key not in allowed:
                near = difflib.get_close_matches(key, allowed, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(allowed)}"
                problem = f"unknown key {key!r}; {hint}"
                raise GalaxyDescriptionError(self.file, self.path, problem, line=self.child(key).line)
        return self

    def items(self) -> Iterator[tuple[str, Node]]:
        """Names with what they stand for; names compare without case."""
        seen: dict[str, str] = {}
        for key in self.mapping().value:
            child = self.child(key)
            first = seen.setdefault(key.casefold(), key)
            if first != key:
                child.fail(f"is the same name as {first!r}: names compare without case; remove one")
            yield key, child

    def entries(self) -> Iterator[Node]:
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.fail(f"a list is wanted here, not {_kind(self.value)}; write `[a, b]` or `- a` lines")
        lines = getattr(self.value, "lines", [])
        for index, value in enumerate(self.value):
            line = lines[index] if index < len(lines) else self.line
            yield Node(self.file, f"{self.path}[{index}]", value, line, self._lines)

    def text(self, default: str | None = None) -> str:
        if self.value is None:
            if default is None:
                self.fail("is missing; give a text")
            return default
        if not isinstance(self.value, str):
            self.fail(f"a text is wanted, not {self.value!r}; put it in quotes")
        return self.value

    def flag(self, default: bool) -> bool:
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            self.fail(f"true or false is wanted, not {self.value!r}")
        return self.value

    def number(self, default: int, low: int, high: int) -> int:
        if self.value is None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not low <= self.value <= high:
            self.fail(f"a whole number from {low} to {high} is wanted, not {self.value!r}")
        return self.value

    def choice(self, choices: tuple[str, ...], default: str) -> str:
        text = self.text(default)
        if text not in choices:
            self.fail(f"{text!r} is none of {', '.join(choices)}")
        return text

    def member(self, kind: type[_E]) -> _E | None:
        if self.value is None:
            return None
        names = {member.name.lower(): member for member in kind}
        if not isinstance(self.value, str) or self.value.lower() not in names:
            self.fail(f"{self.value!r} is none of {', '.join(m.name for m in kind)}")
        return names[self.value.lower()]

    def must(self, problem: str) -> None:
        """Fails when there is a problem."""
        if problem:
            self.fail(problem)


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "mapping" if isinstance(value, dict) else type(value).__name__
