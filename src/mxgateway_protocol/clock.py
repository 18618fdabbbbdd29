"""Time as a dependency, so that everything that waits or stamps can be tested without waiting."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds of a clock that never goes back; for deadlines and intervals."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; for timestamps."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    # As it is, not wrapped: it is read for every event.
    unix_ns = staticmethod(time.time_ns)


class MovableClock(SystemClock):
    """The machine's clocks, of which all that this process has may have their wall clock set; only for faults."""

    _moved_ns = 0

    @classmethod
    def install(cls) -> None:
        """Makes the wall clock of every SystemClock movable; to be called before any is used."""
        SystemClock.unix_ns = staticmethod(cls._unix_ns)

    @classmethod
    def move(cls, seconds: float) -> None:
        """Sets the wall clock forward by so many seconds, or back; intervals are measured as before."""
        cls._moved_ns += round(seconds * 1e9)

    @classmethod
    def _unix_ns(cls) -> int:
        return time.time_ns() + cls._moved_ns
