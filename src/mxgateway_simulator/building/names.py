"""Names by the product's rules: what each kind of name may hold, and how long it may be.

Every function gives what is wrong with a name, with the remedy, or an empty text.
"""

from __future__ import annotations

import re

from mxgateway_contract.references import LONGEST_NAME, RESERVED_WORDS

LONGEST_TEMPLATE = LONGEST_CONTAINED = 32
LONGEST_INSTANCE = 128
_LONGEST_BY_CATEGORY = {1: 127, 4: 32, 16: 32, 17: 32, 26: 32}
"""Instances of platforms, view engines, symbols, ViewApps and InTouchViewApps are shorter than others."""

_OBJECT = re.compile(r"[\w#$]+")
# A part of digits alone would read as a bit, or as an array's element.
_ATTRIBUTE_PART = re.compile(r"[\w#$]*[^\W\d][\w#$]*")
_LEADING_DIGIT = re.compile(r"\d")


def template_problem(name: str) -> str:
    """What is wrong with a template's name."""
    if not name.startswith("$"):
        return f"the name of a template starts with $; write ${name}"
    if name[1:2] == "$":
        return f"{name!r}: only the first character of a template's name is $; take the second one out"
    if len(name) > LONGEST_TEMPLATE:
        return _too_long(name, LONGEST_TEMPLATE)
    return _object_problem(name[1:], "template name", "")


def instance_problem(name: str, category_id: int = 0) -> str:
    """What is wrong with an instance's tag name; `category_id` is its template's, 0 where it is not known."""
    if name.startswith("$"):
        return f"{name!r} starts with $ as only templates do; take the $ out"
    longest = _LONGEST_BY_CATEGORY.get(category_id, LONGEST_INSTANCE)
    return _too_long(name, longest) if len(name) > longest else _object_problem(name, "tag name", " of an instance")


def contained_problem(name: str) -> str:
    """What is wrong with the name of an object within its container."""
    if len(name) > LONGEST_CONTAINED:
        return _too_long(name, LONGEST_CONTAINED)
    return _object_problem(name, "contained name", "")


def attribute_problem(name: str) -> str:
    """What is wrong with an attribute's name: parts, separated by dots."""
    if len(name) > LONGEST_NAME:
        return _too_long(name, LONGEST_NAME)
    for part in name.split("."):
        if not _ATTRIBUTE_PART.fullmatch(part) or _LEADING_DIGIT.match(part):
            return (
                f"{name!r} is no attribute name; use letters, digits, _, # and $, a letter or _ first in each part"
                " between dots"
            )
    return ""


def reference_problem(tag: str, attribute: str) -> str:
    """What is wrong with an object's and an attribute's name together."""
    length = len(tag) + 1 + len(attribute)
    if length <= LONGEST_NAME:
        return ""
    return f"{tag}.{attribute} has {length} characters; object and attribute have {LONGEST_NAME} at most, shorten one"


def _object_problem(name: str, what: str, whose: str) -> str:
    if not _OBJECT.fullmatch(name):
        return f"{name!r} is no {what}; use letters, digits, _, # and $"
    if not any(character.isalpha() for character in name):
        return f"{name!r} is no {what}; it needs a letter"
    if name.casefold() in RESERVED_WORDS:
        return f"{name!r} is a reserved word and no {what}{whose}; choose another"
    return ""


def _too_long(name: str, longest: int) -> str:
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    return f"{shown!r} has {len(name)} characters; such a name has {longest} characters at most, shorten it"
