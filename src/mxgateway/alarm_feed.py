"""A feed of alarms: the list kept whole, and what happens to it, over broken connections and restarts."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from enum import Enum

from mxgateway.alarm_model import Alarm, AlarmChange, AlarmProviderChanged, AlarmState
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


class AlarmOverflow(Enum):
    """What happens when changes are not taken as fast as they come.

    CONFLATE: of each alarm only the newest change waits.
    FAIL: the feed ends with MxGatewayOverflowError.
    """

    CONFLATE = "conflate"
    FAIL = "fail"


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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if queue_size < 1:
            raise ValueError(f"queue_size is {queue_size}, but at least one change has to fit")
        self._calls = calls
        self._request = request
        self._queue_size = queue_size
        self._overflow = overflow
        self._reconnect = reconnect
        self._sleep = sleep
        self._backoff = Backoff(jitter)
        self._reader = AlarmReader()
        self._waiting: deque[AlarmEvent] = deque()
        self._news = Broadcast()
        self._task = OwnedTask()
        self._state = AlarmFeedState.CONNECTING
        self._error: MxGatewayError | None = None
        self._takes_batches = True
        self._is_closed = False
        self.conflated = 0
        """Changes that a newer one of the same alarm has replaced because nobody took them."""

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
    def position(self) -> tuple[str, int] | None:
        """Epoch and sequence of the last change, for `watch(after=…)`; None before the first list."""
        found = self._reader.position
        return None if found is None else (found.epoch, found.sequence)

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
        self._task.check_loop()
        await self._news.wait_until(lambda: bool(self._waiting) or self._is_over)
        if self._waiting:
            return self._waiting.popleft()
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
        return self._is_over or self._reader.is_synced or (provider is not None and provider.uncertain)

    def _raise_end(self) -> None:
        raise self._error or MxGatewayTransportError("the alarm feed is closed")

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
        ended_by_gateway = type(error) is MxGatewayTransportError and not self._calls.is_closed
        return ended_by_gateway or is_transient(error)

    async def _read_stream(self) -> None:
        request = pb.StreamAlarmsRequest()
        request.CopyFrom(self._request)
        position = self._reader.position
        if position is not None:
            request.resume_after.CopyFrom(position)
            request.snapshot = pb.ALARM_SNAPSHOT_MODE_ON_GAP
        self._reader.begin(resumed=position is not None or request.HasField("resume_after"))
        if self._takes_batches:
            async with self._calls.stream_alarm_batches(request) as batches:
                async for batch in batches:
                    self._take(batch.messages, batch.at if batch.HasField("at") else None)
        else:
            async with self._calls.stream_alarms(request) as messages:
                async for message in messages:
                    self._take((message,))

    def _take(self, messages: Iterable[pb.AlarmFeedMessage], at: pb.AlarmPosition | None = None) -> None:
        for message in messages:
            for event in self._reader.read(message):
                self._put(event)
        if at is not None:
            self._reader.position = at
        self._backoff.reset()
        self._settle()
        self._news.notify()

    def _put(self, event: AlarmEvent) -> None:
        self._waiting.append(event)
        if len(self._waiting) <= self._queue_size:
            return
        if self._overflow is AlarmOverflow.FAIL:
            raise MxGatewayOverflowError(
                f"{self._queue_size} changes of alarms wait and the overflow policy is FAIL: the consumer is too slow"
            )
        before = len(self._waiting)
        self._waiting = _conflated(self._waiting)
        self.conflated += before - len(self._waiting)
        # Each alarm has its place, so that not every further change is looked at with all the others.
        self._queue_size = max(self._queue_size, 2 * len(self._waiting))

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


def _conflated(events: deque[AlarmEvent]) -> deque[AlarmEvent]:
    """Of each alarm the newest change, which says what was before the oldest; of the rest the newest of its kind."""
    last: dict[object, int] = {}
    first_before: dict[object, Alarm | None] = {}
    for place, event in enumerate(events):
        key = _key(event)
        last[key] = place
        if isinstance(event, AlarmChange):
            first_before.setdefault(key, event.previous)
    kept: deque[AlarmEvent] = deque()
    for place, event in enumerate(events):
        key = _key(event)
        if last[key] != place:
            continue
        if isinstance(event, AlarmChange) and event.previous is not first_before[key]:
            event = AlarmChange(event.kind, event.alarm, first_before[key], event.sequence, event.origin)
        kept.append(event)
    return kept


def _key(event: AlarmEvent) -> object:
    return event.alarm.key if isinstance(event, AlarmChange) else type(event)
