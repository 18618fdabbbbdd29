"""On which line of a TOML text each option stands: `tomllib` does not tell."""

from __future__ import annotations

import re

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_NAME = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"\[\[?[ \t]*({_NAME})[ \t]*\]\]?")
_OPTION = re.compile(rf"({_NAME})[ \t]*=")
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'|#[^\n]*|[\[\]{}\n]|[^\[\]{}\n\"'#]+",
    re.DOTALL,
)


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Path of each option and section → its line, counted from 1; `text` has to be valid TOML.

    Options of an inline table are not told apart: they stand where the table does.
    """
    found: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    position = 0
    while position < len(text):
        while text[position : position + 1] in (" ", "\t"):
            position += 1
        if match := _HEADER.match(text, position):
            path = section = _parts(match[1])
        elif match := _OPTION.match(text, position):
            path = (*section, *_parts(match[1]))
        else:
            # Blank lines and comments.
            position = _end_of_value(text, position)
            continue
        found.setdefault(path, text.count("\n", 0, match.start()) + 1)
        position = _end_of_value(text, match.end())
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))


def _end_of_value(text: str, position: int) -> int:
    """Where the next line begins that belongs to no value."""
    depth = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:  # only in text that is not TOML
            return len(text)
        position = match.end()
        piece = match[0]
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        if piece == "\n" and depth <= 0:
            break
    return position
