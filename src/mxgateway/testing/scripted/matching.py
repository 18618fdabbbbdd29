"""Whether a JSON document is what was expected: objects are compared as subsets, lists exactly. Without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_EMPTY = (0, "", False, None)


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """What of the expected is missing or different in the actual document, a line each; nothing when it fits.

    Keys that are not expected are free. An expected default (0, "0", "", false, [], {}) fits an absent key, too, since
    protobuf leaves defaults out. Special forms in place of a value: {"$absent": true}, {"$any": type} with one of
    string, number, boolean, object, list; {"$contains": text}, {"$not_contains": text}, {"$regex": pattern},
    {"$length": n}, {"$min": n}, {"$max": n}, {"$in": [...]}, {"$starts": [...]} for the beginning of a list.
    """
    return list(_differences(expected, actual, path or "$"))


_MISSING = object()


def _differences(expected: Any, actual: Any, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and any(key.startswith("$") for key in expected):
        yield from _special(expected, actual, path)
        return
    if actual is _MISSING or actual is None:
        if expected not in _EMPTY and expected not in ("0", [], {}):
            yield f"{path}: expected {_short(expected)}, but it is not there"
        return
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            yield f"{path}: expected an object, got {_short(actual)}"
            return
        for key, value in expected.items():
            yield from _differences(value, actual.get(key, _MISSING), f"{path}.{key}")
    elif isinstance(expected, list):
        if not isinstance(actual, list):
            yield f"{path}: expected a list, got {_short(actual)}"
        elif len(expected) != len(actual):
            yield f"{path}: expected {len(expected)} entries, got {len(actual)}: {_short(actual)}"
        else:
            for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
                yield from _differences(one, other, f"{path}[{index}]")
    elif not _equal(expected, actual):
        yield f"{path}: expected {_short(expected)}, got {_short(actual)}"


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual or abs(expected - actual) <= 1e-12 * max(abs(expected), abs(actual))
    return bool(expected == actual)


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "list": (list,),
}


def _special(expected: dict[str, Any], actual: Any, path: str) -> Iterator[str]:
    there = actual is not _MISSING and actual is not None
    for form, wanted in expected.items():
        if form == "$absent":
            fits = not there or actual in ("", 0, False, [], {})
        elif not there:
            fits = form == "$max" or form == "$not_contains" or (form == "$length" and wanted == 0)
        else:
            fits = _fits(form, wanted, actual)
        if not fits:
            yield f"{path}: {form} {_short(wanted)} does not fit {_short(actual) if there else 'what is not there'}"


def _fits(form: str, wanted: Any, actual: Any) -> bool:
    match form:
        case "$any":
            return isinstance(actual, _TYPES[wanted])
        case "$contains":
            words = wanted if isinstance(wanted, list) else [wanted]
            return all(str(word).lower() in str(actual).lower() for word in words)
        case "$not_contains":
            return str(wanted) not in str(actual)
        case "$regex":
            return re.search(wanted, str(actual)) is not None
        case "$length":
            return bool(len(actual) == wanted)
        case "$min":
            return bool(float(actual) >= wanted)
        case "$max":
            return bool(float(actual) <= wanted)
        case "$in":
            return any(not differences(each, actual) for each in wanted)
        case "$starts":
            return isinstance(actual, list) and not differences(wanted, actual[: len(wanted)])
    raise ValueError(f"{form} is no form of an expectation")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
