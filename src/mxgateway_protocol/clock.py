"""Time as a dependency, so that everything that waits or stamps can be tested without waiting."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds of a clock that never goes back; for deadlines and intervals."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; for timestamps."""


class CarriedClock:
    """A wall clock that costs much to read, carried on by a counter that costs little; set anew every 50 ms.

    Args:
        wall: nanoseconds since 1970.
        counter: nanoseconds since whenever; never goes back.
    """

    _EVERY_NS = 50_000_000

    def __init__(self, wall: Callable[[], int], counter: Callable[[], int]) -> None:
        self._wall = wall
        self._counter = counter
        self._ahead = self._until = 0

    def unix_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; any thread may ask."""
        counted = self._counter()
        if counted >= self._until:
            # Two threads at once set it twice, and either is right.
            self._ahead = self._wall() - counted
            self._until = counted + self._EVERY_NS
        return counted + self._ahead


def _fine_clocks() -> tuple[Callable[[], float], Callable[[], int]]:
    """Monotonic seconds and Unix nanoseconds, both finer than a millisecond.

    On Windows those of CPython before 3.13 tick every 15.6 ms: too coarse for pauses of 5 ms and for event times.
    """
    if sys.platform == "win32" and sys.version_info < (3, 13):
        import ctypes

        kernel: Any = ctypes.WinDLL("kernel32")
        precise = kernel.GetSystemTimePreciseAsFileTime
        precise.argtypes, precise.restype = (ctypes.c_void_p,), None

        def wall() -> int:
            ticks = ctypes.c_uint64()
            precise(ctypes.byref(ticks))
            return (ticks.value - _FILETIME_EPOCH_TICKS) * 100

        return time.perf_counter, CarriedClock(wall, time.perf_counter_ns).unix_ns
    return time.monotonic, time.time_ns


_FILETIME_EPOCH_TICKS = 116_444_736_000_000_000
_MONOTONIC, _UNIX_NS = _fine_clocks()


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return _MONOTONIC()

    # As it is, not wrapped: it is read for every event.
    unix_ns = staticmethod(_UNIX_NS)


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
        return _UNIX_NS() + cls._moved_ns
