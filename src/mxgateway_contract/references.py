"""The grammar of item definitions: object, attribute, array part and property, before anything is looked up.

One tag has many names: contained paths, array parts, properties and bits, the long form `attribute(x)`, an object alone
for its `PV`. `parse_reference` takes a text apart as the model does that has the last word on it. `readings` gives
every attribute that a text may lead to, and takes more than the model does: a limit must hold for each that the Galaxy
knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WHOLE = -1
"""Index of a whole array: `[]`."""

DEFAULT_ATTRIBUTE = "PV"
"""What an object's name alone stands for."""

RELATIVE_WORDS = ("me", "mycontainer", "myarea", "myhost", "myengine", "myplatform")
"""First names, in lower case, that lead to another object than the text shows."""

RESERVED_WORDS = frozenset({*RELATIVE_WORDS, "system"})
"""Words, in lower case, that no object may be called."""

LONGEST_NAME = 329
"""Most characters of an object's and an attribute's name together, the dot included."""

LONGEST_REFERENCE = LONGEST_NAME + 64
"""The same with an array part and a property."""

PROPERTIES = (
    "value", "type", "quality", "dimension1", "securityclassification", "locked", "category", "time", "name", "buffer",
)  # fmt: skip
"""Properties that may follow an attribute; `.00` to `.31` are bits of an Integer."""

_ARRAY_PART = re.compile(r"\[\s*(-?\d+|)\s*\]", re.ASCII)
_LONG_FORM = re.compile(r"(attribute|property)\(([^()]*)\)", re.IGNORECASE)
_ATTRIBUTE_FORM = re.compile(r"attribute\(([^()]*)\)", re.IGNORECASE)
_PROPERTY_FORM = re.compile(r"\.property\([^()]*\)\s*\Z", re.IGNORECASE)
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
    if not text or len(text) > LONGEST_REFERENCE:
        raise ReferenceSyntaxError(f"a reference is 1 to {LONGEST_REFERENCE} characters long")
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


@dataclass(frozen=True, slots=True)
class ItemReference:
    """What an item was added as.

    Attributes:
        definition: the item definition.
        context: the context of AddItem2 and AddBufferedItem; empty for none.
    """

    definition: str
    context: str = ""

    @property
    def text(self) -> str:
        """The reference that both make, for people and records."""
        return join_reference(self.context, self.definition)


def join_reference(context: str, definition: str) -> str:
    """The reference that a relative definition and its context make.

    `Me.` at the definition's head stands for the context itself.
    """
    if not context:
        return definition
    head, _, rest = definition.partition(".")
    if head.casefold() == "me":
        return f"{context}.{rest}" if rest else context
    return f"{context}.{definition}"


def is_too_long(reference: str) -> bool:
    """Whether it has more characters than any reference can have, so that there is no tag of this name."""
    return len(reference) > LONGEST_REFERENCE and len(reference.strip()) > LONGEST_REFERENCE


def is_relative(reference: str) -> bool:
    """Whether a word in it leads to another object than the text shows."""
    return any(part.strip() in RELATIVE_WORDS for part in reference.casefold().split("."))


def is_simple(reference: str) -> bool:
    """Whether it can mean nothing but an attribute of the object that it names: two names and one dot."""
    return reference.count(".") <= 1 and not set(reference) & set("()[]") and reference.strip() == reference


def is_bare(reference: str) -> bool:
    """Whether it names an attribute and neither a part nor a property of it."""
    try:
        parsed = parse_reference(reference)
    except ReferenceSyntaxError:
        return False
    return parsed.index is None and not parsed.property


def spelled_out(reference: str) -> str:
    """The reference without array part and `property(…)`, and with `attribute(x)` as x."""
    if "[" not in reference and "(" not in reference:
        return reference.strip()
    text = _ARRAY_PART.sub("", reference.strip(), count=1)
    text = _PROPERTY_FORM.sub("", text)
    return _ATTRIBUTE_FORM.sub(lambda match: match.group(1).strip(), text)


def readings(reference: str) -> tuple[str, ...]:
    """The attributes that it may mean: itself, what stands before a property or bit, and the default attribute."""
    text = spelled_out(reference)
    found = [text, f"{text}.{DEFAULT_ATTRIBUTE}"]
    head, _, last = text.rpartition(".")
    if head and is_property(last):
        found += [head, f"{head}.{DEFAULT_ATTRIBUTE}"]
    return tuple(found)
