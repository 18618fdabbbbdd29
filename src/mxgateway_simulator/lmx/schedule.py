"""What is due when: a heap of functions."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeAlias

Due: TypeAlias = Callable[[int], None]
"""Called with the time it is run at."""


class Schedule:
    """Functions by due time in nanoseconds; those due at one time run in the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Due]] = []
        self._count = 0

    def add(self, due_ns: int, function: Due) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._count, function))

    def next_due(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def run(self, now_ns: int, most: int) -> None:
        """Runs what is due, but not more than `most` functions."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns and most > 0:
            most -= 1
            heapq.heappop(heap)[2](now_ns)

    def shift(self, delta_ns: int) -> None:
        """Moves everything, when the clock that times come from has jumped."""
        self._heap = [(due + delta_ns, count, function) for due, count, function in self._heap]
