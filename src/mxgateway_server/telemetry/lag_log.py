"""The event loop's lag, measured in one place: for lines of the log, the metrics and the dashboard."""

from __future__ import annotations

import asyncio

from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until
from mxgateway_server.telemetry.lag import LagFigures, LoopLag

logger = get_logger(__name__)

PERIOD = 0.125
"""Seconds between ticks: eight short callbacks a second, less than 0.1 % of a core."""
WARN_ABOVE = 0.05
"""A p99 above this, in seconds, is a warning: calls and events wait that long before anything happens to them."""
MIN_SAMPLES = 100
RECENT_SECONDS = 15.0


class LoopLagLog:
    """Measures the loop's lag while it runs.

    Args:
        interval: seconds between two lines of the log; 0 for none, and for no measuring unless somebody `wants` it.

    Attributes:
        recent: the figures of the last full RECENT_SECONDS; None before.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._is_wanted = bool(interval)
        self._longest = 0.0
        self.recent: LagFigures | None = None
        self._stop = asyncio.Event()

    def want(self) -> None:
        """Measures whatever the interval is; before `run`."""
        self._is_wanted = True

    def take_longest(self) -> float:
        """The most that the loop was late by since the last call, in seconds; for one reader."""
        longest, self._longest = self._longest, 0.0
        return longest

    async def run(self) -> None:
        """Logs `event_loop_lag` at each interval, and once at the end, until `stop`."""
        if self._is_wanted:
            await work_until(self._stop, self._measure())

    async def stop(self) -> None:
        self._stop.set()

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        # At the times when the gateway's duties wake the loop anyway.
        lag = LoopLag(PERIOD, loop.time() // PERIOD * PERIOD)
        # Counted apart: neither reader may take the other's samples.
        recent = LoopLag(PERIOD, lag.due - PERIOD)
        since = span = loop.time()
        try:
            while True:
                await asyncio.sleep(max(0.0, lag.due - loop.time()))
                self._longest = max(self._longest, lag.tick(loop.time()))
                recent.tick(loop.time())
                if loop.time() - span >= RECENT_SECONDS:
                    self.recent, span = recent.take(), loop.time()
                if self._interval and lag.due - since >= self._interval:
                    _report(lag, loop.time() - since)
                    since = loop.time()
        finally:
            if self._interval:
                _report(lag, loop.time() - since)


def _report(lag: LoopLag, seconds: float) -> None:
    figures = lag.take()
    # A short while, such as the start, says little.
    is_bad = figures.p99 > WARN_ABOVE and figures.samples >= MIN_SAMPLES
    log = logger.warning if is_bad else logger.info
    log(
        "event_loop_lag",
        p50_ms=round(figures.p50 * 1000, 2),
        p99_ms=round(figures.p99 * 1000, 2),
        max_ms=round(figures.longest * 1000, 2),
        samples=figures.samples,
        seconds=round(seconds, 1),
    )
