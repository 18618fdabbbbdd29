"""One stream of alarms, from its cursor to the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

import grpc
import grpc.aio

from mxgateway_protocol.clock import Clock
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.encoding import batch_of, messages_of
from mxgateway_server.alarms.feed import Wish
from mxgateway_server.alarms.model import Change
from mxgateway_server.alarms.patience import Patience
from mxgateway_server.alarms.subscriber import Subscriber
from mxgateway_server.alarms.telling import Portion
from mxgateway_server.errors import GatewayError
from mxgateway_server.events.delivery import Waker
from mxgateway_server.headers import send_headers
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_PAST_PAGE = 1000


class AlarmPast(Protocol):
    """Where streams get changes that memory has let go."""

    async def changes(self, after: int, until: int, most: int) -> Sequence[Change]:
        """Changes after this number, up to and including the other, in order; none when there is nothing left."""


class AlarmStreams:
    """Sends streams of alarms.

    Args:
        silent_reader: seconds after which a stream whose reader takes nothing is ended.
        past: the history; None without one.
    """

    def __init__(self, driver: AlarmDriver, clock: Clock, silent_reader: float, past: AlarmPast | None = None) -> None:
        self._driver = driver
        self._monitor = driver.monitor
        self._clock = clock
        self._silent_reader = silent_reader
        self._past = past

    async def run(self, context: Context, key_id: str, wish: Wish, *, is_batched: bool) -> None:
        """Sends until the caller goes away.

        Raises:
            AlarmStreamLimitError: there are too many streams, or the reader takes nothing any more.
            AlarmLagError: see the lag policy DISCONNECT.
        """
        feed = self._monitor.feed
        subscriber = feed.join(key_id, wish, self._clock.monotonic())
        waker = Waker()
        self._driver.publisher.enter(waker)
        try:
            # So that the caller knows that the stream stands before there is anything to tell.
            await send_headers(context)
            with Patience(self._silent_reader) as patience:
                while True:
                    portion = await self._next(subscriber, waker)
                    if portion.is_empty:
                        await asyncio.sleep(0)
                        continue
                    for message in (batch_of(portion),) if is_batched else messages_of(portion):
                        patience.begin()
                        await context.write(message)
                        patience.end()
        finally:
            self._driver.publisher.leave(waker)
            feed.leave(subscriber)

    async def _next(self, subscriber: Subscriber, waker: Waker) -> Portion:
        while True:
            past = subscriber.past
            if past is not None and self._past is not None:
                try:
                    changes = await self._past.changes(past.sequence, past.until, _PAST_PAGE)
                except GatewayError as error:
                    logger.warning("alarm_resume_failed", error=error)
                    subscriber.lose_past()
                    continue
                portion = subscriber.take_past(changes)
                if portion is not None:
                    return portion
                continue
            now = self._clock.monotonic()
            portion = subscriber.take(
                self._monitor.status, now, has_list=self._monitor.shows_list, reach=self._driver.publisher.reach
            )
            if portion is not None:
                return portion
            sign = subscriber.next_sign(now)
            if sign is None:
                await waker.wait()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(sign):
                    await waker.wait()
