"""How late the event loop is: the figures."""

from __future__ import annotations

import pytest

from mxgateway_server.telemetry.lag import LoopLag


def test_ticks_in_time_have_no_lag() -> None:
    lag = LoopLag(0.02, 100.0)
    for _ in range(100):
        assert lag.tick(lag.due) == 0.0
    figures = lag.take()
    assert (figures.samples, figures.longest, figures.p99) == (100, 0.0, 0.0)


@pytest.mark.parametrize("late", [0.0001, 0.001, 0.005, 0.019])
def test_percentiles_are_at_most_a_tenth_too_high(late: float) -> None:
    lag = LoopLag(0.02, 0.0)
    for _ in range(50):
        lag.tick(lag.due + late)
    figures = lag.take()
    assert late <= figures.p50 * 1.000001 <= late * 1.11
    assert figures.longest == pytest.approx(late)


def test_one_stall_counts_as_every_tick_that_could_not_come() -> None:
    lag = LoopLag(0.02, 0.0)
    for _ in range(90):
        lag.tick(lag.due)
    due = lag.due
    assert lag.tick(due + 0.2) == pytest.approx(0.2)
    figures = lag.take()
    assert figures.samples == 101
    assert figures.longest == pytest.approx(0.2)
    assert figures.p99 >= 0.18
    assert figures.p50 == pytest.approx(0.00005)
    assert lag.due > due + 0.2, "the next tick is due after the stall"


def test_figures_begin_anew_when_they_are_taken_and_none_are_zero() -> None:
    lag = LoopLag(0.02, 0.0)
    lag.tick(5.0)
    lag.take()
    figures = lag.take()
    assert (figures.samples, figures.p50, figures.p99, figures.longest) == (0, 0.0, 0.0, 0.0)


def test_a_stall_of_days_costs_bounded_work() -> None:
    lag = LoopLag(0.02, 0.0)
    lag.tick(1_000_000.0)
    assert lag.take().samples == 3001
    assert lag.due > 1_000_000.0
