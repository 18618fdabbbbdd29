"""Subscriptions that survive an interrupted connection, and never hide a gap."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from mxgateway.change_queue import ChangeQueue, DataChange, OverflowPolicy, change_of
from mxgateway.contract import MAX_BULK_ITEMS
from mxgateway.errors import (
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayOverflowError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.owned_task import OwnedTask

if TYPE_CHECKING:
    from mxgateway.events import EventStream
    from mxgateway.session import Session

_logger = logging.getLogger(__name__)

# Errors after which the same session may be there again.
_RETRIED = (MxGatewayConnectionError, MxGatewayTimeoutError, MxGatewayResourceError)
# Errors that say that the session is gone; only a subscription that opens its own sessions goes on.
_LOST = (MxGatewaySessionError, MxGatewayWorkerError)

_FIRST_DELAY = 0.2
_MAX_DELAY = 10.0


ChangeHandler: TypeAlias = Callable[[DataChange], Awaitable[None] | None]
"""Called with each change, in order; may be a coroutine function."""
SessionOpener: TypeAlias = "Callable[[], Awaitable[Session]]"


class SubscriptionState(Enum):
    """Where a subscription stands."""

    STARTING = "starting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    """The stream is interrupted; it is tried again. Values may be out of date."""
    RECOVERED = "recovered"
    """Connected again after an interruption; what was missed is replayed, or was read again and is marked."""
    CLOSED = "closed"


class Subscription:
    """Changes of some tags, as an async iterator or through a handler. Made by `Session.subscribe`.

    When the stream breaks it is opened again where it ended: missed changes are replayed (`replayed`). When the gateway
    does not have them any more, the current values are read (`recovered`) and the first one's `lost_before` tells how
    many events of the session were lost. Nothing is ever written.
    """

    def __init__(
        self,
        open_session: SessionOpener,
        tags: Iterable[str],
        *,
        owns_sessions: bool,
        queue_size: int = 10_000,
        overflow: OverflowPolicy = OverflowPolicy.DROP_OLDEST,
        handler: ChangeHandler | None = None,
        supervisory: bool = False,
        on_closed: Callable[[Subscription], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if isinstance(tags, str):
            raise TypeError("tags is one string; give a list of references")
        self._tags = tuple(dict.fromkeys(tags))
        self._open_session = open_session
        self._owns_sessions = owns_sessions
        self._queue = ChangeQueue(queue_size, overflow)
        self._handler = handler
        self._supervisory = supervisory
        self._on_closed = on_closed
        self._sleep = sleep
        self._pump = OwnedTask()
        self._handling = OwnedTask()
        self._changed = asyncio.Condition()
        self._state = SubscriptionState.STARTING
        self._error: MxGatewayError | None = None
        self._session: Session | None = None
        self._server_handle = 0
        self._tag_of: dict[int, str] = {}
        self._last_sequence = 0
        # Source time (ns) of the value that was read again, by tag: older events than that are history.
        self._read_at: dict[str, int] = {}
        self._fresh: set[str] = set()
        self._failures: dict[str, str] = {}
        self._gaps = 0
        self._interruptions = 0

    def __repr__(self) -> str:
        refused = f", {len(self._failures)} refused" if self._failures else ""
        return f"<Subscription of {len(self._tags)} tags, {self._state.value}{refused}>"

    # ---------------------------------------------------------------------------------------------------- observing

    @property
    def tags(self) -> tuple[str, ...]:
        """The references, each once."""
        return self._tags

    @property
    def state(self) -> SubscriptionState:
        """Where the subscription stands now."""
        return self._state

    @property
    def failures(self) -> dict[str, str]:
        """Tags that could not be subscribed, with the reason."""
        return dict(self._failures)

    @property
    def gaps(self) -> int:
        """How often changes were lost between plant and queue."""
        return self._gaps

    @property
    def interruptions(self) -> int:
        """How often the stream broke."""
        return self._interruptions

    @property
    def dropped(self) -> int:
        """Changes that the overflow policy dropped."""
        return self._queue.dropped

    @property
    def waiting(self) -> int:
        """Changes in the queue now."""
        return len(self._queue)

    async def states(self) -> AsyncIterator[SubscriptionState]:
        """The state now and each later one, until CLOSED."""
        seen: SubscriptionState | None = None
        while seen is not SubscriptionState.CLOSED:
            async with self._changed:
                while self._state is seen:
                    await self._changed.wait()
                seen = self._state
            yield seen

    # ---------------------------------------------------------------------------------------------------- consuming

    async def start(self) -> None:
        """Subscribes the tags. Called by `async with` and by the first iteration; idempotent.

        Raises:
            MxGatewayError: the tags cannot be subscribed at all. A single tag that is refused stands in `failures`.
        """
        if self._state is not SubscriptionState.STARTING or self._pump.running:
            return
        try:
            stream = await self._connect()
        except BaseException:
            await self._end(None)
            raise
        await self._set_state(SubscriptionState.CONNECTED)
        self._pump.start(self._run(stream), "subscription")
        if self._handler is not None:
            self._handling.start(self._call_handler(self._handler), "subscription handler")

    async def next_change(self, timeout: float | None = None) -> DataChange:
        """The next change.

        Args:
            timeout: seconds to wait; None for ever.

        Raises:
            MxGatewayTimeoutError: nothing changed in time.
            MxGatewayError: the subscription has failed for good; changes that were queued come first.
            StopAsyncIteration: the subscription was closed.
        """
        await self.start()
        try:
            async with asyncio.timeout(timeout):
                return await self._next()
        except TimeoutError as error:
            if isinstance(error, MxGatewayError):
                raise
            raise MxGatewayTimeoutError(f"no tag changed within {timeout:g} s", retryable=True) from error

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> DataChange:
        await self.start()
        return await self._next()

    async def _next(self) -> DataChange:
        while True:
            change = self._queue.take()
            if change is not None:
                return change
            if self._error is not None:
                raise self._error
            if self._state is SubscriptionState.CLOSED:
                raise StopAsyncIteration
            async with self._changed:
                await self._changed.wait_for(
                    lambda: bool(self._queue) or self._error is not None or self._state is SubscriptionState.CLOSED
                )

    async def aclose(self) -> None:
        """Ends the subscription: un-advises and removes its items as far as the gateway answers. Idempotent."""
        if self._state is SubscriptionState.CLOSED:
            return
        await self._pump.stop()
        await self._handling.stop()
        await self._end(None)

    async def __aenter__(self) -> Subscription:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # ------------------------------------------------------------------------------------------------------- inside

    async def _connect(self) -> EventStream:
        """Opens stream and items in a session that does not have them yet."""
        session = self._session = await self._open_session()
        # The stream comes first, so that no first value is missed.
        stream = session.stream_events()
        try:
            self._server_handle = await session.register("subscription")
            self._last_sequence = 0
            self._tag_of.clear()
            self._failures.clear()
            for start in range(0, len(self._tags), MAX_BULK_ITEMS):
                chunk = self._tags[start : start + MAX_BULK_ITEMS]
                for tag, result in zip(chunk, await self._subscribe(session, chunk), strict=True):
                    if result.was_successful:
                        self._tag_of[result.item_handle] = tag
                    else:
                        self._failures[tag] = result.error_message or "refused"
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _subscribe(self, session: Session, tags: tuple[str, ...]) -> list[pb.SubscribeResult]:
        if not self._supervisory:
            return await session.subscribe_bulk(self._server_handle, tags)
        results = await session.add_item_bulk(self._server_handle, tags)
        for result in results:
            if result.was_successful:
                await session.advise_supervisory(self._server_handle, result.item_handle)
        return results

    async def _run(self, stream: EventStream) -> None:
        """Feeds the queue, and connects again after each interruption, until the subscription ends."""
        interrupted = False
        while True:
            try:
                await self._feed(stream, interrupted)
                failure: MxGatewayError = MxGatewayConnectionError("the gateway ended the event stream")
            except MxGatewayOverflowError as error:
                await self._end(error)
                return
            except MxGatewayError as error:
                failure = error
            finally:
                stream.cancel()
            interrupted = True
            self._interruptions += 1
            reopened = await self._reconnect(failure)
            if reopened is None:
                return
            stream = reopened

    async def _reconnect(self, failure: MxGatewayError) -> EventStream | None:
        await self._set_state(SubscriptionState.RECONNECTING)
        _logger.info("subscription interrupted: %s", failure)
        attempt = 0
        while True:
            lost = isinstance(failure, _LOST)
            if not isinstance(failure, _RETRIED) and not (lost and self._owns_sessions):
                await self._end(failure)
                return None
            delay = min(_FIRST_DELAY * 2**attempt, _MAX_DELAY) * random.uniform(0.5, 1.0)  # noqa: S311
            await self._sleep(max(delay if attempt else 0.0, failure.retry_after or 0.0))
            attempt += 1
            try:
                return await (self._replace_session() if lost else self._resume())
            except MxGatewayError as error:
                failure = error

    async def _resume(self) -> EventStream:
        session = self._session
        assert session is not None
        # Asks first: a stream alone would only fail with its first event.
        await session.state()
        # Before its first event there is no position to go on from, only the beginning.
        return session.stream_events(self._last_sequence, from_beginning=not self._last_sequence)

    async def _replace_session(self) -> EventStream:
        if self._session is not None:
            try:
                await self._session.close()
            except MxGatewayError as error:
                _logger.info("the lost session could not be closed: %s", error)
        stream = await self._connect()
        # The first value of each tag replaces what was missed while there was no session.
        self._fresh = set(self._tags) - self._failures.keys()
        self._gaps += 1
        return stream

    async def _feed(self, stream: EventStream, interrupted: bool) -> None:
        async for events in stream.batches():
            if interrupted:
                interrupted = False
                await self._set_state(SubscriptionState.RECOVERED)
            replayed = stream.replayed_events
            for position, event in enumerate(events):
                if event.worker_sequence:
                    self._last_sequence = event.worker_sequence
                if event.HasField("replay_gap"):
                    await self._recover(event.replay_gap)
                elif event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                    self._take(event, position < replayed)
            async with self._changed:
                self._changed.notify_all()

    def _take(self, event: pb.MxEvent, replayed: bool) -> None:
        tag = self._tag_of.get(event.item_handle)
        if tag is None or event.server_handle != self._server_handle:
            return
        recovered = tag in self._fresh
        self._fresh.discard(tag)
        if self._read_at and (read_at := self._read_at.get(tag)) is not None:
            if event.source_timestamp.ToNanoseconds() < read_at:
                replayed = True
            else:
                del self._read_at[tag]
        change = change_of(tag, event, sequence=event.worker_sequence, replayed=replayed, recovered=recovered)
        if warning := self._queue.put(change):
            _logger.warning("%s", warning)

    async def _recover(self, gap: pb.ReplayGap) -> None:
        """Reads the current values after changes were lost."""
        session = self._session
        assert session is not None
        tags = [tag for tag in self._tags if tag not in self._failures]
        results: list[pb.BulkReadResult] = []
        for start in range(0, len(tags), MAX_BULK_ITEMS):
            results += await session.read_bulk(self._server_handle, tags[start : start + MAX_BULK_ITEMS])
        # Only now: when the reading breaks off, the stream is resumed before the gap and tells of it again.
        self._gaps += 1
        self._queue.lose(gap.dropped_events or max(gap.oldest_available_sequence - gap.requested_after_sequence - 1, 0))
        for tag, result in zip(tags, results, strict=True):
            if result.was_successful:
                self._read_at[tag] = result.source_timestamp.ToNanoseconds()
                self._queue.put(change_of(tag, result, recovered=True))

    async def _call_handler(self, handler: ChangeHandler) -> None:
        try:
            while True:
                change = await self._next()
                try:
                    outcome = handler(change)
                    if inspect.isawaitable(outcome):
                        await outcome
                except Exception:
                    # One change that the handler cannot digest must not keep the others from it.
                    _logger.exception("the handler of a subscription failed on %s", change.tag)
        except (StopAsyncIteration, MxGatewayError):
            return

    async def _set_state(self, state: SubscriptionState) -> None:
        async with self._changed:
            self._state = state
            self._changed.notify_all()

    async def _end(self, error: MxGatewayError | None) -> None:
        session, self._session = self._session, None
        self._error = error
        self._on_closed(self)
        await self._set_state(SubscriptionState.CLOSED)
        if session is None:
            return
        try:
            if self._owns_sessions:
                await session.close()
            elif not session.closed and self._tag_of:
                handles = list(self._tag_of)
                for start in range(0, len(handles), MAX_BULK_ITEMS):
                    await session.unsubscribe_bulk(self._server_handle, handles[start : start + MAX_BULK_ITEMS])
                await session.unregister(self._server_handle)
        except MxGatewayError as failure:
            # The session ends with its lease; the subscription is over in any case.
            _logger.info("the items of a subscription could not be removed: %s", failure)
