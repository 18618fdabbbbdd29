"""Figures over time in fixed memory: the newest seconds one by one, older ones as minutes. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

GAP = math.nan
"""Stands where nothing was measured."""


class Ring:
    """The newest rows of figures that are measured together, the oldest first.

    Args:
        capacity: rows that are kept.
        width: figures in a row.
    """

    __slots__ = ("_capacity", "_count", "_next", "_values", "_width")

    def __init__(self, capacity: int, width: int = 1) -> None:
        # One block for all figures: a row is one copy, and a session has a few kilobytes of them.
        self._values = array("d", [GAP]) * (capacity * width)
        self._capacity, self._width = capacity, width
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, row: Sequence[float]) -> None:
        """Takes a row in place of the oldest, once it is full."""
        place = self._next * self._width
        self._values[place : place + self._width] = array("d", row)
        self._next = (self._next + 1) % self._capacity
        if self._count < self._capacity:
            self._count += 1

    def last(self, count: int, column: int = 0) -> list[float]:
        """The newest values of one figure, at most `count`, the oldest first."""
        wanted = min(count, self._count)
        start = self._next - wanted
        values = self._values[column :: self._width]
        if start >= 0:
            return values[start : self._next].tolist()
        return (values[start:] + values[: self._next]).tolist()


class _Minute:
    """What came together of one figure since the last whole minute."""

    __slots__ = ("count", "most", "total")

    def __init__(self) -> None:
        self.count, self.total, self.most = 0, 0.0, GAP

    def add(self, value: float) -> None:
        if not math.isnan(value):
            self.count += 1
            self.total += value
            self.most = value if math.isnan(self.most) else max(self.most, value)


class SeriesBook:
    """Named figures, sampled together.

    Args:
        names: the figures.
        seconds: samples that are kept one by one.
        minutes: means of sixty samples that are kept beyond; 0 for none. Of each minute the largest value is kept too,
            so that a spike does not go under in the mean.

    Attributes:
        names: the figures, in order.
    """

    def __init__(self, names: Sequence[str], *, seconds: int, minutes: int = 0) -> None:
        self.names = tuple(names)
        self._fine = Ring(seconds, len(names))
        self._means = Ring(minutes, len(names)) if minutes else None
        self._peaks = Ring(minutes, len(names))
        self._open = [_Minute() for _ in names]
        self._samples = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Takes one sample of each figure; one that is not given was not measured."""
        self.add_row([values.get(name, GAP) for name in self.names])

    def add_row(self, row: Sequence[float]) -> None:
        """The same, with the figures in the order of their names."""
        self._fine.add(row)
        if self._means is None:
            return
        for minute, value in zip(self._open, row, strict=True):
            minute.add(value)
        self._samples += 1
        if self._samples % 60 == 0:
            self._means.add([each.total / each.count if each.count else GAP for each in self._open])
            self._peaks.add([each.most for each in self._open])
            self._open = [_Minute() for _ in self.names]

    def gap(self, samples: int) -> None:
        """Notes that so many samples are missing."""
        for _ in range(samples):
            self.add({})

    def seconds(self, count: int) -> dict[str, list[float | None]]:
        """The newest samples of each figure, the oldest first, None where nothing was measured."""
        return {name: _plain(self._fine.last(count, column)) for column, name in enumerate(self.names)}

    def minutes(self, count: int) -> dict[str, dict[str, list[float | None]]]:
        """The newest whole minutes of each figure: `mean` and `peak`; nothing where none are kept."""
        means, peaks = self._means, self._peaks
        if means is None:
            return {}
        return {
            name: {"mean": _plain(means.last(count, column)), "peak": _plain(peaks.last(count, column))}
            for column, name in enumerate(self.names)
        }


def _plain(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else round(value, 4) for value in values]


def rate(before: float, now: float, seconds: float) -> float:
    """Growth of a counter a second; a counter that went back was begun anew, and counts from zero."""
    if seconds <= 0:
        return 0.0
    return max(0.0, now - before if now >= before else now) / seconds
