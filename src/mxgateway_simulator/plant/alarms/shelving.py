"""AlarmShelveCmd: the text that shelves an alarm for some hours, or ends that.

`Duration=0.5;Reason='pump in repair'`: hours, whole or not; 0 ends it. The reason stands in single or double quotes.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

LONGEST_REASON = 200
LONGEST_HOURS = 24 * 366
_PART = re.compile(
    r"""\s*(?P<name>[A-Za-z]+)\s*=\s*"""
    r"""(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<plain>[^;'"]*?))\s*(?:;|$)"""
)
_HOUR_NS = 3600 * 10**9


class ShelveCommandError(ValueError):
    """A text that is no command; the text of the error says why."""


class ShelveCommand(NamedTuple):
    """A command: 0 for a duration ends the shelving."""

    duration_ns: int
    reason: str


def parse_shelve_command(text: str) -> ShelveCommand:
    """Reads a command.

    Raises:
        ShelveCommandError: it is none, or its duration or reason is out of bounds.
    """
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or match.end() == position:
            raise ShelveCommandError(f"{text[position:]!r} is no part of a command; write Duration=0.5;Reason='why'")
        name = match["name"].lower()
        quoted = match["single"] if match["single"] is not None else match["double"]
        if name in found or name not in ("duration", "reason"):
            raise ShelveCommandError(f"{match['name']} is not expected; a command has one Duration and one Reason")
        if (name == "reason") != (quoted is not None):
            raise ShelveCommandError("the reason stands in quotes, the duration does not")
        found[name] = quoted if quoted is not None else match["plain"]
        position = match.end()
    return ShelveCommand(_duration_ns(found.get("duration")), _reason(found.get("reason", "")))


def _duration_ns(text: str | None) -> int:
    if text is None:
        raise ShelveCommandError("Duration is missing; write Duration=0.5 for half an hour, Duration=0 to end it")
    try:
        hours = float(text)
    except ValueError:
        raise ShelveCommandError(f"Duration is a number of hours, not {text!r}") from None
    if not math.isfinite(hours) or not 0 <= hours <= LONGEST_HOURS:
        raise ShelveCommandError(f"Duration must be from 0 to {LONGEST_HOURS} hours, not {text}")
    return round(hours * _HOUR_NS)


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON:
        raise ShelveCommandError(f"Reason has {len(text)} characters; {LONGEST_REASON} are allowed")
    return text
