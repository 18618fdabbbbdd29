"""Streams as plain iterators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from mxgateway._sync.facade import Facade
from mxgateway._sync.loop_thread import LOOP

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway import alarm_feed, channel, events, subscription
    from mxgateway.alarm_feed import AlarmFeedState
    from mxgateway.alarm_model import Alarm, AlarmProviderChanged, AlarmState
    from mxgateway.alarm_position import AlarmPosition
    from mxgateway.alarm_reader import AlarmEvent
    from mxgateway.change_feed import SubscriptionState
    from mxgateway.confirmed_write import WriteOutcome
    from mxgateway.data_change import DataChange
    from mxgateway.errors import MxGatewayError
    from mxgateway.values import MxPython
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

T = TypeVar("T")
MessageT = TypeVar("MessageT")


class BlockingIterator(Generic[T]):
    """A plain iterator over an asynchronous one; each element is asked for when it is wanted, not before."""

    def __init__(self, make: Callable[[], AsyncIterator[T]]) -> None:
        self._source = LOOP.call(make)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return LOOP.run(self._source.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None


class _Stream(Facade[Any]):
    """Ends its gRPC stream on the loop's thread, also when it is merely dropped."""

    def opened(self) -> bool:
        """Waits until the gateway has accepted the call, or has refused it (False), which iterating tells."""
        return bool(self._run(self._async.opened))

    def cancel(self) -> None:
        """Ends the stream at once, also while another thread waits for its next element. Idempotent."""
        self._call(self._async.cancel)

    def close(self) -> None:
        """Ends the stream at once. Idempotent."""
        self.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # The asynchronous stream cancels its call when it is dropped, which only the loop's thread may do.
        if "_async" in self.__dict__:
            LOOP.soon(self._async.cancel)


class ServerStream(_Stream, Generic[MessageT]):
    """A plain iterator over a server stream: the blocking form of `mxgateway.ServerStream`.

    Leaving a `with` block, `close()`, `cancel()` and dropping the object end the gRPC stream, and so does Ctrl+C in
    the thread that waits. That never aborts a COM call in the worker.
    """

    if TYPE_CHECKING:
        _async: channel.ServerStream[MessageT]

    @property
    def correlation_id(self) -> str:
        """Correlation id of the call; empty for a stream of events."""
        return self._async.correlation_id

    @property
    def finished(self) -> bool:
        """Whether the stream has ended, by whatever cause."""
        return self._async.finished

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> MessageT:
        try:
            return self._run(self._async.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None


class EventStream(_Stream):
    """A plain iterator over a session's events: the blocking form of `mxgateway.EventStream`, see there.

    Events that arrived together are handed over together, so taking one of many costs no change of thread. One thread
    takes the events; `cancel()` may be called by any.
    """

    if TYPE_CHECKING:
        _async: events.EventStream

    @classmethod
    def _of(cls, asynchronous: events.EventStream) -> Self:
        stream = super()._of(asynchronous)
        stream._batches = asynchronous.batches()
        stream._waiting = []
        stream._position = 0
        stream._last_sequence = 0
        return stream

    _batches: AsyncIterator[list[pb.MxEvent]]
    _waiting: list[pb.MxEvent]
    _position: int
    _last_sequence: int

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> pb.MxEvent:
        while self._position >= len(self._waiting):
            self._waiting = self._receive()
            self._position = 0
        event = self._waiting[self._position]
        self._position += 1
        received = self._async.gateway_receive_timestamp
        if received is not None:
            event.gateway_receive_timestamp.CopyFrom(received)
        if event.worker_sequence:
            self._last_sequence = event.worker_sequence
        return event

    def batches(self) -> Iterator[list[pb.MxEvent]]:
        """Everything that waits, as one list at a time: the cheapest way to take very many events."""
        while True:
            events = self._waiting[self._position :]
            self._waiting, self._position = [], 0
            if not events:
                try:
                    events = self._receive()
                except StopIteration:
                    return
            if events and events[-1].worker_sequence:
                self._last_sequence = events[-1].worker_sequence
            yield events

    def _receive(self) -> list[pb.MxEvent]:
        try:
            return self._run(self._batches.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def last_worker_sequence(self) -> int:
        """worker_sequence of the youngest event taken from this stream; 0 before the first one."""
        return self._last_sequence

    @property
    def gateway_receive_timestamp(self) -> Timestamp | None:
        """When the gateway received the youngest event of what was received last; None where it sends no batches."""
        return self._async.gateway_receive_timestamp

    @property
    def replayed_events(self) -> int:
        """How many events at the head of what was received last come from the gateway's replay ring."""
        return self._async.replayed_events

    @property
    def dropped_events(self) -> int:
        """Events of this stream that a backpressure policy dropped or replaced, as far as the gateway has said."""
        return self._async.dropped_events


class Subscription(Facade[Any]):
    """Changes of some tags as a plain iterator: the blocking form of `mxgateway.Subscription`, see there.

    A handler runs on the background thread of the library.
    """

    if TYPE_CHECKING:
        _async: subscription.Subscription

    @property
    def tags(self) -> tuple[str, ...]:
        """The references, each once; those that were refused are among them."""
        return self._async.tags

    @property
    def state(self) -> SubscriptionState:
        """Where the subscription stands now."""
        return self._async.state

    @property
    def session_id(self) -> str:
        """The session that it lives in now; empty while there is none."""
        return self._async.session_id

    @property
    def is_simulated(self) -> bool:
        """Whether the values are a simulator's, not a plant's, as the session says that it lives in now."""
        return self._async.is_simulated

    @property
    def error(self) -> MxGatewayError | None:
        """What ended the subscription; None while it runs and after an ordinary end."""
        return self._async.error

    @property
    def failures(self) -> dict[str, str]:
        """Tags that could not be subscribed, with the reason."""
        return self._async.failures

    @property
    def gaps(self) -> int:
        """How often changes were lost between plant and queue."""
        return self._async.gaps

    @property
    def lost(self) -> int:
        """Events of the session that are known to be lost on their way from the gateway."""
        return self._async.lost

    @property
    def interruptions(self) -> int:
        """How often the stream broke."""
        return self._async.interruptions

    @property
    def last_interruption(self) -> MxGatewayError | None:
        """Why the stream broke last, or why it could not be opened again since; None before the first time."""
        return self._async.last_interruption

    @property
    def new_sessions(self) -> int:
        """How often the session was lost and a new one was opened; each time is one of `gaps`."""
        return self._async.new_sessions

    @property
    def dropped(self) -> int:
        """Changes that the overflow policy dropped."""
        return self._async.dropped

    @property
    def waiting(self) -> int:
        """Changes in the queue now."""
        return self._async.waiting

    def states(self) -> Iterator[SubscriptionState]:
        """The state now and each later one, until CLOSED."""
        return BlockingIterator(self._async.states)

    def start(self) -> None:
        """Subscribes the tags; `with` and the first iteration do it by themselves."""
        self._run(self._async.start)

    def add(self, tags: Iterable[str]) -> None:
        """Subscribes further tags; those that are refused stand in `failures`."""
        self._run(lambda: self._async.add(tags))

    def remove(self, tags: Iterable[str]) -> None:
        """Ends the subscription of some tags; no change of theirs is delivered any more."""
        self._run(lambda: self._async.remove(tags))

    def next_change(self, timeout: float | None = None) -> DataChange:
        """The next change, waiting at most `timeout` seconds."""
        try:
            return self._run(lambda: self._async.next_change(timeout))
        except StopAsyncIteration:
            raise StopIteration from None

    def batches(self) -> Iterator[list[DataChange]]:
        """All changes that wait, as one list at a time: the cheapest way to take very many."""
        return BlockingIterator(self._async.batches)

    def wait_closed(self) -> None:
        """Waits until the subscription has ended, and raises the error that ended it."""
        self._run(self._async.wait_closed)

    def write(
        self,
        tag: str,
        value: MxPython | Callable[[pb.MxEvent], MxPython],
        *,
        user_id: int = 0,
        verifier_id: int | None = None,
        timeout: float = 15.0,
    ) -> WriteOutcome:
        """Writes to a subscribed tag and waits for its OnWriteComplete, which comes on the same stream."""
        return self._run(
            lambda: self._async.write(tag, value, user_id=user_id, verifier_id=verifier_id, timeout=timeout)
        )

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> DataChange:
        try:
            return self._run(self._async.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Ends the subscription and removes its items. Idempotent."""
        self._run(self._async.aclose)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AlarmFeed(Facade[Any]):
    """The list of alarms and what happens to it as a plain iterator: the blocking form of `mxgateway.AlarmFeed`."""

    if TYPE_CHECKING:
        _async: alarm_feed.AlarmFeed

    @property
    def active(self) -> Mapping[str, Alarm]:
        """The list: reference → alarm, in no particular order. Not to be changed."""
        return self._async.active

    @property
    def state(self) -> AlarmFeedState:
        """How good the list is now."""
        return self._async.state

    @property
    def provider(self) -> AlarmProviderChanged | None:
        """Who tells the gateway the alarms, as it was told last; None before the gateway has said so."""
        return self._async.provider

    @property
    def last_interruption(self) -> MxGatewayError | None:
        """Why the connection was lost the last time; None when it never was."""
        return self._async.last_interruption

    @property
    def position(self) -> AlarmPosition | None:
        """The place in the gateway's log up to which everything has been taken, for `watch(after=…)`; None before the
        first list.

        It is that of the list at the beginning, and moves with the events that are taken: who keeps it after having
        dealt with each of them misses nothing in another run. It moves in steps, so that run may tell some again.
        """
        return self._async.position

    @property
    def conflated(self) -> int:
        """Changes that a newer one of the same alarm has replaced because nobody took them."""
        return self._async.conflated

    def active_by_priority(self) -> list[Alarm]:
        """The list, the most urgent first, and of equal ones the oldest."""
        return self._async.active_by_priority()

    def find(self, reference: str) -> Alarm | None:
        """The alarm of this full reference, without case; None when it is not in the list."""
        return self._async.find(reference)

    def state_changes(self) -> Iterator[AlarmFeedState]:
        """The state now and after each change, until the feed has ended."""
        return BlockingIterator(self._async.state_changes)

    def wait_for(self, reference: str, state: AlarmState | None, timeout: float = 30.0) -> Alarm | None:
        """Waits until an alarm is in this state, and gives it; with None until it is not in the list.

        Raises:
            MxGatewayTimeoutError: it did not come to that in time.
            MxGatewayError: the feed has ended.
        """
        return self._run(lambda: self._async.wait_for(reference, state, timeout))

    def next_event(self, timeout: float | None = None) -> AlarmEvent:
        """The next that happens.

        Args:
            timeout: seconds to wait for it; None for no limit.

        Raises:
            TimeoutError: nothing has happened within that time.
            StopIteration: the feed is closed.
            MxGatewayError: it has ended.
        """
        try:
            return self._run(lambda: self._async.next_event(timeout))
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Ends the feed. Idempotent."""
        self._run(self._async.aclose)

    def __iter__(self) -> Iterator[AlarmEvent]:
        return self

    def __next__(self) -> AlarmEvent:
        try:
            return self._run(self._async.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> AlarmFeed:
        self._run(self._async.__aenter__)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
