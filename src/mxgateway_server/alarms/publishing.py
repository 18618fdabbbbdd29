"""Wakes the streams of alarms when there is news: at once after a silence, else all together after a moment.

So all that follows within that moment travels in one batch, and readers of the same filter share its bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mxgateway_protocol.clock import Clock

PAUSE_SECONDS = 0.02


class Publisher:
    """The streams that wait, and when they were last woken."""

    def __init__(self, clock: Clock, pause: float = PAUSE_SECONDS) -> None:
        self._clock = clock
        self._pause = pause
        self._wakers: dict[Callable[[], None], None] = {}
        self._last = clock.monotonic() - pause
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, wake: Callable[[], None]) -> None:
        """A stream that is to be woken."""
        self._wakers[wake] = None

    def leave(self, wake: Callable[[], None]) -> None:
        """It has ended."""
        self._wakers.pop(wake, None)

    def news(self) -> None:
        """Something has happened."""
        if self._timer is not None:
            return
        rest = self._last + self._pause - self._clock.monotonic()
        if rest <= 0:
            self._wake()
        else:
            self._timer = asyncio.get_running_loop().call_later(rest, self._wake)

    def close(self) -> None:
        """Wakes nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        self._last = self._clock.monotonic()
        for wake in list(self._wakers):
            wake()
