"""Every alarm that came up in front of people, one row each, in columns: millions of them fit, and any span of time can
be asked about.

Times are seconds since 1970 UTC.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from mxgateway_server.alarms.model import AlarmSource

NAN = math.nan
_SHARE_DROPPED = 16


class Row(NamedTuple):
    """One annunciation.

    Attributes:
        at: when it came up.
        source: number of its source in the table.
        priority: 1 (most urgent) to 999.
        to_acknowledge: seconds until somebody acknowledged it; NaN while nobody has.
        to_return: seconds until it returned to normal; NaN while it has not.
        is_late: told more than ten minutes after it happened, so that it says nothing about rates.
    """

    at: float
    source: int
    priority: int
    to_acknowledge: float
    to_return: float
    is_late: bool


class Annunciations:
    """The newest rows, `most` of them; the oldest go in portions.

    Rows have numbers that stay the same; the times of rows that are not late never fall from one to the next.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._at = array("d")
        self._source = array("I")
        self._priority = array("H")
        self._to_acknowledge = array("f")
        self._to_return = array("f")
        self._is_late = bytearray()
        self._first = 0
        self.sources: list[AlarmSource] = []
        """Every alarm that ever came up, by its number."""
        self._numbers: dict[str, int] = {}

    def copied(self) -> Annunciations:
        """The same rows, for another thread to look at while these go on."""
        other = Annunciations(self._most)
        other._at, other._source, other._priority = self._at[:], self._source[:], self._priority[:]
        other._to_acknowledge, other._to_return = self._to_acknowledge[:], self._to_return[:]
        other._is_late, other._first = self._is_late[:], self._first
        other.sources, other._numbers = self.sources[:], {}
        return other

    def __len__(self) -> int:
        return len(self._at)

    @property
    def oldest(self) -> float:
        """When the oldest row came up; NaN without rows."""
        return self._at[0] if self._at else NAN

    def add(self, at: float, source: AlarmSource, priority: int, *, is_late: bool = False) -> int:
        """A new row; returns its number."""
        if len(self._at) >= self._most:
            self._drop(max(1, self._most // _SHARE_DROPPED))
        number = self._numbers.get(source.key)
        if number is None:
            number = self._numbers[source.key] = len(self.sources)
            self.sources.append(source)
        else:
            # The newest names and areas of the same alarm.
            self.sources[number] = source
        self._at.append(at)
        self._source.append(number)
        self._priority.append(priority if 0 <= priority <= 999 else min(max(priority, 0), 999))
        self._to_acknowledge.append(NAN)
        self._to_return.append(NAN)
        self._is_late.append(is_late)
        return self._first + len(self._at) - 1

    def acknowledged(self, row: int, at: float) -> None:
        """The alarm of this row was acknowledged; only the first time counts."""
        self._fill(self._to_acknowledge, row, at)

    def returned(self, row: int, at: float) -> None:
        """The alarm of this row returned to normal; only the first time counts."""
        self._fill(self._to_return, row, at)

    def between(self, begin: float, end: float) -> Iterator[Row]:
        """The rows from `begin` on and before `end`, in the order in which they came."""
        columns = (self._at, self._source, self._priority, self._to_acknowledge, self._to_return, self._is_late)
        for at, source, priority, to_acknowledge, to_return, is_late in zip(*columns, strict=True):
            if begin <= at < end:
                yield Row(at, source, priority, to_acknowledge, to_return, bool(is_late))

    def _fill(self, column: array[float], row: int, at: float) -> None:
        place = row - self._first
        if place >= 0 and math.isnan(column[place]):
            length = at - self._at[place]
            column[place] = length if length > 0.0 else 0.0

    def _drop(self, count: int) -> None:
        for column in (self._at, self._source, self._priority, self._to_acknowledge, self._to_return):
            del column[:count]
        del self._is_late[:count]
        self._first += count
