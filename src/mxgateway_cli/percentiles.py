"""Percentiles of measured times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Figures in milliseconds, 0 without samples, so that a report stays valid JSON."""

    p50: float
    p95: float
    p99: float
    max: float
    mean: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The percentile of ascending samples by linear interpolation; 0 without samples. `share` is 0 to 1."""
    if not ordered:
        return 0.0
    position = (len(ordered) - 1) * share
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def summary(samples: Sequence[float]) -> Summary:
    """The figures of some samples, rounded to microseconds."""
    ordered = sorted(samples)
    mean = sum(ordered) / len(ordered) if ordered else 0.0
    figures = (
        percentile(ordered, 0.5),
        percentile(ordered, 0.95),
        percentile(ordered, 0.99),
        ordered[-1] if ordered else 0.0,
        mean,
    )
    return Summary(*(round(figure, 3) for figure in figures))
