"""How late the event loop runs what is due: ticks on a fixed grid, their lateness in a histogram of fixed size.

Without a clock: it is told when a tick came. Ticks that could not come because the loop stood still count too, each
with the lateness that it had: else one long stall would be one sample among thousands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SMALLEST = 50e-6
_RATIO = 1.1
_LONGEST = 60.0
_BUCKETS = math.ceil(math.log(_LONGEST / _SMALLEST) / math.log(_RATIO)) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LagFigures:
    """Lateness over a while, in seconds; percentiles are up to 10 % too high, never too low.

    Attributes:
        samples: ticks that were due.
    """

    samples: int
    p50: float
    p99: float
    longest: float


class LoopLag:
    """Lateness of periodic ticks.

    Args:
        period: seconds from one tick to the next.
        now: time of the loop at the start.
    """

    def __init__(self, period: float, now: float) -> None:
        self._period = period
        self._due = now + period
        self._counts = [0] * _BUCKETS
        self._samples = 0
        self._longest = 0.0

    @property
    def due(self) -> float:
        """When the next tick is due, in the loop's time."""
        return self._due

    def tick(self, now: float) -> float:
        """A tick came, and with it all that were due meanwhile; returns how late it was, in seconds."""
        late = max(0.0, now - self._due)
        missed = math.floor(late / self._period)
        for index in range(min(missed, int(_LONGEST / self._period)) + 1):
            self._add(late - index * self._period)
        self._due += (missed + 1) * self._period
        return late

    def take(self) -> LagFigures:
        """The figures since the last call."""
        figures = LagFigures(
            samples=self._samples, p50=self._percentile(0.5), p99=self._percentile(0.99), longest=self._longest
        )
        self._counts = [0] * _BUCKETS
        self._samples = 0
        self._longest = 0.0
        return figures

    def _add(self, late: float) -> None:
        self._samples += 1
        self._longest = max(self._longest, late)
        index = 0 if late <= _SMALLEST else math.ceil(math.log(late / _SMALLEST) / math.log(_RATIO))
        self._counts[min(index, _BUCKETS - 1)] += 1

    def _percentile(self, share: float) -> float:
        wanted = math.ceil(share * self._samples)
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted and count:
                return min(_SMALLEST * _RATIO**index, self._longest)
        return 0.0
