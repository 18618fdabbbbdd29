"""What counts as growth: the end of a run against its beginning, after the warm-up."""

from __future__ import annotations

import pytest
from soak.judging import FEWEST, Bar, by_period, growth, violations, warm_up_of

FLAT = [100.0] * 100
FILLS_AT_FIRST = [50.0 + 2.5 * min(20, step) for step in range(100)]
CREEPS = [100.0 + step * 0.05 for step in range(100)]
ONE_SPIKE = [*FLAT[:95], 500.0, *FLAT[96:]]
SHRINKS = [200.0 - step for step in range(100)]


@pytest.mark.parametrize(
    ("series", "percent"),
    [(FLAT, 0.0), (FILLS_AT_FIRST, 0.0), (CREEPS, 3.5), (ONE_SPIKE, 0.0), (SHRINKS, -40.0)],
    ids=["flat", "fills at first", "creeps", "one spike", "shrinks"],
)
def test_growth_is_from_the_warmed_up_beginning_to_the_end(series: list[float], percent: float) -> None:
    seen = growth(series)
    assert seen is not None
    assert seen.percent == pytest.approx(percent, abs=0.6)


@pytest.mark.parametrize(
    ("series", "bar", "broken"),
    [
        (CREEPS, Bar(percent=1), True),
        (CREEPS, Bar(percent=5), False),
        (CREEPS, Bar(percent=1, absolute=4), False),
        (SHRINKS, Bar(), False),
        ([72.0] * 90 + [75.0] * 10, Bar(absolute=2), True),
        ([72.0] * 90 + [74.0] * 10, Bar(absolute=2), False),
    ],
)
def test_a_bar_is_broken_by_what_goes_beyond_the_larger_of_its_two_limits(
    series: list[float], bar: Bar, broken: bool
) -> None:
    assert bool(violations({"x": series}, {"x": bar})) is broken


def test_too_few_samples_are_told_and_no_success() -> None:
    assert growth([1.0] * (FEWEST - 1)) is None
    (text,) = violations({}, {"x": Bar(1)})
    assert "let it run longer" in text


@pytest.mark.parametrize(("seconds", "share"), [(12, 0.5), (240, 0.5), (600, 0.5), (1200, 0.25), (7200, 0.2)])
def test_a_warm_up_takes_its_time_in_short_runs_and_a_share_of_long_ones(seconds: float, share: float) -> None:
    assert warm_up_of(seconds) == share


def test_what_fills_in_the_warm_up_is_no_growth_and_what_goes_on_after_it_is() -> None:
    fills = [min(step, 45) for step in range(100)]
    assert violations({"x": fills}, {"x": Bar()}) != []
    assert violations({"x": fills}, {"x": Bar()}, warm_up_of(240)) == []
    assert violations({"x": CREEPS}, {"x": Bar(percent=1)}, warm_up_of(240)) != []


def test_each_whole_quarter_of_an_hour_has_its_median() -> None:
    samples = [40.0] * 300 + [41.0] * 299 + [900.0] + [42.0] * 20
    assert by_period(samples, 1860.0) == [40.0, 41.0]
    assert by_period(samples, 600.0) == [], "a shorter run has none"
    assert by_period([], 7200.0) == []
    assert by_period([], 0.0) == []
