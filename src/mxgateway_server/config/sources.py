"""Where settings come from: flags, environment (`MXGATEWAY__SECTION__OPTION`), TOML file, defaults; the first wins.

Each value keeps its origin, so that a mistake can be told where it was made.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from mxgateway_server.config.problems import Problem, joint_problems, single_problems, summary
from mxgateway_server.config.settings import CHECKED_LATER, Settings, setting_names
from mxgateway_server.config.toml_lines import lines_of
from mxgateway_server.errors import ConfigurationError

ENVIRONMENT_PREFIX = "MXGATEWAY__"

FLAGS = {
    "galaxy.connection_string": "--galaxy",
    "worker.backend": "--backend",
    "logging.level": "--log-level",
    "logging.format": "--log-format",
}
"""Flags of other names than their settings'."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from."""

    source: Literal["default", "file", "variable", "flag"]
    place: str = ""
    """`FILE:LINE`, the variable's name, or the flag; empty for a default."""

    def __str__(self) -> str:
        return self.place or self.source


DEFAULT = Origin("default")


@dataclass(slots=True)
class Values:
    """A tree of values as their sources gave them, and the origin of each."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], Origin] = field(default_factory=dict)

    def put(self, path: Sequence[str], value: Any, origin: Origin) -> None:
        """Sets one value, over what an earlier source gave."""
        if isinstance(value, dict):
            for name, each in value.items():
                self.put((*path, name), each, origin)
            if value or self.origin(path) is not DEFAULT:
                return  # tables of several sources are one table
        tree = self.tree
        for depth, part in enumerate(path[:-1], 1):
            tree = tree.setdefault(part, {})
            if not isinstance(tree, dict):
                raise ConfigurationError(f"{origin}: {'.'.join(path)}: {'.'.join(path[:depth])} is no section")
        tree[path[-1]] = value
        self.origins[tuple(path)] = origin

    def origin(self, path: Sequence[str]) -> Origin:
        """The origin of a value: its own, else that of the table around it, else that of the first value in it."""
        path = tuple(path)
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return next((origin for inner, origin in self.origins.items() if inner[: len(path)] == path), DEFAULT)

    def place(self, path: Sequence[str]) -> str:
        return self.origin(path).place


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and where each comes from."""

    settings: Settings
    values: Values = field(repr=False)

    def origin(self, name: str) -> Origin:
        """Where the setting of a dotted name comes from."""
        return self.values.origin(name.split("."))


def load(config_file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings from all sources.

    Args:
        config_file: TOML file; None for none.
        flags: dotted option name → value, as given on the command line.

    Raises:
        ConfigurationError: a setting is wrong; names each that is, and says what would be right.
    """
    return load_configuration(config_file, flags).settings


def load_configuration(config_file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Configuration:
    """The settings from all sources with the origin of each; arguments and errors as of `load`."""
    values = read_sources(config_file, flags)
    settings, problems = check(values)
    if problems:
        raise ConfigurationError(summary(problems))
    return Configuration(settings, values)


def read_sources(config_file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Values:
    """What the sources say, not yet checked.

    Raises:
        ConfigurationError: the file cannot be read, or a variable would do nothing.
    """
    values = Values()
    if config_file is not None:
        _read_file(config_file, values)
    read_environment(os.environ, values)
    for name, value in (flags or {}).items():
        values.put(name.split("."), value, Origin("flag", _flag(name, value)))
    return values


def check(values: Values) -> tuple[Settings, list[Problem]]:
    """The settings, and all that is wrong; a wrong value is left out, so that the others are judged all the same."""
    problems: list[Problem] = []
    while True:
        try:
            settings = Settings.model_validate(values.tree, context=CHECKED_LATER)
        except ValidationError as error:
            problems += single_problems(error, values.place)
            wrong = [[str(part) for part in each["loc"]] for each in error.errors(include_url=False)]
            if not [path for path in wrong if _leave_out(values.tree, path)]:
                raise ConfigurationError(summary(problems)) from None
        else:
            return settings, [*problems, *joint_problems(settings, problems, values.place)]


def _leave_out(tree: dict[str, Any], path: Sequence[str]) -> bool:
    for part in path:
        inner = tree.get(part)
        if not isinstance(inner, dict) or part == path[-1]:
            return tree.pop(part, None) is not None
        tree = inner
    return False


def _flag(name: str, value: Any) -> str:
    if name == "listen" and value == "":
        return "--no-tls"
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


# ----------------------------------------------------------------------------------------------------------------- file


def _read_file(path: Path, values: Values) -> None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(f"--config {path}: no such file; create it or leave the flag out") from None
    except IsADirectoryError:
        raise ConfigurationError(f"--config {path}: this is a folder; name the file in it") from None
    except OSError as error:
        raise ConfigurationError(f"--config {path}: {error.strerror}; make the file readable") from None
    try:
        # Editors on Windows write a byte order mark, which TOML does not know.
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        tree = tomllib.loads(text)
    except UnicodeDecodeError:
        raise ConfigurationError(f"--config {path}: not TOML: it is not UTF-8; save it with this encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"--config {path}: not TOML: {error}{_hint(str(error))}") from None
    lines = lines_of(text)
    for option, value in _leaves(tree, ()):
        line = next((lines[option[:end]] for end in range(len(option), 0, -1) if option[:end] in lines), None)
        values.put(option, value, Origin("file", f"{path}:{line}" if line else str(path)))


def _hint(message: str) -> str:
    if "\\" in message or "hex" in message:
        return r"; in double quotes a backslash has a meaning of its own: write paths in single quotes, 'C:\folder'"
    return ""


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, (*path, name))
        else:
            found.append(((*path, name), value))
    return found


# ---------------------------------------------------------------------------------------------------------- environment


def environment_name(name: str) -> str:
    """The variable of the setting of a dotted name."""
    return ENVIRONMENT_PREFIX + name.replace(".", "__").upper()


def read_environment(environment: Mapping[str, str], values: Values) -> None:
    """Puts what the variables say into `values`.

    Raises:
        ConfigurationError: a variable's name is nearly that of a setting, so it would do nothing.
    """
    known = {re.sub("_+", "_", environment_name(name)): environment_name(name) for name in setting_names()}
    for name, text in environment.items():
        upper = name.upper()
        if upper.startswith(ENVIRONMENT_PREFIX):
            path = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
            values.put(path, _value(text), Origin("variable", name))
        elif re.sub("_+", "_", upper) in known:
            # Nobody would see that such a variable does nothing.
            meant = known[re.sub("_+", "_", upper)]
            raise ConfigurationError(f"environment: {name} is not read; write {meant}, with two underscores")


def _value(text: str) -> Any:
    # Lists and tables are written as TOML; everything else is text that the model converts.
    if text.startswith(("[", "{")):
        try:
            return tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            return text
    return text
