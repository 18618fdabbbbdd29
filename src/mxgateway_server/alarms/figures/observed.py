"""Over how much good time figures were taken: when a provider spoke, and how well."""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum


class Sight(IntEnum):
    """How well the plant's alarms were seen."""

    BLIND = 0
    DEGRADED = 1
    GOOD = 2


class SightLog:
    """What could be seen since when; the oldest entries go when there are too many."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._since: list[float] = []
        self._sights: list[Sight] = []

    def add(self, at: float, sight: Sight) -> None:
        """From now on it is so. Times before the last one count as that."""
        if self._sights and self._sights[-1] is sight:
            return
        self._since.append(max(at, self._since[-1]) if self._since else at)
        self._sights.append(sight)
        if len(self._since) > self._most:
            del self._since[: self._most // 2], self._sights[: self._most // 2]

    def copied(self) -> SightLog:
        """The same, for another thread to look at while this goes on."""
        other = SightLog(self._most)
        other._since, other._sights = self._since[:], self._sights[:]
        return other

    def seconds(self, begin: float, end: float) -> tuple[float, float]:
        """Seconds of a span in which a provider spoke, and those of them in which it was degraded."""
        observed = degraded = 0.0
        place = max(0, bisect_right(self._since, begin) - 1)
        for number in range(place, len(self._since)):
            until = self._since[number + 1] if number + 1 < len(self._since) else end
            length = min(until, end) - max(self._since[number], begin)
            if length <= 0 or self._sights[number] is Sight.BLIND:
                continue
            observed += length
            if self._sights[number] is Sight.DEGRADED:
                degraded += length
        return observed, degraded
