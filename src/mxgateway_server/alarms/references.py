"""The names of alarms: `Provider!Group.Tag`, object and attribute, GUIDs."""

from __future__ import annotations

import re
from typing import NamedTuple

_GUID = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE)
# As nearly all are written.
_NORMAL_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class AlarmReference(NamedTuple):
    """A full reference in its parts."""

    provider: str
    group: str
    name: str


def split_reference(reference: str) -> AlarmReference | None:
    """The parts of `Provider!Group.Tag`, split at the first `!` and at the first `.` after it; None without them.

    The name may have dots: it is object and attribute.
    """
    provider, mark, rest = reference.partition("!")
    group, dot, name = rest.partition(".")
    if not (mark and dot and provider and group and name):
        return None
    return AlarmReference(provider, group, name)


def normal_guid(text: str) -> str:
    """A GUID in lower case with hyphens, however it is written; empty when it is none."""
    if _NORMAL_GUID.fullmatch(text):
        return text
    found = _GUID.fullmatch(text.strip())
    return "-".join(found.groups()).lower() if found else ""
