"""News for whoever waits: a condition without a lock, for the tasks of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Broadcast:
    """Wakes all waiters, in the order in which they came. `notify` never waits, so it may stand between two changes."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits until the condition holds; it is looked at now and after each `notify`."""
        while not condition():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def notify(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
