"""Wakes the streams of alarms when there is news: at once after a silence, else all together after a moment.

So all that follows within that moment travels in one batch, and readers of the same filter share its bytes. A stream
that has sent its batch while more came in waits for the others' next: batches of its own would be small, and many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mxgateway_protocol.clock import Clock
from mxgateway_server.alarms.telling import Reach

PAUSE_SECONDS = 0.015
"""A change waits half of it in the middle, and then for its turn among the streams."""
BUSY_PAUSE_SECONDS = 0.04
"""In a storm: what a batch costs hardly depends on what is in it."""
BUSY_RATE = 4000.0
"""Changes a second that are a storm."""


class Publisher:
    """The streams that wait, and when they were last woken.

    Args:
        newest: the newest change and note that there are.

    Attributes:
        reach: what was the newest when the streams were last woken.
    """

    def __init__(self, clock: Clock, newest: Callable[[], Reach]) -> None:
        self._clock = clock
        self._newest = newest
        self.reach = newest()
        self._pause = PAUSE_SECONDS
        self._changes = 0
        self._wakers: dict[Callable[[], None], None] = {}
        self._last = clock.monotonic() - PAUSE_SECONDS
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, wake: Callable[[], None]) -> None:
        """A stream that is to be woken."""
        self._wakers[wake] = None

    def leave(self, wake: Callable[[], None]) -> None:
        """It has ended."""
        self._wakers.pop(wake, None)

    def news(self, changes: int = 0) -> None:
        """Something has happened; so many changes, if it is that."""
        self._changes += changes
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
        now = self._clock.monotonic()
        is_busy = self._changes > BUSY_RATE * (now - self._last)
        self._pause = BUSY_PAUSE_SECONDS if is_busy else PAUSE_SECONDS
        self._last, self._changes = now, 0
        self.reach = self._newest()
        for wake in list(self._wakers):
            wake()
