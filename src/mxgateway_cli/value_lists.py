"""The elements of an array that is given as text: in brackets, as values are shown, or with commas between."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn

from mxgateway_cli.value_text import CUT

_IN_QUOTES_OF_CSV = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:,|$)')
_IN_QUOTES_OF_JSON = re.compile(r'"(?:[^"\\]|\\.)*"')
_BARE = re.compile(r'[^,\[\]"]*')


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its text, or the elements of a row where there is more than one dimension."""

    text: str = ""
    row: list[Element] | None = None


def elements_of(text: str) -> list[Element]:
    """The elements of a list.

    `[1, 2]`, `["a", "b, c"]` (quotes and escapes as in JSON), `[[1, 2], [3, 4]]`, `[]`; or `1,2`, `a,"b, c"` (quotes
    doubled as in CSV).

    Raises:
        ValueError: the text is empty (an unset variable must not empty the array of a plant), or is no such list.
    """
    text = text.strip()
    if not text:
        raise ValueError("it is empty; say [] for an array without elements")
    return _Brackets(text).read() if text.startswith("[") else _separated(text)


def _separated(text: str) -> list[Element]:
    elements, rest = [], text
    while True:
        in_quotes = _IN_QUOTES_OF_CSV.match(rest)
        if in_quotes:
            elements.append(Element(in_quotes[1].replace('""', '"')))
            rest = rest[in_quotes.end() :]
            if not in_quotes[0].endswith(","):
                return elements
            continue
        bare, comma, rest = rest.partition(",")
        elements.append(_bare(bare))
        if not comma:
            return elements


def _bare(text: str) -> Element:
    text = text.strip()
    if not text:
        raise ValueError('an element is empty; say "" for an empty text')
    if text == CUT:
        raise ValueError(f"it was cut short ({CUT}); give all elements")
    if text.startswith('"'):
        raise ValueError("a quote is not closed, or something stands behind it")
    return Element(text)


class _Brackets:
    """Reads a list in brackets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> list[Element]:
        elements = self._row()
        if self._at < len(self._text):
            self._refuse("something stands behind the last bracket")
        return elements

    def _row(self) -> list[Element]:
        self._at += 1
        self._skip_blanks()
        if self._next() == "]":
            self._at += 1
            return []
        elements = []
        while True:
            elements.append(self._element())
            self._skip_blanks()
            separator = self._next()
            self._at += 1
            if separator == "]":
                return elements
            if separator != ",":
                self._refuse("elements stand in brackets with commas between, such as [1, 2]")

    def _element(self) -> Element:
        self._skip_blanks()
        char = self._next()
        if char == "[":
            return Element(row=self._row())
        if char == '"':
            return Element(self._in_quotes())
        if char == "'":
            self._refuse('texts stand in double quotes, such as ["a", "b"]')
        bare = _BARE.match(self._text, self._at)
        assert bare is not None
        self._at = bare.end()
        return _bare(bare[0])

    def _in_quotes(self) -> str:
        found = _IN_QUOTES_OF_JSON.match(self._text, self._at)
        if found is None:
            self._refuse("a quote is not closed")
        self._at = found.end()
        try:
            return str(json.loads(found[0]))
        except ValueError:
            raise ValueError(f"{found[0]} has an escape that JSON does not know; a backslash is \\\\") from None

    def _skip_blanks(self) -> None:
        while self._next().isspace():
            self._at += 1

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(why)
