"""What does not go together in the settings, as something to tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conflict:
    """Settings that are right by themselves and wrong together."""

    names: tuple[str, ...]
    text: str
