"""What is wrong with the settings, told so that it can be mended: where it stands, which option it is, the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mxgateway_server.config.settings import Settings, conflicts, setting_names

Place = Callable[[Sequence[str]], str]
"""Path of an option → where its value comes from; empty for a default."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. Never holds the value: it may be a secret that went into the wrong option."""

    name: str
    """Dotted name of the setting."""
    text: str
    """What is wrong, and the remedy."""
    place: str = ""
    """Where the value comes from: file and line, variable or flag; empty when nobody gave one."""

    def __str__(self) -> str:
        words = self.text if self.name in self.text else f"{self.name}: {self.text}"
        return f"{self.place}: {words}" if self.place else words


REMOVED = {
    "galaxy.dashboard_refresh_interval_seconds": "its name is galaxy.poll_interval_seconds now; rename it",
    "protocol.worker_protocol_version": "gateway and worker settle this between themselves; remove it",
}
"""Settings of earlier versions, sections among them → the remedy."""

_WANTED = {
    "tuple_type": 'write a list, such as ["one", "two"]',
    "model_type": "this is a section; write its options",
    "model_attributes_type": "this is a section; write its options",
    "dict_type": 'write a table, such as {{ name = "value" }}',
    "string_type": "write a text in quotes",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "finite_number": "write a finite number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "literal_error": "write one of: {expected}",
    "greater_than": "write a number above {gt:g}",
    "greater_than_equal": "write a number that is at least {ge:g}",
    "less_than": "write a number below {lt:g}",
    "less_than_equal": "write a number that is at most {le:g}",
}


def single_problems(error: ValidationError, place: Place) -> Iterator[Problem]:
    """The options that are wrong by themselves, each once."""
    told = set()
    for problem in error.errors(include_url=False, include_input=False):
        path = [str(part) for part in problem["loc"]]
        removed = next((name for name in REMOVED if f"{'.'.join(path)}.".startswith(f"{name}.")), None)
        name = removed or ".".join(path)
        if name not in told:
            told.add(name)
            text = REMOVED[removed] if removed else _text(path, problem["type"], problem["msg"], problem.get("ctx", {}))
            yield Problem(name, text, place((removed or name).split(".")))


def joint_problems(settings: Settings, failed: Sequence[Problem], place: Place) -> Iterator[Problem]:
    """The options that do not go together; none of those that are wrong already."""
    known = {problem.name for problem in failed}
    for conflict in conflicts(settings):
        if not known.intersection(conflict.names):
            # What was given is what can be mended; a default has no place.
            given = [name for name in conflict.names if place(name.split("."))]
            name = (given or conflict.names)[0]
            yield Problem(name, conflict.text, place(name.split(".")))


def summary(problems: Sequence[Problem]) -> str:
    """One line for each problem, for a message."""
    if len(problems) == 1:
        return f"settings: {problems[0]}"
    return "\n".join([f"{len(problems)} settings are wrong:", *(f"  {problem}" for problem in problems)])


def _text(path: list[str], kind: str, message: str, context: dict[str, Any]) -> str:
    if kind == "extra_forbidden":
        return f"no such setting; {_suggestion(path)}"
    wanted = _WANTED.get(kind)
    return wanted.format(**context) if wanted else message.removeprefix("Value error, ")


def _suggestion(path: list[str]) -> str:
    known = list(setting_names())
    beside = {".".join(name.split(".")[: len(path)]) for name in known}
    near = difflib.get_close_matches(".".join(path), beside, n=1, cutoff=0.75)
    if not near:
        # The option is right and the section is not.
        near = [name for name in known if name.rpartition(".")[2] == path[-1]][:1]
    return f"did you mean {near[0]}?" if near else "remove it or correct its name"
