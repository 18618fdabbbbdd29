"""Percentiles, latencies and the counting of events."""

from __future__ import annotations

import pytest
from benches.figures import latency_ms, percentile, ratio
from benches.product import Counter


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 2.5), (0.99, 3.97), (1.0, 4.0)])
def test_percentiles_are_interpolated(share: float, expected: float) -> None:
    """Between two ranks the value lies in proportion."""
    assert percentile([1.0, 2.0, 3.0, 4.0], share) == pytest.approx(expected)


def test_no_samples_are_no_error() -> None:
    """A figure without samples is zero throughout."""
    assert latency_ms([]) == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0, "mean": 0.0}


def test_latencies_are_in_milliseconds_and_need_no_order() -> None:
    """Samples are seconds in any order."""
    assert latency_ms([0.003, 0.001, 0.002]) == {"p50": 2.0, "p95": 2.9, "p99": 2.98, "max": 3.0, "mean": 2.0}


def test_a_ratio_without_a_floor_is_zero() -> None:
    """Nothing is divided by nothing."""
    assert ratio(5, 0) == 0.0
    assert ratio(1, 3) == 0.333


def test_a_counter_leaves_the_first_message_out_and_finds_holes() -> None:
    """The first message begins the time; missing sequences are counted as lost."""
    counter = Counter(seconds=0.0)
    assert not counter.add(1, 10, 10)
    assert counter.add(11, 20, 10)
    counter.add(23, 24, 2)
    assert counter.figures()["missing"] == 2
