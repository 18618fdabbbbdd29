"""Times of COM: VARIANT dates, FILETIME ticks and texts, as nanoseconds since 1970-01-01 UTC and back. Pure."""

from __future__ import annotations

import math
from typing import Protocol

DAY_NS = 86_400_000_000_000
_DAY_US = 86_400_000_000
_EPOCH_DAYS = 25_569
_FILETIME_EPOCH_TICKS = 116_444_736_000_000_000
_END_TICKS = 2_650_467_744_000_000_000
# VT_DATE covers the years 100 to 9999.
_FIRST_DAY, _END_DAY = -657_434, 2_958_466
_BEFORE_FIRST_DAY = _FIRST_DAY - 1


class TimeRangeError(ValueError):
    """A time that a VARIANT date cannot say."""


class Zone(Protocol):
    """Local time of the node and back, and how the node reads a date as text."""

    def to_utc(self, local_ns: int) -> int: ...
    def to_local(self, utc_ns: int) -> int: ...
    def parse(self, text: str) -> float:
        """The VARIANT date that a text means in the user's locale.

        Raises:
            ValueError: it means none.
        """


def date_to_ns(days: float) -> int:
    """A VARIANT date in nanoseconds since 1970, without regard to a zone.

    Days since 1899-12-30; below zero the fraction counts away from zero (-1.25 is six o'clock of the day before). One
    step of a double is 0.6 µs near today, so the result is rounded to the microsecond.

    Raises:
        TimeRangeError: not a number, or beyond the years 100 to 9999.
    """
    # NaN is in no range.
    if not _BEFORE_FIRST_DAY < days < _END_DAY:
        raise TimeRangeError("the date lies beyond the years 100 to 9999")
    whole = int(days)
    micros = round(abs(days - whole) * _DAY_US)
    return (whole - _EPOCH_DAYS) * DAY_NS + micros * 1000


def ns_to_date(unix_ns: int) -> float:
    """The VARIANT date of a time, without regard to a zone.

    Raises:
        TimeRangeError: beyond the years 100 to 9999.
    """
    micros = (unix_ns + 500) // 1000 + _EPOCH_DAYS * _DAY_US
    whole, rest = divmod(micros, _DAY_US)
    if not _FIRST_DAY <= whole < _END_DAY:
        raise TimeRangeError("the time lies beyond the years 100 to 9999, which a VARIANT date cannot say")
    fraction = rest / _DAY_US
    if whole < 0:
        # Far back a double has no room for the last microseconds, and the next whole number is the day before.
        return max(whole - fraction, math.nextafter(whole - 1, whole))
    return min(whole + fraction, math.nextafter(_END_DAY, 0))


def ticks_to_ns(ticks: int) -> int:
    """FILETIME, 100 ns ticks since 1601, in nanoseconds since 1970.

    Raises:
        TimeRangeError: beyond the year 9999, which no timestamp of the contract says.
    """
    if not 0 <= ticks < _END_TICKS:
        raise TimeRangeError("the ticks lie beyond the years 1601 to 9999")
    return (ticks - _FILETIME_EPOCH_TICKS) * 100


class TimeRules:
    """How this node's MXAccess says times: dates and texts in UTC (default) or in local time; ticks are always UTC.

    Args:
        zone: the node's local time.
        is_local: whether VT_DATE and VT_BSTR are local times, in both directions.
    """

    def __init__(self, zone: Zone, *, is_local: bool = False) -> None:
        self._zone = zone
        self._is_local = is_local

    def from_date(self, days: float) -> int:
        """A VARIANT date in nanoseconds since 1970-01-01 UTC.

        Raises:
            TimeRangeError: no date.
        """
        ns = date_to_ns(days)
        return self._zone.to_utc(ns) if self._is_local else ns

    def from_text(self, text: str) -> int:
        """A date as text, likewise.

        Raises:
            ValueError: no date.
        """
        return self.from_date(self._zone.parse(text))

    def to_date(self, unix_ns: int) -> float:
        """The VARIANT date that this node means by a time.

        Raises:
            TimeRangeError: a VARIANT date cannot say it.
        """
        return ns_to_date(self._zone.to_local(unix_ns) if self._is_local else unix_ns)
