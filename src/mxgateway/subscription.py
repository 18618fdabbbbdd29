"""Subscriptions that survive an interrupted connection, and never hide a gap."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from mxgateway.change_queue import ChangeQueue, OverflowPolicy
from mxgateway.data_change import DataChange, change_of
from mxgateway.errors import (
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayOverflowError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
)
from mxgateway.owned_task import OwnedTask
from mxgateway.reconnecting import MAX_DELAY, Backoff, is_transient, says_session_lost
from mxgateway.subscribed_items import SubscribedItems, checked_tags
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.events import EventStream
    from mxgateway.session_port import SessionPort

_logger = logging.getLogger(__name__)

ChangeHandler: TypeAlias = Callable[[DataChange], Awaitable[None] | None]
"""Called with each change, in order; may be a coroutine function."""
SessionOpener: TypeAlias = "Callable[[], Awaitable[SessionPort]]"


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
        reconnect: bool = True,
        on_closed: Callable[[Subscription], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._items = SubscribedItems(tags, supervisory)
        self._open_session = open_session
        self._owns_sessions = owns_sessions
        self._queue = ChangeQueue(queue_size, overflow)
        self._handler = handler
        self._reconnects = reconnect
        self._on_closed = on_closed
        self._sleep = sleep
        self._pump = OwnedTask()
        self._handling = OwnedTask()
        self._changed = asyncio.Condition()
        self._state = SubscriptionState.STARTING
        self._error: MxGatewayError | None = None
        self._session: SessionPort | None = None
        # Whether the session has the registration and the tags; else only a new one helps.
        self._session_is_set_up = False
        # Whether somebody carries out what `add` and `remove` ask for.
        self._is_serving = False
        self._last_sequence = 0
        # Source time (ns) of the value that was read again, by tag: older events than that are history.
        self._read_at: dict[str, int] = {}
        self._fresh: set[str] = set()
        self._gaps = self._lost = self._interruptions = self._new_sessions = 0
        self._last_interruption: MxGatewayError | None = None
        self._backoff = Backoff()

    def __repr__(self) -> str:
        failures = self._items.failures
        refused = f", {len(failures)} refused" if failures else ""
        return f"<Subscription of {len(self.tags)} tags, {self._state.value}{refused}>"

    # ---------------------------------------------------------------------------------------------------- observing

    @property
    def tags(self) -> tuple[str, ...]:
        """The references, each once; those that were refused are among them."""
        return self._items.tags

    @property
    def state(self) -> SubscriptionState:
        """Where the subscription stands now."""
        return self._state

    @property
    def failures(self) -> dict[str, str]:
        """Tags that could not be subscribed, with the reason."""
        return self._items.failures

    @property
    def gaps(self) -> int:
        """How often changes were lost between plant and queue."""
        return self._gaps

    @property
    def lost(self) -> int:
        """Events of the session that are known to be lost on their way from the gateway.

        What changed between the end of one session and the next one is not known, and not in it: see `new_sessions`.
        """
        return self._lost

    @property
    def interruptions(self) -> int:
        """How often the stream broke."""
        return self._interruptions

    @property
    def last_interruption(self) -> MxGatewayError | None:
        """Why the stream broke last, or why it could not be opened again since; None before the first time."""
        return self._last_interruption

    @property
    def new_sessions(self) -> int:
        """How often the session was lost and a new one was opened; each time is one of `gaps`."""
        return self._new_sessions

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
        if self._state is not SubscriptionState.STARTING or self._pump.is_running:
            return
        try:
            stream = await self._connect()
        except BaseException:
            await self._end(None)
            raise
        self._is_serving = True
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

    # ------------------------------------------------------------------------------------------------- changing tags

    async def add(self, tags: Iterable[str]) -> None:
        """Subscribes further tags, while the subscription runs or before it starts.

        A tag that is there already stays as it is; one that was refused is tried again. The set outlives
        interruptions: while the stream is interrupted this returns at once, and the tags are subscribed when it is
        there again.

        Args:
            tags: references. Those that are refused stand in `failures` when this returns.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            MxGatewayError: the subscription has ended.
        """
        wanted = checked_tags(tags)
        self._check_open()
        await self._carried_out(self._items.want(wanted))

    async def remove(self, tags: Iterable[str]) -> None:
        """Ends the subscription of some tags: their items are un-advised and removed.

        From the call on no change of these tags is delivered any more, also none that waits in the queue. A
        `lost_before` of theirs passes to the next change, since it counts events of the whole session. Tags that are
        not subscribed are left out. While the stream is interrupted this returns at once, and the items are removed
        when it is there again.

        Args:
            tags: references, spelt as they were subscribed.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            MxGatewayError: the subscription has ended.
        """
        gone = checked_tags(tags)
        self._check_open()
        asked = self._items.unwant(gone)
        self._queue.discard(gone)
        self._fresh.difference_update(gone)
        for tag in gone:
            self._read_at.pop(tag, None)
        await self._carried_out(asked)

    def _check_open(self) -> None:
        if self._state is SubscriptionState.CLOSED:
            raise self._error or MxGatewaySessionError("the subscription is closed")

    async def _carried_out(self, asked: int) -> None:
        """Waits until the session has what was asked for, or is interrupted: then the reconnect does it."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_serving or self._items.is_done(asked))
        if not self._items.is_done(asked):
            self._check_open()

    # ------------------------------------------------------------------------------------------------------- ending

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
        self._session_is_set_up = False
        session = self._session = await self._open_session()
        # The stream comes first, so that no first value is missed.
        stream = session.stream_events()
        try:
            self._last_sequence = 0
            await self._items.subscribe(session)
        except BaseException:
            await stream.aclose()
            raise
        self._session_is_set_up = True
        return stream

    async def _run(self, stream: EventStream) -> None:
        """Serves one stream after the other until the subscription ends."""
        is_resumed = False
        while True:
            failure = await self._serve(stream, is_resumed)
            if isinstance(failure, MxGatewayOverflowError):
                await self._end(failure)
                return
            self._interruptions += 1
            reopened = await self._reconnect(failure)
            if reopened is None:
                return
            stream, is_resumed = reopened, True

    async def _serve(self, stream: EventStream, is_resumed: bool) -> MxGatewayError:
        """Feeds the queue and keeps the items as they are wanted, until the stream or a command fails."""
        session = self._session
        assert session is not None
        self._is_serving = True
        failures: list[MxGatewayError] = []
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._items.keep(session, self._notify))
                if is_resumed:
                    group.create_task(self._recovered_once_open(stream))
                await self._feed(stream, session)
                raise MxGatewayConnectionError("the gateway ended the event stream")
        except* MxGatewayError as group_of_failures:
            failures += [each for each in group_of_failures.exceptions if isinstance(each, MxGatewayError)]
        finally:
            stream.cancel()
            self._is_serving = False
        if asyncio.get_running_loop().time() - began > MAX_DELAY:
            self._backoff.reset()
        return failures[0]

    async def _recovered_once_open(self, stream: EventStream) -> None:
        # Quiet tags may send nothing for hours; the stream stands all the same.
        if await stream.opened():
            await self._recovered()

    async def _recovered(self) -> None:
        if self._state is SubscriptionState.RECONNECTING:
            await self._set_state(SubscriptionState.RECOVERED)

    async def _reconnect(self, failure: MxGatewayError) -> EventStream | None:
        self._last_interruption = failure
        if not self._reconnects:
            await self._end(failure)
            return None
        await self._set_state(SubscriptionState.RECONNECTING)
        _logger.info("subscription interrupted: %s", failure)
        while True:
            lost = says_session_lost(failure)
            if not (self._owns_sessions if lost else is_transient(failure)):
                await self._end(failure)
                return None
            await self._sleep(self._backoff.delay(failure))
            try:
                # A session that was lost before its tags were in it has nothing to resume.
                return await (self._replace_session() if lost or not self._session_is_set_up else self._resume())
            except MxGatewayError as error:
                if says_session_lost(error) and not lost:
                    # The gateway is there again and has answered: the new session need not wait.
                    self._backoff.reset()
                failure = self._last_interruption = error

    async def _resume(self) -> EventStream:
        session = self._session
        assert session is not None
        # Asks first: a stream alone would only fail with its first event.
        await session.state()
        # Before its first event there is no position to go on from, only the beginning.
        return session.stream_events(self._last_sequence, from_beginning=not self._last_sequence)

    async def _replace_session(self) -> EventStream:
        # No way back from here: the next attempt is a new session, too.
        self._session_is_set_up = False
        if self._session is not None:
            try:
                await self._session.close()
                self._session = None
            except MxGatewayError as error:
                _logger.info("the lost session could not be closed: %s", error)
        stream = await self._connect()
        # The first value of each tag replaces what was missed while there was no session.
        self._fresh = set(self._items.advised)
        self._gaps += 1
        self._new_sessions += 1
        return stream

    async def _feed(self, stream: EventStream, session: SessionPort) -> None:
        # Before its first event a new stream may lack what no stream had.
        is_first = not self._last_sequence
        async for events in stream.batches():
            self._backoff.reset()
            await self._recovered()
            replayed, received = stream.replayed_events, stream.gateway_receive_timestamp
            for position, event in enumerate(events):
                if event.HasField("replay_gap"):
                    await self._gap(session, event.replay_gap, is_first)
                    continue
                if event.worker_sequence:
                    if event.worker_sequence <= self._last_sequence:
                        # A gateway that replays more than was asked for tells nothing new.
                        continue
                    self._last_sequence = event.worker_sequence
                if event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                    if received is not None:
                        event.gateway_receive_timestamp.CopyFrom(received)
                    self._take(event, position < replayed)
            is_first = False
            await self._notify()

    def _take(self, event: pb.MxEvent, replayed: bool) -> None:
        tag = self._items.tag_of(event)
        if tag is None:
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

    async def _gap(self, session: SessionPort, gap: pb.ReplayGap, is_first: bool) -> None:
        """Counts changes that were lost, and reads the current values where they may be newer than what comes."""
        results: dict[str, pb.BulkReadResult] = {}
        # Under `conflate` what was dropped was replaced by a younger value of its item, which is in the stream.
        is_replaced = session.backpressure_policy == pb.BACKPRESSURE_POLICY_CONFLATE and gap.dropped_events > 0
        if is_first or not is_replaced:
            results = await self._items.read(session)
        # Only now: when the reading breaks off, the stream is resumed before the gap and tells of it again.
        self._gaps += 1
        lost = gap.dropped_events or max(gap.oldest_available_sequence - gap.requested_after_sequence - 1, 0)
        self._lost += lost
        self._queue.lose(lost)
        for tag, result in results.items():
            if result.was_successful and tag in self._items:
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
        self._state = state
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
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
            elif not session.closed:
                await self._items.remove_all(session)
        except MxGatewayError as failure:
            # The session ends with its lease; the subscription is over in any case.
            _logger.info("the items of a subscription could not be removed: %s", failure)
