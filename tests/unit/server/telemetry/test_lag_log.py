"""The line in the log that tells how late the event loop is."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from tests.support.waiting import eventually

from mxgateway_server.telemetry.lag_log import log_loop_lag


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
