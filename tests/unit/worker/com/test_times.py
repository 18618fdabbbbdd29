"""VARIANT dates and FILETIME ticks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_worker.backends.com.times import DAY_NS, TimeRangeError, date_to_ns, ns_to_date, ticks_to_ns

EPOCH_DAYS = 25_569


@pytest.mark.parametrize(
    ("days", "ns"),
    [
        (25_569.0, 0),
        (25_569.25, DAY_NS // 4),
        (0.0, -EPOCH_DAYS * DAY_NS),
        (0.5, -EPOCH_DAYS * DAY_NS + DAY_NS // 2),
        (-1.25, -(EPOCH_DAYS + 1) * DAY_NS + DAY_NS // 4),
        (-0.75, -EPOCH_DAYS * DAY_NS + DAY_NS * 3 // 4),
        (45_000.5, 1_678_881_600_000_000_000),
    ],
)
def test_days_count_from_1899_and_fractions_away_from_zero(days: float, ns: int) -> None:
    assert date_to_ns(days) == ns
    if days != -0.75:  # 0.75 says the same
        assert ns_to_date(ns) == days


@given(st.integers(-59_011_459_200_000_000, 253_402_300_799_000_000))
def test_microseconds_go_round(micros: int) -> None:
    """One step of a double is at most 0.9 µs in this century and 40 µs at the ends; near today nothing is lost."""
    ns = micros * 1000
    back = date_to_ns(ns_to_date(ns))
    assert abs(back - ns) <= (1000 if abs(ns) < 5e18 else 50_000)


@pytest.mark.parametrize(
    ("ns", "step_us"),
    [
        (253_402_300_799_999_999_000, 41),  # the last microsecond of 9999
        (-59_011_459_200_000_000_000, 0),  # the first of 100
        (-59_011_372_800_000_001_000, 11),  # the last of a day far back
        (-EPOCH_DAYS * DAY_NS - 1000, 1),  # the last before day 0
    ],
)
def test_the_ends_of_what_a_date_can_say_stay_within_it(ns: int, step_us: int) -> None:
    """Rounded up they would be in the year 10000, and far back on another day."""
    days = ns_to_date(ns)
    assert abs(date_to_ns(days) - ns) <= step_us * 1000
    assert -657_435 < days < 2_958_466


@pytest.mark.parametrize("days", [float("nan"), float("inf"), -657_436.0, 2_958_466.0, 1e300])
def test_beyond_the_calendar_is_refused(days: float) -> None:
    with pytest.raises(TimeRangeError):
        date_to_ns(days)


def test_times_that_no_date_says_are_refused() -> None:
    for ns in (-70_000_000_000 * 10**9, 260_000_000_000 * 10**9):
        with pytest.raises(TimeRangeError):
            ns_to_date(ns)


def test_ticks_begin_in_1601() -> None:
    assert ticks_to_ns(116_444_736_000_000_000) == 0
    assert ticks_to_ns(0) == -11_644_473_600 * 10**9
    for ticks in (-1, 2_650_467_744_000_000_000):
        with pytest.raises(TimeRangeError):
            ticks_to_ns(ticks)
