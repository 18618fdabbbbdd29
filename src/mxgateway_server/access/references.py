"""Item definitions as a key's limits see them: every tag that a text may lead to, whatever its spelling.

One tag has many names: contained paths, array parts, properties and bits, the long form `attribute(x)`, an object alone
for its `PV`. The worker has the last word on what a reference means, so all readings that are possible are given, and a
limit must hold for each that the Galaxy knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_ATTRIBUTE = "PV"
RELATIVE_WORDS = frozenset({"me", "mycontainer", "myarea", "myhost", "myengine", "myplatform"})
_PROPERTIES = frozenset(
    ["value", "type", "quality", "dimension1", "securityclassification", "locked", "category", "time", "name", "buffer"]
)
_BIT = re.compile(r"[0-3]\d\Z")
_ARRAY_PART = re.compile(r"\[\s*-?\d*\s*\]")
_ATTRIBUTE_FORM = re.compile(r"attribute\(([^()]*)\)", re.IGNORECASE)
_PROPERTY_FORM = re.compile(r"\.property\([^()]*\)\s*\Z", re.IGNORECASE)


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


def is_relative(reference: str) -> bool:
    """Whether a word in it leads to another object than the text shows."""
    return not RELATIVE_WORDS.isdisjoint(part.strip() for part in reference.casefold().split("."))


def is_simple(reference: str) -> bool:
    """Whether it can mean nothing but an attribute of the object that it names: two names and one dot."""
    return reference.count(".") <= 1 and not set(reference) & set("()[]") and reference.strip() == reference


def spelled_out(reference: str) -> str:
    """The reference without array part and `property(…)`, and with `attribute(x)` as x."""
    text = _ARRAY_PART.sub("", reference.strip(), count=1)
    text = _PROPERTY_FORM.sub("", text)
    return _ATTRIBUTE_FORM.sub(lambda match: match.group(1).strip(), text)


def readings(reference: str) -> tuple[str, ...]:
    """The attributes that it may mean: itself, what stands before a property or bit, and the default attribute."""
    text = spelled_out(reference)
    found = [text, f"{text}.{DEFAULT_ATTRIBUTE}"]
    head, _, last = text.rpartition(".")
    if head and (last.casefold() in _PROPERTIES or _BIT.match(last)):
        found += [head, f"{head}.{DEFAULT_ATTRIBUTE}"]
    return tuple(found)
