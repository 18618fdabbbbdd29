"""The last minutes of a number as bars."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway import to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.tui.trend import SPAN, Trend, bars, number_of


def test_a_value_holds_until_the_next_one() -> None:
    """What stood before the span is known, and a quiet tag is a line, not a gap."""
    trend = Trend()
    trend.add(5.0, 0.0)
    assert trend.values(1000.0, 4) == [5.0, 5.0, 5.0, 5.0]
    trend.add(9.0, 1000.0 - SPAN / 2 + 3)
    assert trend.values(1000.0, 4) == [5.0, 5.0, 9.0, 9.0]


def test_many_changes_in_one_part_are_their_mean_and_nothing_known_is_a_gap() -> None:
    trend = Trend()
    for second in range(100):
        trend.add(float(second % 2), 700.0 + second)
    values = trend.values(1000.0, 3)
    assert values[0] == pytest.approx(0.5, abs=0.05)
    assert values[1:] == [1.0, 1.0]
    trend.add(None, 999.0)
    assert trend.values(1020.0, 30)[-1] is None, "bad, or no number any more"
    assert Trend().values(5.0, 2) == [None, None]


def test_the_range_is_that_of_the_values_not_of_their_means() -> None:
    trend = Trend()
    trend.add(100.0, 0.0)
    trend.add(3.0, 400.0)
    trend.add(-8.0, 401.0)
    trend.add(40.0, 402.0)
    assert trend.range(420.0) == (-8.0, 100.0), "the first one holds into the span"
    assert trend.range(800.0) == (40.0, 40.0)
    assert Trend().range(1.0) is None


@given(st.lists(st.tuples(st.floats(0, 60), st.floats() | st.none()), max_size=300), st.integers(1, 120))
def test_it_draws_whatever_comes_in_bounded_memory(changes: list[tuple[float, float | None]], cells: int) -> None:
    trend, now = Trend(), 0.0
    for pause, value in changes:
        now += pause
        trend.add(value if value is not None and math.isfinite(value) else None, now)
    drawn = bars(trend.values(now, cells))
    assert len(drawn) == cells
    assert set(drawn) <= set(" ▁▂▃▄▅▆▇█")
    assert len(trend._steps) <= SPAN / 3 + 2


def test_the_mean_of_far_numbers_is_between_them() -> None:
    trend = Trend()
    for value in (1.7e308, 1.7e308, -1.7e308, 1.5e308):
        trend.add(value, 1.0)
    assert trend.values(1.0, 1) == [pytest.approx(0.8e308)]


def test_bars_stand_between_least_and_greatest() -> None:
    assert bars([0.0, None, 7.0, 3.5]) == "▁ █▅"
    assert bars([2.0, 2.0]) == "▄▄"
    assert bars([-1.7e308, 1.7e308]) == "▁█"
    assert bars([None]) == " "


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (to_mx_value(True), 1.0),
        (to_mx_value(-5), -5.0),
        (to_mx_value(2.5), 2.5),
        (pb.MxValue(double_value=math.nan), None),
        (pb.MxValue(float_value=math.inf), None),
        (to_mx_value("5"), None),
        (to_mx_value([1, 2]), None),
        (to_mx_value(None), None),
        (pb.MxValue(), None),
    ],
)
def test_only_numbers_have_a_trend(value: pb.MxValue, number: float | None) -> None:
    assert number_of(value) == number
