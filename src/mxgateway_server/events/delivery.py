"""From a stream's queue to the task that sends: waiting for events, and taking everything that waits at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from mxgateway_server.events.subscriber import Delivery, Subscriber


class Waker:
    """Lets the one task of a stream wait until there is something for it; called from the pipe's callback.

    An asyncio.Event does more, and takes its time for it.
    """

    def __init__(self) -> None:
        self._is_called = False
        self._sleeper: asyncio.Future[None] | None = None

    def __call__(self) -> None:
        self._is_called = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def wait(self) -> None:
        """Returns after a call; one that came before the wait is not lost."""
        if not self._is_called:
            self._sleeper = asyncio.get_running_loop().create_future()
            await self._sleeper
        self._is_called = False


async def deliveries(subscriber: Subscriber, waker: Waker, max_events: int, max_bytes: int) -> AsyncIterator[Delivery]:
    """What the subscriber has, as it comes, everything that waits at once.

    Raises:
        GatewayError: the stream was ended with an error.
    """
    while True:
        if subscriber.error is not None:
            raise subscriber.error
        delivery = subscriber.take(max_events, max_bytes)
        if delivery is not None:
            yield delivery
        elif subscriber.is_ended:
            if subscriber.final_error is not None:
                raise subscriber.final_error
            return
        else:
            await waker.wait()
