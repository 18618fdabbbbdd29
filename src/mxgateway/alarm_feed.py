"""A feed of alarms: the list kept whole, and what happens to it, over broken connections and restarts."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import Enum

from mxgateway.alarm_catching_up import CatchingUp
from mxgateway.alarm_model import Alarm, AlarmGap, AlarmProviderChanged, AlarmsSynced, AlarmState
from mxgateway.alarm_position import AlarmPosition, position_of
from mxgateway.alarm_queue import AlarmOverflow, AlarmQueue
from mxgateway.alarm_reader import AlarmEvent, AlarmReader
from mxgateway.broadcast import Broadcast
from mxgateway.calls import Calls
from mxgateway.errors import (
    MxGatewayError,
    MxGatewayOverflowError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
)
from mxgateway.owned_task import OwnedTask
from mxgateway.reconnecting import Backoff, is_transient
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_logger = logging.getLogger(__name__)


class AlarmFeedState(Enum):
    """How good the list of a feed is.

    CONNECTING: there is none yet.
    SYNCED: it is the plant's.
    DEGRADED: likewise, told by watched attributes, since the alarm manager does not answer.
    UNCERTAIN: the gateway has no provider now: it is the last known.
    RECONNECTING: the gateway cannot be reached: it is the last known.
    CLOSED: the feed has ended.
    """

    CONNECTING = "connecting"
    SYNCED = "synced"
    DEGRADED = "degraded"
    UNCERTAIN = "uncertain"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


class AlarmFeed:
    """Alarms as they are, and what happens to them: `async for` gives AlarmChange, AlarmGap, AlarmsSynced and
    AlarmProviderChanged.

    Made by `client.alarms.watch()`; use it with `async with`. The list in `active` is brought up to date whether or not
    the feed is iterated. When the connection breaks it is made anew and goes on where it was; when that is not
    possible, an AlarmGap says so and the difference follows as changes of the origin RECONCILE, so that whoever looks
    at changes alone is never wrong.
    """

    def __init__(
        self,
        calls: Calls,
        request: pb.StreamAlarmsRequest,
        *,
        queue_size: int,
        overflow: AlarmOverflow,
        reconnect: bool,
        patient: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._calls = calls
        self._request = request
        # Whose changes since then have not been told yet.
        self._after = request.resume_after if request.HasField("resume_after") else None
        self._waiting = AlarmQueue(queue_size, overflow, self._after)
        self._reconnect = reconnect
        self._is_patient = patient
        self._is_answered = False
        self._sleep = sleep
        self._backoff = Backoff(jitter)
        self._reader = AlarmReader()
        self._news = Broadcast()
        self._task = OwnedTask()
        self._state = AlarmFeedState.CONNECTING
        self._error: MxGatewayError | None = None
        self._last_interruption: MxGatewayError | None = None
        self._takes_batches = True
        self._is_begun = False
        self._is_closed = False

    @property
    def conflated(self) -> int:
        """Changes that a newer one of the same alarm has replaced because nobody took them."""
        return self._waiting.conflated

    @property
    def active(self) -> Mapping[str, Alarm]:
        """The list: reference → alarm, in no particular order. Not to be changed."""
        return {alarm.reference: alarm for alarm in self._reader.alarms.values()}

    @property
    def state(self) -> AlarmFeedState:
        """How good the list is now."""
        return self._state

    @property
    def provider(self) -> AlarmProviderChanged | None:
        """Who tells the gateway the alarms, as it was told last; None before the gateway has said so."""
        return self._reader.provider

    @property
    def last_interruption(self) -> MxGatewayError | None:
        """Why the connection was lost the last time; None when it never was."""
        return self._last_interruption

    @property
    def position(self) -> AlarmPosition | None:
        """The place in the gateway's log up to which everything has been taken, for `watch(after=…)`; None before the
        first list.

        It is that of the list at the beginning, and moves with the events that are taken: who keeps it after having
        dealt with each of them misses nothing in another run. It moves in steps, so that run may tell some again.
        """
        found = self._waiting.taken
        return None if found is None else position_of(found)

    def active_by_priority(self) -> list[Alarm]:
        """The list, the most urgent first, and of equal ones the oldest."""
        return sorted(
            self._reader.alarms.values(),
            key=lambda alarm: (alarm.priority, alarm.raised.timestamp() if alarm.raised else 0.0, alarm.key),
        )

    def find(self, reference: str) -> Alarm | None:
        """The alarm of this full reference, without case; None when it is not in the list."""
        return self._reader.alarms.get(reference.casefold())

    async def state_changes(self) -> AsyncIterator[AlarmFeedState]:
        """The state now and after each change, until the feed has ended."""
        self._task.check_loop()
        told: AlarmFeedState | None = None
        while told is not AlarmFeedState.CLOSED:
            await self._news.wait_until(lambda: self._state is not told)  # noqa: B023 - looked at within this turn
            told = self._state
            yield told

    async def wait_for(self, reference: str, state: AlarmState | None, timeout: float = 30.0) -> Alarm | None:
        """Waits until an alarm is in this state, and gives it; with None until it is not in the list.

        Args:
            reference: its full reference, without case.
            timeout: seconds.

        Raises:
            MxGatewayTimeoutError: it did not come to that in time.
            MxGatewayError: the feed has ended.
        """

        def is_there() -> bool:
            found = self.find(reference)
            return found is None if state is None else found is not None and found.state is state

        self._check_begun()
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait_until(lambda: self._is_over or (self._reader.is_synced and is_there()))
        except TimeoutError:
            wanted = "gone" if state is None else state.name
            found = self.find(reference)
            now = "not in the list" if found is None else found.state.name
            raise MxGatewayTimeoutError(f"{reference} is {now} and was not {wanted} within {timeout:g} s") from None
        if not is_there():
            self._raise_end()
        return self.find(reference)

    async def aclose(self) -> None:
        """Ends the feed. Idempotent."""
        self._is_closed = True
        await self._task.stop()
        self._set_state(AlarmFeedState.CLOSED)

    async def __aenter__(self) -> AlarmFeed:
        if self._is_closed:
            self._raise_end()
        self._task.check_loop()
        if not self._is_begun:
            self._is_begun = True
            self._task.start(self._run(), "alarm feed")
        try:
            await self._news.wait_until(self._has_begun)
        except BaseException:
            await self.aclose()
            raise
        if self._error is not None:
            await self.aclose()
            raise self._error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AlarmFeed:
        return self

    async def __anext__(self) -> AlarmEvent:
        self._check_begun()
        await self._news.wait_until(lambda: len(self._waiting) > 0 or self._is_over)
        if len(self._waiting):
            return self._waiting.take()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def next_event(self, timeout: float | None = None) -> AlarmEvent:
        """The next that happens.

        Args:
            timeout: seconds to wait for it; None for no limit.

        Raises:
            TimeoutError: nothing has happened within that time.
            StopAsyncIteration: the feed is closed.
            MxGatewayError: it has ended.
        """
        async with asyncio.timeout(timeout):
            return await self.__anext__()

    def __repr__(self) -> str:
        return f"<AlarmFeed {self._state.value} {len(self._reader.alarms)} alarms>"

    # --------------------------------------------------------------------------------------------------------- details

    @property
    def _is_over(self) -> bool:
        return self._is_closed or self._error is not None

    def _has_begun(self) -> bool:
        provider = self._reader.provider
        # A gateway without a provider has no list to wait for.
        is_whole = self._reader.is_synced and self._after is None
        return self._is_over or is_whole or (provider is not None and provider.uncertain)

    def _check_begun(self) -> None:
        if not self._is_begun and not self._is_closed:
            raise MxGatewayTransportError("the alarm feed has not begun; use it with `async with`")
        self._task.check_loop()

    def _raise_end(self) -> None:
        raise self._error or MxGatewayTransportError("the alarm feed is closed; watch() makes another")

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._read_stream()
                    ended: MxGatewayError = MxGatewayTransportError("StreamAlarms: the gateway ended the stream")
                except MxGatewayError as error:
                    ended = error
                if self._takes_batches and _has_no_batches(ended):
                    self._takes_batches = False
                    continue
                if not self._may_go_on(ended):
                    raise ended
                self._last_interruption = ended
                self._set_state(AlarmFeedState.RECONNECTING)
                await self._sleep(self._backoff.delay(ended))
        except MxGatewayError as error:
            self._error = error
            self._set_state(AlarmFeedState.CLOSED)
        except Exception as error:
            _logger.exception("an alarm feed has failed")
            self._error = MxGatewayError(f"the alarm feed failed: {type(error).__name__}: {error}")
            self._error.__cause__ = error
            self._set_state(AlarmFeedState.CLOSED)

    def _may_go_on(self, error: MxGatewayError) -> bool:
        if not self._reconnect or isinstance(error, MxGatewayOverflowError):
            return False
        if not (self._is_answered or self._is_patient):
            # Who has a wrong address wants to know it, and not wait.
            return False
        ended_by_gateway = type(error) is MxGatewayTransportError and not self._calls.is_closed
        return ended_by_gateway or is_transient(error)

    async def _read_stream(self) -> None:
        position = self._reader.position
        self._reader.begin(resumed=position is not None)
        async with aclosing(self._stream(position)) as stream:
            async for messages, at in stream:
                await self._take(messages, at)

    async def _stream(
        self, after: pb.AlarmPosition | None
    ) -> AsyncGenerator[tuple[Sequence[pb.AlarmFeedMessage], pb.AlarmPosition | None], None]:
        """The messages of one stream as they come together, and the position after them."""
        request = pb.StreamAlarmsRequest()
        request.CopyFrom(self._request)
        request.ClearField("resume_after")
        request.snapshot = pb.ALARM_SNAPSHOT_MODE_FULL
        if after is not None:
            request.resume_after.CopyFrom(after)
            request.snapshot = pb.ALARM_SNAPSHOT_MODE_ON_GAP
        if self._takes_batches:
            async with self._calls.stream_alarm_batches(request) as batches:
                async for batch in batches:
                    yield batch.messages, batch.at if batch.HasField("at") else None
        else:
            async with self._calls.stream_alarms(request) as messages:
                async for message in messages:
                    yield (message,), message.at if message.HasField("at") else None

    async def _take(self, messages: Sequence[pb.AlarmFeedMessage], at: pb.AlarmPosition | None) -> None:
        self._is_answered = True
        events = [event for message in messages for event in self._reader.read(message)]
        if at is not None:
            self._reader.position = at
        if self._after is not None and self._reader.is_synced:
            await self._catch_up(self._after)
            # What else is in these messages has been told by now.
            events = [AlarmsSynced(len(self._reader.alarms))]
        for event in events:
            self._waiting.put(event)
        if self._reader.is_synced and self._reader.position is not None:
            self._waiting.reached(self._reader.position)
        self._backoff.reset()
        self._settle()
        self._news.notify()

    async def _catch_up(self, after: pb.AlarmPosition) -> None:
        """Tells what has happened between a position that the caller has and the list that is there now."""
        catching_up = CatchingUp(self._reader.position)
        # Until that is told, a stream that breaks begins with the list anew.
        self._reader.position = None
        if catching_up.is_over():
            self._waiting.put_all([AlarmGap("unsupported", 0)])
        else:
            async with aclosing(self._stream(after)) as stream:
                async for messages, at in stream:
                    # All of them have to wait, as nobody can take one before the list is there.
                    self._waiting.put_all(catching_up.take(messages, at))
                    if catching_up.is_over():
                        break
                    if at is not None:
                        self._waiting.reached(at)
                    self._after = at or self._after
                else:
                    raise MxGatewayTransportError("StreamAlarms: the gateway ended the stream")
        self._reader.position = catching_up.cut
        self._after = None

    def _settle(self) -> None:
        provider = self._reader.provider
        if not self._reader.is_synced:
            return
        if provider is not None and provider.uncertain:
            self._set_state(AlarmFeedState.UNCERTAIN)
        elif provider is not None and provider.degraded:
            self._set_state(AlarmFeedState.DEGRADED)
        else:
            self._set_state(AlarmFeedState.SYNCED)

    def _set_state(self, state: AlarmFeedState) -> None:
        if self._state is not state:
            self._state = state
        self._news.notify()


def _has_no_batches(error: MxGatewayError) -> bool:
    return error.grpc_code is not None and error.grpc_code.name == "UNIMPLEMENTED"
