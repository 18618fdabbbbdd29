"""Keeps the queue of a subscription filled, over interruptions, lost sessions and gaps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from mxgateway.broadcast import Broadcast
from mxgateway.change_queue import ChangeQueue
from mxgateway.change_reader import ChangeReader
from mxgateway.errors import MxGatewayConnectionError, MxGatewayError, MxGatewayOverflowError, MxGatewaySessionError
from mxgateway.pending_writes import PendingWrites
from mxgateway.read_ahead import Batch, ReadAhead
from mxgateway.reconnecting import MAX_DELAY, Backoff, is_transient, says_session_lost
from mxgateway.subscribed_items import SubscribedItems
from mxgateway_contract.constants import CAPABILITY_RECOVERED_VALUES
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway.data_change import DataChange
    from mxgateway.events import EventStream
    from mxgateway.session_port import SessionPort

_logger = logging.getLogger(__name__)

SessionOpener: TypeAlias = "Callable[[], Awaitable[SessionPort]]"


class SubscriptionState(Enum):
    """Where a subscription stands."""

    STARTING = "starting"
    """The tags are not all subscribed yet."""
    CONNECTED = "connected"
    """Values come, and the stream was not interrupted so far."""
    RECONNECTING = "reconnecting"
    """The stream is interrupted; it is tried again. Values may be out of date."""
    RECOVERED = "recovered"
    """Connected again after an interruption; what was missed is replayed, or was read again and is marked."""
    CLOSED = "closed"
    """The subscription has ended: it was closed, or it failed for good and iterating tells the error."""


_MOST_LOST = 5
"""Sessions that may end one after the other before they have all tags; more is no accident, and whoever waits for the
start is told."""


class ChangeFeed:
    """One subscription's state, and the work of one background task on it: `run`."""

    def __init__(
        self,
        open_session: SessionOpener,
        items: SubscribedItems,
        queue: ChangeQueue,
        *,
        owns_sessions: bool,
        reconnects: bool,
        is_patient: bool,
        on_ended: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.items = items
        self.queue = queue
        self.reader = ChangeReader(items, queue.take_lost)
        self.writes = PendingWrites()
        self.state = SubscriptionState.STARTING
        self.error: MxGatewayError | None = None
        self.session: SessionPort | None = None
        self.interruptions = 0
        self.new_sessions = 0
        self.last_interruption: MxGatewayError | None = None
        self.is_serving = False
        """Whether somebody carries out what is wanted of the items."""
        self.is_closing = False
        """Whether `end` follows when the task is canceled; else it is the event loop that ends."""
        self.sleep = sleep
        self._open_session = open_session
        self._owns_sessions = owns_sessions
        self._reconnects = reconnects
        self._is_patient = is_patient
        self._on_ended = on_ended
        self._changed = Broadcast()
        self._turned = Broadcast()
        self._stands = False
        # Whether the session has tags of ours; else there is nothing in it to go on with.
        self._is_set_up = False
        self._is_stream_open = False
        self._backoff = Backoff()

    # ---------------------------------------------------------------------------------------------------- observing

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits for a condition of state, queue or items."""
        await self._changed.wait_until(condition)

    async def wait_for_turn(self, known: SubscriptionState | None) -> SubscriptionState:
        """Waits until the state is another one than the known one; told before the changes that follow the turn."""
        await self._turned.wait_until(lambda: self.state is not known)
        return self.state

    def check_open(self) -> None:
        """Raises the error that ended the subscription, or MxGatewaySessionError when it was closed."""
        if self.state is SubscriptionState.CLOSED:
            raise self.error or MxGatewaySessionError("the subscription is closed")

    # ------------------------------------------------------------------------------------------------------ the task

    async def run(self) -> None:
        """Serves one stream after the other until the subscription ends. Whatever fails becomes its error."""
        lost = 0
        try:
            stream = await self._first_stream()
            while stream is not None:
                failure = await self._serve(stream)
                if isinstance(failure, MxGatewayOverflowError) or not (self._stands or self._may_begin_late(failure)):
                    await self.end(failure)
                    return
                self.interruptions += self._is_set_up
                if not self._stands and says_session_lost(failure):
                    lost += 1
                    if lost == _MOST_LOST and not self._is_patient:
                        await self.end(failure)
                        return
                stream = await self._reconnect(failure)
        except asyncio.CancelledError:
            if not self.is_closing:
                # Nobody may wait for changes that cannot come.
                self.error = MxGatewayConnectionError("the event loop of the subscription has ended")
                self._set_state(SubscriptionState.CLOSED)
            raise
        except Exception as error:
            _logger.exception("a subscription has failed")
            cause = _first_of(error)
            failure = MxGatewayError(f"the subscription has failed: {type(cause).__name__}: {cause}")
            failure.__cause__ = cause
            await self.end(failure)

    def _may_begin_late(self, failure: MxGatewayError) -> bool:
        """Whether a failure before all tags were subscribed for the first time is waited out."""
        is_lost = self._owns_sessions and says_session_lost(failure)
        return self._is_patient or (self._is_set_up and (is_lost or is_transient(failure)))

    async def _first_stream(self) -> EventStream | None:
        try:
            return await self._connect()
        except MxGatewayError as error:
            if self._is_patient:
                return await self._reconnect(error)
            await self.end(error)
            return None

    async def _connect(self) -> EventStream:
        """Opens a stream in a session that has nothing of the subscription yet; serving it adds the tags."""
        self._is_set_up = False
        session = self.session = await self._open_session()
        # The stream comes first, so that no first value is missed.
        stream = session.stream_events(recover_gaps=recovers_gaps(session))
        try:
            await self.items.begin(session)
        except BaseException:
            await stream.aclose()
            raise
        # The first value of each tag replaces what was missed while there was no session.
        self.queue.lose(self.reader.begin_session(renewed=self.items.tags if self._stands else ()))
        return stream

    async def _serve(self, stream: EventStream) -> MxGatewayError:
        """Feeds the queue and keeps the items as they are wanted, until the stream or a command fails."""
        session = self.session
        assert session is not None
        self.is_serving = True
        self._is_stream_open = False
        failures: list[MxGatewayError] = []
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.items.keep(session, self._items_added))
                if self.state is not SubscriptionState.STARTING:
                    group.create_task(self._wait_for_opening(stream))
                try:
                    await self._read(ReadAhead(stream, group), session)
                    raise MxGatewayConnectionError("the gateway ended the event stream")
                except MxGatewayError:
                    # With the tags in the session what has come counts, and the stream can be resumed.
                    await self.items.all_known()
                    raise
        except* MxGatewayError as group_of_failures:
            failures += [each for each in group_of_failures.exceptions if isinstance(each, MxGatewayError)]
        finally:
            stream.cancel()
            self.is_serving = False
            self._changed.notify()
        if asyncio.get_running_loop().time() - began > MAX_DELAY:
            self._backoff.reset()
        return failures[0]

    # -------------------------------------------------------------------------------------------------------- states

    async def _wait_for_opening(self, stream: EventStream) -> None:
        # Quiet tags may send nothing for hours; the stream stands all the same.
        if await stream.opened():
            self._stream_stands()

    def _stream_stands(self) -> None:
        self._is_stream_open = True
        self._take_turn()

    def _take_turn(self) -> None:
        """The state that follows from stream and items."""
        if not self.items.is_complete:
            return
        if not self._stands:
            self._stands = True
            self.queue.is_filling = False
            self._set_state(SubscriptionState.CONNECTED)
        elif self._is_stream_open and self.state is SubscriptionState.RECONNECTING:
            self._set_state(SubscriptionState.RECOVERED)

    def _set_state(self, state: SubscriptionState) -> None:
        self.state = state
        self._turned.notify()
        self._changed.notify()

    async def end(self, error: MxGatewayError | None) -> None:
        """Ends the subscription, by an error or because it is closed, and leaves the session as it was."""
        session, self.session = self.session, None
        self.error = error
        self._on_ended()
        self.writes.lose("the subscription ended during the write; its outcome is unknown")
        self._set_state(SubscriptionState.CLOSED)
        if session is None:
            return
        try:
            if self._owns_sessions:
                await session.close()
            elif not session.closed:
                await self.items.remove_all(session)
        except MxGatewayError as failure:
            # The session ends with its lease; the subscription is over in any case.
            _logger.info("the items of a subscription could not be removed: %s", failure)

    # -------------------------------------------------------------------------------------------------- reconnecting

    async def _reconnect(self, failure: MxGatewayError) -> EventStream | None:
        self.last_interruption = failure
        if not self._reconnects:
            await self.end(failure)
            return None
        if self._stands:
            self._set_state(SubscriptionState.RECONNECTING)
        _logger.info("subscription interrupted: %s", failure)
        while True:
            lost = says_session_lost(failure)
            if not (self._owns_sessions if lost else is_transient(failure)):
                await self.end(failure)
                return None
            await self.sleep(self._backoff.delay(failure))
            try:
                # A session that was lost before its tags were in it has nothing to resume.
                return await (self._replace_session() if lost or not self._is_set_up else self._resume())
            except MxGatewayError as error:
                if says_session_lost(error) and not lost:
                    # The gateway is there again and has answered: the new session need not wait.
                    self._backoff.reset()
                failure = self.last_interruption = error

    async def _resume(self) -> EventStream:
        session = self.session
        assert session is not None
        # Asks first: a stream alone would only fail with its first event.
        await session.state()
        # Before its first event there is no position to go on from, only the beginning.
        position = self.reader.position
        self.reader.resume()
        return session.stream_events(position, from_beginning=not position, recover_gaps=recovers_gaps(session))

    async def _replace_session(self) -> EventStream:
        # No way back from here: the next attempt is a new session, too.
        self._is_set_up = False
        self.writes.lose("the session was lost during the write; its outcome is unknown")
        if self.session is not None:
            try:
                await self.session.close()
                self.session = None
            except MxGatewayError as error:
                _logger.info("the lost session could not be closed: %s", error)
        return await self._connect()

    # ------------------------------------------------------------------------------------------------------- reading

    async def _read(self, batches: ReadAhead, session: SessionPort) -> None:
        # Before its first event a new stream may lack what no stream had.
        is_first = not self.reader.position
        async for batch in batches:
            if self.items.is_complete:
                # A session that ends before it has all tags may do so again.
                self._backoff.reset()
            self._stream_stands()
            await self._take(batch, batches, session, is_first)
            is_first = False
            self._changed.notify()

    async def _take(self, batch: Batch, batches: ReadAhead, session: SessionPort, is_first: bool) -> None:
        events, start = iter(batch.events), batch.replayed
        for event in islice(events, start):
            await self._take_one(event, True, batch.received, batches, session, is_first)
        while True:
            changes, other = self.reader.live_changes(batch.events, start, events, batch.received)
            if not self.queue.put_all(changes):
                for change in changes:
                    self._put(change)
            if other is None:
                return
            await self._take_one(other, False, batch.received, batches, session, is_first)
            start += len(changes) + 1

    async def _take_one(
        self,
        event: pb.MxEvent,
        is_replayed: bool,
        received: Timestamp | None,
        batches: ReadAhead,
        session: SessionPort,
        is_first: bool,
    ) -> None:
        reader = self.reader
        if event.HasField("replay_gap"):
            await self._gap(event.replay_gap, batches, session, is_first)
        elif event.origin == pb.MX_EVENT_ORIGIN_RECOVERED:
            # It moves no position.
            if (recovered := reader.change(event, False, received)) is not None:
                self._put(recovered)
        elif not reader.is_new(event):
            return
        elif event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
            is_replayed = is_replayed or event.origin == pb.MX_EVENT_ORIGIN_REPLAYED
            change = reader.change(event, is_replayed, received)
            if change is not None:
                self._put(change)
        elif event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE and self.items.tag_of(event) is not None:
            self.writes.complete(event)

    async def _gap(self, gap: pb.ReplayGap, batches: ReadAhead, session: SessionPort, is_first: bool) -> None:
        """Counts changes that were lost, and reads the current values where they may be newer than what comes.

        A gateway that recovers gaps sends them by itself, right behind this.
        """
        is_conflated = session.backpressure_policy == pb.BACKPRESSURE_POLICY_CONFLATE
        results: Iterable[tuple[str, pb.BulkReadResult]] = ()
        if self.reader.has_to_read(gap, is_first=is_first, is_conflated=is_conflated):
            if not recovers_gaps(session):
                results = (await batches.during(self.items.read(session))).items()
            # Among what was lost may be completions, and the next one of an item could be that of an earlier write.
            self.items.renew(self.writes.lose("events were lost during the write; its outcome is unknown"))
        # Only now: when the reading breaks off, the stream is resumed before the gap and tells of it again.
        self.queue.lose(self.reader.lose(gap))
        for tag, result in results:
            if result.was_successful and tag in self.items:
                self._put(self.reader.read_again(tag, result))

    def _items_added(self) -> None:
        """Further tags are in the session; what came of them before that was known becomes changes."""
        if not self._is_set_up:
            self._is_set_up = True
            if self._stands:
                self.new_sessions += 1
                self.reader.gaps += 1
        self._take_turn()
        # They are older than a gap that was met meanwhile.
        lost_later = self.queue.take_lost()
        for lost, change in self.reader.early_changes():
            self.queue.lose(lost)
            if change is not None:
                self._put(change)
        self.queue.lose(lost_later)
        self._changed.notify()

    def _put(self, change: DataChange) -> None:
        if warning := self.queue.put(change):
            _logger.warning("%s", warning)


def recovers_gaps(session: SessionPort) -> bool:
    """Whether the gateway itself sends the current values after a gap."""
    return CAPABILITY_RECOVERED_VALUES in session.capabilities


def _first_of(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
