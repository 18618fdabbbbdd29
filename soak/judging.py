"""What may not grow, and whether it did. Pure: series of samples in, figures and violations out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WARM_UP = 0.2
"""Least share of a run in which memory may still fill: caches, pools, the first of everything."""
WARM_UP_SECONDS = 300.0
"""How long that takes under the load, however short the run; but never more than half of it."""
WINDOW = 0.1
"""Share of a run whose median is its beginning, after the warm-up, and its end."""
PERIOD = 900.0
"""Seconds of which the report tells a median each: whether something grows, fills or rests shows in their row."""
FEWEST = 20
"""Samples below which a run says nothing of growth."""


@dataclass(frozen=True, slots=True)
class Bar:
    """How much a series may grow from its beginning to its end.

    Attributes:
        percent: of the beginning.
        absolute: in the series' own unit, where that is more.
    """

    percent: float = 0.0
    absolute: float = 0.0

    def allowed(self, beginning: float) -> float:
        return max(beginning * self.percent / 100, self.absolute)


@dataclass(frozen=True, slots=True)
class Growth:
    """A series from its beginning, after the warm-up, to its end.

    Attributes:
        beginning, end: medians of the windows there.
        highest: of all samples after the warm-up.
    """

    beginning: float
    end: float
    highest: float

    @property
    def percent(self) -> float:
        return 100 * (self.end / self.beginning - 1) if self.beginning else 0.0

    def figures(self) -> dict[str, float]:
        """For the report."""
        return {
            "beginning": round(self.beginning, 2),
            "end": round(self.end, 2),
            "highest": round(self.highest, 2),
            "growthPercent": round(self.percent, 3),
        }


def warm_up_of(seconds: float) -> float:
    """The share of a run of so many seconds that is warm-up."""
    return max(WARM_UP, min(0.5, WARM_UP_SECONDS / seconds))


def growth(series: Sequence[float], warm_up: float = WARM_UP) -> Growth | None:
    """From the first window after the warm-up to the last one; None when there are too few samples."""
    if len(series) < FEWEST:
        return None
    settled = series[int(len(series) * warm_up) :]
    window = max(3, int(len(series) * WINDOW))
    return Growth(statistics.median(settled[:window]), statistics.median(settled[-window:]), max(settled))


def by_period(series: Sequence[float], seconds: float, period: float = PERIOD) -> list[float]:
    """The median of each quarter of an hour, from the beginning on, the warm-up too; a shorter rest is left out.

    Args:
        seconds: how long the run was; its samples are taken as evenly spread over it.
    """
    each = len(series) * period / seconds if seconds else 0.0
    whole = int(seconds // period)
    pieces = [series[round(each * number) : round(each * (number + 1))] for number in range(whole)]
    return [round(statistics.median(piece), 2) for piece in pieces if piece]


def violations(series: Mapping[str, Sequence[float]], bars: Mapping[str, Bar], warm_up: float = WARM_UP) -> list[str]:
    """What grew beyond its bar after the warm-up, and what could not be judged."""
    found = []
    for name, bar in bars.items():
        seen = growth(series.get(name, ()), warm_up)
        if seen is None:
            found.append(f"{name}: {len(series.get(name, ()))} samples say nothing of growth; let it run longer")
        elif seen.end - seen.beginning > bar.allowed(seen.beginning):
            found.append(
                f"{name}: grew from {seen.beginning:g} to {seen.end:g} ({seen.percent:+.2f} %), and may grow by "
                f"{bar.allowed(seen.beginning):g}"
            )
    return found
