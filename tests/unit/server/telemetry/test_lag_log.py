"""The line in the log that tells how late the event loop is."""

from __future__ import annotations

import asyncio

import structlog
from tests.support.waiting import eventually

from mxgateway_server.telemetry.lag_log import LoopLagLog


async def test_the_log_tells_the_figures_of_each_interval_and_at_the_end() -> None:
    with structlog.testing.capture_logs() as lines:
        lag_log = LoopLagLog(0.05)
        async with asyncio.TaskGroup() as group:
            group.create_task(lag_log.run())
            await eventually(lambda: len(lines) >= 2)
            await lag_log.stop()
    assert {line["event"] for line in lines} == {"event_loop_lag"}
    assert all(set(line) >= {"p50_ms", "p99_ms", "max_ms", "samples", "seconds"} for line in lines)
    assert len(lines) >= 3


async def test_an_interval_of_nothing_measures_nothing() -> None:
    lag_log = LoopLagLog(0)
    await lag_log.run()
    await lag_log.stop()


async def test_who_wants_figures_gets_them_without_a_log_and_each_delay_once() -> None:
    lag_log = LoopLagLog(0)
    lag_log.want()
    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            group.create_task(lag_log.run())
            await eventually(lambda: lag_log.take_longest() > 0)
            await lag_log.stop()
    lag_log.take_longest()
    assert (lag_log.take_longest(), lines) == (0.0, [])
