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
