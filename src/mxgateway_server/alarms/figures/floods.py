"""Floods: more alarms in ten minutes than a person can handle, told while they happen.

Pure: it is told of alarms and of the time. Ten minutes are 600 counters of a second each, so a storm costs no more than
a quiet day.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

SPAN = 600


@dataclass(frozen=True, slots=True)
class FloodRules:
    """When a flood begins and ends.

    Attributes:
        begins_above: it begins when ten minutes hold more alarms than this.
        ends_below: it ends when they hold fewer than this.
    """

    begins_above: int = 10
    ends_below: int = 5


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood at one operator's position.

    Attributes:
        began: seconds since 1970 UTC.
        ended: None while it goes on.
        count: alarms since it began, the one that began it included.
    """

    position: str
    began: float
    ended: float | None
    count: int


class FloodWatch:
    """One operator's position."""

    def __init__(self, position: str, rules: FloodRules, now: float) -> None:
        self.position = position
        self._rules = rules
        self._counters = array("L", [0]) * SPAN
        self._second = int(now)
        self._began: float | None = None
        self._count = 0
        self.rate = 0
        """Alarms in the ten minutes up to the last time that was told."""

    @property
    def flood(self) -> Flood | None:
        """The flood that goes on now."""
        return None if self._began is None else Flood(self.position, self._began, None, self._count)

    @property
    def is_quiet(self) -> bool:
        """Whether ten minutes hold nothing, so that any time may be the next."""
        return not self.rate and self._began is None

    def restart(self, now: float) -> None:
        """Goes on from another time; only while it is quiet."""
        assert self.is_quiet
        self._second = int(now)

    def add(self, at: float) -> list[Flood]:
        """An alarm came up; the floods that ended before it and that it begins. Times never go back."""
        changed = self.advance(at) if at >= self._second + 1 else []
        self._counters[self._second % SPAN] += 1
        self.rate += 1
        if self._began is not None:
            self._count += 1
        elif self.rate > self._rules.begins_above:
            self._began, self._count = max(at, float(self._second)), 1
            changed.append(Flood(self.position, self._began, None, 1))
        return changed

    def advance(self, now: float) -> list[Flood]:
        """Time has passed; the flood that has ended meanwhile, if one has."""
        ended: list[Flood] = []
        second = int(now)
        if second <= self._second:
            return ended
        for passing in range(self._second + 1, min(second, self._second + SPAN) + 1):
            place = passing % SPAN
            self.rate -= self._counters[place]
            self._counters[place] = 0
            if self._began is not None and self.rate < self._rules.ends_below:
                ended.append(Flood(self.position, self._began, float(passing), self._count))
                self._began = None
        self._second = second
        return ended
