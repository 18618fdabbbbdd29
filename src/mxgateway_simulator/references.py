"""Item definitions as text: object, attribute, array part and property, before anything is looked up."""

from __future__ import annotations

import re
from dataclasses import dataclass

WHOLE = -1
"""Index of a whole array: `[]`."""

RELATIVE_WORDS = ("me", "mycontainer", "myarea", "myhost", "myengine", "myplatform")

PROPERTIES = (
    "value", "type", "quality", "dimension1", "securityclassification", "locked", "category", "time", "name", "buffer",
)  # fmt: skip
"""Properties that may follow an attribute; `.00` to `.31` are bits of an Integer."""

_LONGEST = 329 + 64
_ARRAY_PART = re.compile(r"\[\s*(-?\d+|)\s*\]", re.ASCII)
_LONG_FORM = re.compile(r"(attribute|property)\(([^()]*)\)", re.IGNORECASE)
_BIT = re.compile(r"[0-3]\d", re.ASCII)


class ReferenceSyntaxError(ValueError):
    """A text that can be no reference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference in its parts.

    Attributes:
        segments: object and attribute names in order, as written; the attribute may be missing.
        attribute: the attribute where the long form `attribute(x)` names it, else empty.
        index: None without an array part, WHOLE for `[]`, else the number in the brackets.
        property: property where it cannot be anything else (after `]`, or in long form), in lower case, else empty.
    """

    segments: tuple[str, ...]
    attribute: str = ""
    index: int | None = None
    property: str = ""


def is_property(name: str) -> bool:
    """Whether a name without case is that of a property, or of a bit."""
    lowered = name.lower()
    return lowered in PROPERTIES or (bool(_BIT.fullmatch(name)) and int(name) <= 31)


def parse_reference(text: str) -> Reference:
    """Takes a reference apart.

    Raises:
        ReferenceSyntaxError: it can be none.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        raise ReferenceSyntaxError("a reference is 1 to 393 characters long")
    body, index, tail = text, None, ""
    match = _ARRAY_PART.search(text)
    if match:
        body, tail = text[: match.start()], text[match.end() :]
        index = WHOLE if match[1] in ("", "-1") else int(match[1])
        if tail and not tail.startswith("."):
            raise ReferenceSyntaxError("after an array part only a property may follow")
        tail = tail[1:]
    elif "[" in text or "]" in text:
        raise ReferenceSyntaxError("a bracket is missing its other half")
    attribute = prop = ""
    if tail:
        prop = _property_name(tail)
    segments = []
    ended = False
    for part in _split(body):
        form = _LONG_FORM.fullmatch(part)
        if ended or not part:
            raise ReferenceSyntaxError("names are separated by single dots, and nothing follows a property")
        if form and form[1].lower() == "attribute":
            attribute = form[2].strip()
        elif form:
            prop = _property_name(part)
            ended = True
        elif attribute and not is_property(part):
            raise ReferenceSyntaxError("after attribute(…) only a property may follow")
        elif attribute:
            prop = part.lower()
            ended = True
        else:
            segments.append(part)
    if not segments:
        raise ReferenceSyntaxError("the object is missing")
    return Reference(tuple(segments), attribute, index, prop)


def _split(body: str) -> list[str]:
    """Splits at dots outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(body):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "." and depth == 0:
            parts.append(body[start:position])
            start = position + 1
    parts.append(body[start:])
    return parts


def _property_name(text: str) -> str:
    form = _LONG_FORM.fullmatch(text)
    name = form[2].strip() if form and form[1].lower() == "property" else text
    if not is_property(name):
        raise ReferenceSyntaxError(f"{name!r} is no property")
    return name.lower()
