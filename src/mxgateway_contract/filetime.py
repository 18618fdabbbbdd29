"""FILETIME, the Galaxy's time: ticks of 100 ns since 1601-01-01 UTC."""

from __future__ import annotations

NS_PER_SECOND = 1_000_000_000
EPOCH_NS = -11_644_473_600 * NS_PER_SECOND
"""Where FILETIME begins, in nanoseconds since 1970."""

_NS_PER_TICK = 100


def filetime_to_ns(ticks: int) -> int:
    """Nanoseconds since 1970 UTC of a FILETIME."""
    return ticks * _NS_PER_TICK + EPOCH_NS


def ns_to_filetime(unix_ns: int) -> int:
    """The FILETIME of nanoseconds since 1970 UTC; times before 1601 become its beginning."""
    return max(0, (unix_ns - EPOCH_NS) // _NS_PER_TICK)
