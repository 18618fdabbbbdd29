"""Bands of priorities, by which alarms are counted. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

LEAST_URGENT = 999
DEFAULT_BANDS = (249, 499, 999)


class PriorityBands:
    """All priorities, each in one band.

    Args:
        last: last priority of each band, the most urgent first; what is less urgent than all of them has one more.

    Attributes:
        names: such as `1-249`, the most urgent first.
    """

    def __init__(self, last: Sequence[int] = DEFAULT_BANDS) -> None:
        ends = (*last, LEAST_URGENT) if not last or last[-1] < LEAST_URGENT else tuple(last)
        begins = (1, *(end + 1 for end in ends[:-1]))
        self.names = tuple(f"{begin}-{end}" for begin, end in zip(begins, ends, strict=True))
        self._of = tuple(self.names[bisect_left(ends, priority)] for priority in range(LEAST_URGENT + 1))

    def name_of(self, priority: int) -> str:
        """The band of a priority; of one out of all bounds the nearest."""
        if 0 <= priority <= LEAST_URGENT:
            return self._of[priority]
        return self._of[max(0, min(priority, LEAST_URGENT))]
