"""Limits of time that run out when the test says so, not when a slow machine has used them up."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

LONG = 1000.0
"""Seconds; limits of at least half of it are the ones that a test lets run out."""


class TimeLimits:
    """All limits of this length that begin while it is in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._limits: list[asyncio.Timeout] = []
        self._begin = asyncio.timeout
        monkeypatch.setattr(asyncio, "timeout", self._timeout)

    def _timeout(self, delay: float | None) -> asyncio.Timeout:
        limit = self._begin(delay)
        if delay is not None and delay >= LONG / 2:
            self._limits.append(limit)
        return limit

    def run_out(self) -> None:
        """Those that are not over yet run out now."""
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            with contextlib.suppress(RuntimeError):
                limit.reschedule(now)
        self._limits.clear()
