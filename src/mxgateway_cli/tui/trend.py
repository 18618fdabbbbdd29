"""The last minutes of a number as a line of bars. Without clock and terminal."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

SPAN = 300.0
"""Seconds that a trend looks back."""
_STEP = 3.0
_BARS = "▁▂▃▄▅▆▇█"
# Sums are kept so much smaller, exactly: those of far numbers would be beyond a float.
_SCALE = 2.0**-40
_NUMBERS = ("bool_value", "int32_value", "int64_value", "float_value", "double_value")


def number_of(value: pb.MxValue) -> float | None:
    """The value as a number; None for texts, times, arrays, null, and what is not finite."""
    arm = value.WhichOneof("kind")
    if value.is_null or arm not in _NUMBERS:
        return None
    number = float(getattr(value, arm))
    return number if math.isfinite(number) else None


@dataclass(slots=True)
class _Step:
    """The values that came within one step; `total` times _SCALE."""

    number: int
    total: float = 0.0
    count: int = 0
    least: float = math.inf
    most: float = -math.inf
    last: float | None = None


class Trend:
    """What a tag's value was, step by step: between two changes it stays."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque()

    def add(self, value: float | None, now: float) -> None:
        """Takes a value; None for one that is no number, or not good."""
        number = int(now // _STEP)
        if not self._steps or self._steps[-1].number != number:
            self._steps.append(_Step(number))
        step = self._steps[-1]
        step.last = value
        if value is not None:
            step.total, step.count = step.total + value * _SCALE, step.count + 1
            step.least, step.most = min(step.least, value), max(step.most, value)
        # One from before the span stays: its value holds until the next one.
        while len(self._steps) > 1 and self._steps[1].number <= number - int(SPAN // _STEP):
            self._steps.popleft()

    def values(self, now: float, cells: int) -> list[float | None]:
        """The span up to now in so many parts: the mean of each, None where nothing was known."""
        ends = [int((now - SPAN + cell * SPAN / cells) // _STEP) for cell in range(cells + 1)]
        steps, held = deque(self._steps), None
        while steps and steps[0].number <= ends[0]:
            held = steps.popleft().last
        found: list[float | None] = []
        for end in ends[1:]:
            total, count = 0.0, 0
            while steps and steps[0].number <= end:
                step = steps.popleft()
                total, count, held = total + step.total, count + step.count, step.last
            found.append(total / count / _SCALE if count else held)
        return found

    def range(self, now: float) -> tuple[float, float] | None:
        """The least and the greatest value of the span; None when nothing was known."""
        first = int((now - SPAN) // _STEP)
        known: list[float] = []
        for step in self._steps:
            if step.number <= first:
                known = [] if step.last is None else [step.last]
            elif step.count:
                known += (step.least, step.most)
        return (min(known), max(known)) if known else None


def bars(values: Sequence[float | None]) -> str:
    """A bar for each value, between the least and the greatest; a blank for None."""
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    least, most = min(known), max(known)
    # The difference of two far numbers may be beyond a float.
    width = most / 2 - least / 2

    def bar(value: float) -> str:
        if width <= 0:
            return _BARS[3]
        return _BARS[min(7, int((value / 2 - least / 2) / width * 8))]

    return "".join(" " if value is None else bar(value) for value in values)
