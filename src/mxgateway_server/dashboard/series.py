"""Figures over time in fixed memory: the newest seconds one by one, older ones as minutes. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

GAP = math.nan
"""Stands where nothing was measured."""


class Ring:
    """The newest values of one figure, the oldest first."""

    __slots__ = ("_count", "_next", "_values")

    def __init__(self, capacity: int) -> None:
        self._values = array("d", [GAP]) * capacity
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, value: float) -> None:
        """Takes a value in place of the oldest, once it is full."""
        self._values[self._next] = value
        self._next = (self._next + 1) % len(self._values)
        self._count = min(self._count + 1, len(self._values))

    def last(self, count: int) -> list[float]:
        """The newest values, at most `count`, the oldest first."""
        wanted = min(count, self._count)
        start = self._next - wanted
        if start >= 0:
            return self._values[start : self._next].tolist()
        return (self._values[start:] + self._values[: self._next]).tolist()


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
    """

    def __init__(self, names: Sequence[str], *, seconds: int, minutes: int = 0) -> None:
        self._fine = {name: Ring(seconds) for name in names}
        self._means = {name: Ring(minutes) for name in names} if minutes else {}
        self._peaks = {name: Ring(minutes) for name in names} if minutes else {}
        self._open = {name: _Minute() for name in names}
        self._samples = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._fine)

    def add(self, values: Mapping[str, float]) -> None:
        """Takes one sample of each figure; one that is not given was not measured."""
        for name, ring in self._fine.items():
            value = values.get(name, GAP)
            ring.add(value)
            if self._means:
                self._open[name].add(value)
        self._samples += 1
        if self._means and self._samples % 60 == 0:
            for name, minute in self._open.items():
                self._means[name].add(minute.total / minute.count if minute.count else GAP)
                self._peaks[name].add(minute.most)
                self._open[name] = _Minute()

    def gap(self, samples: int) -> None:
        """Notes that so many samples are missing."""
        for _ in range(samples):
            self.add({})

    def seconds(self, count: int) -> dict[str, list[float | None]]:
        """The newest samples of each figure, the oldest first, None where nothing was measured."""
        return {name: _plain(ring.last(count)) for name, ring in self._fine.items()}

    def minutes(self, count: int) -> dict[str, dict[str, list[float | None]]]:
        """The newest whole minutes of each figure: `mean` and `peak`."""
        return {
            name: {"mean": _plain(self._means[name].last(count)), "peak": _plain(self._peaks[name].last(count))}
            for name in self._means
        }


def _plain(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else round(value, 4) for value in values]


def rate(before: float, now: float, seconds: float) -> float:
    """Growth of a counter a second; a counter that went back was begun anew, and counts from zero."""
    if seconds <= 0:
        return 0.0
    return max(0.0, now - before if now >= before else now) / seconds
