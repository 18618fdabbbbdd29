"""What a check of `mxgateway doctor` comes to: a line, its level, its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How a check came out; the exit code of `doctor` is 0 up to NOTE, 1 with a WARNING, 2 with an ERROR."""

    OK = 0
    SKIPPED = 1
    NOTE = 2
    WARNING = 3
    ERROR = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        check: what was looked at.
        found: what is there.
        remedy: what to do; empty when nothing is to be done.
    """

    level: Level
    check: str
    found: str
    remedy: str = ""


def exit_code(findings: list[Finding]) -> int:
    """0 all well, 1 with a warning, 2 with an error."""
    worst = max((finding.level for finding in findings), default=Level.OK)
    return 2 if worst is Level.ERROR else 1 if worst is Level.WARNING else 0
