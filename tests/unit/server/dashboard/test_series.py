"""Figures over time: memory that does not grow, gaps that stay gaps, and spikes that a mean does not hide."""

from __future__ import annotations

import math

import pytest

from mxgateway_server.dashboard.series import Ring, SeriesBook, rate


@pytest.mark.parametrize(
    ("before", "now", "seconds", "expected"),
    [
        pytest.param(10, 30, 2.0, 10.0, id="growth"),
        pytest.param(10, 10, 1.0, 0.0, id="nothing happened"),
        pytest.param(100, 5, 1.0, 5.0, id="the counter was begun anew"),
        pytest.param(0, 5, 0.0, 0.0, id="no time between"),
        pytest.param(2**64, 2**64 + 3, 1.0, 3.0, id="beyond 64 bits"),
    ],
)
def test_a_rate_is_never_negative(before: float, now: float, seconds: float, expected: float) -> None:
    assert rate(before, now, seconds) == pytest.approx(expected)


def test_a_ring_keeps_the_newest_in_order() -> None:
    ring = Ring(4, 2)
    for value in range(7):
        ring.add((value, -value))
    assert (len(ring), ring.last(10), ring.last(2)) == (4, [3.0, 4.0, 5.0, 6.0], [5.0, 6.0])
    assert ring.last(3, 1) == [-4.0, -5.0, -6.0]


def test_a_ring_that_is_not_full_tells_only_what_it_has() -> None:
    ring = Ring(4)
    ring.add((1,))
    assert ring.last(3) == [1.0]


def test_minutes_keep_the_mean_and_the_spike() -> None:
    book = SeriesBook(["a"], seconds=10, minutes=5)
    for second in range(120):
        book.add({"a": 100.0 if second == 30 else 1.0})
    assert book.minutes(5)["a"] == {"mean": [pytest.approx(159 / 60, abs=1e-3), 1.0], "peak": [100.0, 1.0]}
    assert len(book.seconds(100)["a"]) == 10


def test_what_was_not_measured_is_a_gap_and_no_zero() -> None:
    book = SeriesBook(["a", "b"], seconds=10, minutes=5)
    book.add({"a": 1.0})
    book.gap(2)
    book.add({"a": 2.0, "b": math.nan})
    assert book.seconds(10) == {"a": [1.0, None, None, 2.0], "b": [None, None, None, None]}


def test_a_minute_of_gaps_has_neither_mean_nor_peak() -> None:
    book = SeriesBook(["a"], seconds=10, minutes=5)
    book.gap(60)
    assert book.minutes(5) == {"a": {"mean": [None], "peak": [None]}}
