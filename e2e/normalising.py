"""Makes the documents of two CLIs comparable: what differs by chance is replaced by its order of appearance."""

from __future__ import annotations

import json
import re
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")
_ORDINAL = ("sessionId", "workerProcessId", "correlationId", "serverHandle", "itemHandle", "userId")
_FREE = {"language", "name", "version", "keySource", "capabilities", "limits"}
# The values of the simulator's tags go on, and so do their events.
_MOVING = {"workerSequence", "sequence"}


class Normaliser:
    """One client's run: the first session that it names is `<sessionId 1>`, whatever its id is."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Any, int]] = {}
        self._first: dict[str, int] = {}

    def document(self, value: Any, key: str = "", free: frozenset[str] = frozenset()) -> Any:
        """The document with its order of keys, and without what is there by chance: `free` names further such keys.

        Raises:
            ValueError: a time is not written as protobuf's JSON writes times.
        """
        if isinstance(value, dict):
            return {name: self.document(each, name, free) for name, each in value.items()}
        if isinstance(value, list):
            return [self.document(each, key, free) for each in value]
        if key in _FREE or key in free:
            return f"<{key}>"
        if key in _ORDINAL and value not in ("", 0):
            seen = self._seen.setdefault(key, {})
            return f"<{key} {seen.setdefault(value, len(seen) + 1)}>"
        if key in _MOVING:
            number = int(value)
            first = self._first.setdefault(key, number)
            return f"<{key} +{number - first}>" if number else value
        if isinstance(value, str) and _TIME.fullmatch(value):
            return "<time>"
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
            raise ValueError(f"{key}: {value} is no time as protobuf's JSON writes it")
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def text(self, line: str) -> str:
        """A line of an error, without what is there by chance."""
        line = re.sub(r"session-[0-9a-f]{32}", "<session>", line)
        return re.sub(r"mxgw-\w+", "mxgw", line)


def rendered(document: Any) -> str:
    """One text for one meaning: the order of keys stays visible, spellings of numbers do not."""
    return json.dumps(document, indent=1, ensure_ascii=False)
