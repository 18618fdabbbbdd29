"""The one manual clock of the tests, and real time behind its face where time cannot be had otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable


class ManualClock:
    """A Clock that moves only when told to."""

    def __init__(self, monotonic: float = 1000.0, unix_ns: int = 1_700_000_000_000_000_000) -> None:
        self._monotonic = monotonic
        self._unix_ns = unix_ns

    def monotonic(self) -> float:
        return self._monotonic

    def unix_ns(self) -> int:
        return self._unix_ns

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._unix_ns += round(seconds * 1e9)

    def set_unix_ns(self, unix_ns: int) -> None:
        """Jumps the wall clock without moving the monotonic one."""
        self._unix_ns = unix_ns


class PassingTime(ManualClock):
    """The machine's clocks behind the same face: what is to be let pass really passes, in short waits.

    Args:
        wait: lets so many seconds pass, or fewer.
    """

    def __init__(self, wait: Callable[[float], None]) -> None:
        super().__init__()
        self._wait = wait

    def monotonic(self) -> float:
        return time.perf_counter()

    def unix_ns(self) -> int:
        return time.time_ns()

    def advance(self, seconds: float) -> None:
        self._wait(min(seconds, 0.05))
