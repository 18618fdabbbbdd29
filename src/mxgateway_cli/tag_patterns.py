"""Names of tags that are numbered through."""

from __future__ import annotations


def numbered_tags(prefix: str, start: int, count: int, attribute: str) -> list[str]:
    """For example `TestMachine_001.TestChangingInt`, `TestMachine_002.TestChangingInt`, …"""
    return [f"{prefix}{number:03}.{attribute}" for number in range(start, start + count)]
