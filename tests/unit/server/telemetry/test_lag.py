"""How late the event loop is: the figures, and the line in the log."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from tests.support.waiting import eventually

from mxgateway_server.telemetry.lag import LoopLag
from mxgateway_server.telemetry.lag_log import log_loop_lag


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


async def test_the_log_tells_the_figures_of_each_interval_and_at_the_end() -> None:
    with structlog.testing.capture_logs() as lines:
        task = asyncio.ensure_future(log_loop_lag(0.05))
        await eventually(lambda: len(lines) >= 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {line["event"] for line in lines} == {"event_loop_lag"}
    assert all(set(line) >= {"p50_ms", "p99_ms", "max_ms", "samples", "seconds"} for line in lines)
    assert len(lines) >= 3
