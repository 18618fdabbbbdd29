"""What waits for one stream of events, and what happens when the stream is too slow."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import wrap_event
from mxgateway_server.errors import EventQueueOverflowError, GatewayError
from mxgateway_server.events.chunks import EventChunk, EventHead, read_head

Policy: TypeAlias = pb.BackpressurePolicy.ValueType

FAIL_FAST = pb.BACKPRESSURE_POLICY_FAIL_FAST
DISCONNECT_SUBSCRIBER = pb.BACKPRESSURE_POLICY_DISCONNECT_SUBSCRIBER
DROP_OLDEST = pb.BACKPRESSURE_POLICY_DROP_OLDEST
CONFLATE = pb.BACKPRESSURE_POLICY_CONFLATE


@dataclass(frozen=True, slots=True)
class SubscriberLimits:
    """Bounds of one stream's queue.

    Attributes:
        max_events: events that may wait.
        max_bytes: bytes that may wait.
    """

    max_events: int = 10_000
    max_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ResumeGap:
    """A resumed stream cannot begin where it was asked to."""

    requested_after: int
    oldest_available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a stream sends next.

    Attributes:
        chunks: the events, in order.
        gap: first delivery of a resumed stream whose position is too old.
        dropped: events lost or replaced since the previous delivery.
        total_dropped: the same since the stream began.
        after_sequence: the last sequence that this stream had before these events.
        replayed: how many of the events come from the replay ring.
    """

    chunks: tuple[EventChunk, ...]
    gap: ResumeGap | None = None
    dropped: int = 0
    total_dropped: int = 0
    after_sequence: int = 0
    replayed: int = 0

    @property
    def count(self) -> int:
        return sum(chunk.count for chunk in self.chunks)

    @property
    def data(self) -> bytes:
        """All events as elements of an MxEventBatch; the very object of the worker when it is one chunk."""
        if len(self.chunks) == 1:
            return self.chunks[0].data
        return b"".join(chunk.data for chunk in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamIdentity:
    """Whose a stream is.

    Attributes:
        kind: `events` for single ones, `batches`, or what else reads the session's events.
        key_id: the key that opened it.
        peer: the connection that it runs on, as gRPC names it.
        since: when it began, on the monotonic clock.
    """

    kind: str = ""
    key_id: str = ""
    peer: str = ""
    since: float = 0.0


NOBODY = StreamIdentity()


class Subscriber:
    """The queue of one stream.

    A policy that allows no loss is relaxed while items are added, when each brings a first value at once: a queue that
    is full then keeps the latest change of each item, counts what it replaces, and goes back to the policy once it is
    read empty.

    `wake` is called when something was put into an empty queue or the stream was ended; it must not block. `delivered`
    counts the events that were taken.
    """

    def __init__(
        self,
        policy: Policy,
        limits: SubscriberLimits,
        wake: Callable[[], None],
        identity: StreamIdentity = NOBODY,
    ) -> None:
        self.identity = identity
        self.delivered = 0
        self.policy = policy
        self.limits = limits
        self._wake = wake
        self._queue: deque[EventChunk] = deque()
        self._latest: OrderedDict[tuple[int, int, int], EventChunk] = OrderedDict()
        self._is_conflating = policy == CONFLATE
        # Events among the conflated ones that nothing replaces.
        self._others = 0
        self._count = 0
        self._bytes = 0
        self._dropped = 0
        self._total_dropped = 0
        self._replayed_through = 0
        self._gap: ResumeGap | None = None
        self._last_taken = 0
        # What ends the stream now, and what ends it once nothing waits any more.
        self.error: GatewayError | None = None
        self.final_error: GatewayError | None = None
        self.is_ended = False

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return self._count

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    @property
    def total_dropped(self) -> int:
        """Events that it lost so far."""
        return self._total_dropped

    def begin(self, chunks: list[EventChunk], after: int, replayed: int, dropped: int, gap: ResumeGap | None) -> None:
        """Fills the queue of a new stream: the part of its past that it gets, before anything live."""
        self._last_taken = after
        self._gap = gap
        self._count_drop(dropped)
        for chunk in chunks:
            self._put(chunk)
            if replayed > 0:
                self._replayed_through = chunk.first_sequence + min(replayed, chunk.count) - 1
                replayed -= chunk.count

    def offer(self, chunk: EventChunk, *, while_adding: bool = False) -> bool:
        """Takes live events; False when they do not fit and the policy allows no loss.

        Args:
            while_adding: whether items are being added to the session.
        """
        if self.is_ended:
            return True
        was_empty = not self._count and self._gap is None
        if self.policy == DROP_OLDEST:
            self._put(chunk)
            self._drop_excess()
            fits = True
        elif self._is_conflating:
            self._put(chunk)
            fits = self._fits_conflated()
        else:
            over = self._count + chunk.count > self.limits.max_events
            if not self._count or not (over or self._bytes + len(chunk.data) > self.limits.max_bytes):
                self._put(chunk)
                fits = True
            elif while_adding:
                self._begin_to_conflate()
                self._put(chunk)
                fits = self._fits_conflated()
            else:
                return False
        if was_empty:
            self._wake()
        return fits

    def end(self, error: GatewayError | None, *, drains: bool = False) -> None:
        """Ends the stream: with an error at once, without one or with `drains` after what waits."""
        if self.is_ended:
            return
        self.is_ended = True
        self.final_error = error
        if not drains:
            self.error = error
        self._wake()

    def overflow(self) -> EventQueueOverflowError:
        """The error of a full queue, with its depth and the remedy."""
        return EventQueueOverflowError(
            f"{self._count} events ({self._bytes} bytes) wait for this stream and its bounds are "
            f"{self.limits.max_events} events and {self.limits.max_bytes} bytes (settings events.queue_capacity and "
            "events.queue_max_bytes); read faster, or choose the policy drop_oldest or conflate"
        )

    def take(self, max_events: int, max_bytes: int) -> Delivery | None:
        """The next events, up to the bounds (one event may be longer); None when nothing waits."""
        gap = self._gap
        if not self._count and gap is None:
            return None
        self._gap = None
        if self._is_conflating:
            chunks = self._take_latest(max_events, max_bytes)
            self._is_conflating = self.policy == CONFLATE or bool(self._latest)
        else:
            chunks = self._take_queue(max_events, max_bytes)
        self.delivered += sum([chunk.count for chunk in chunks])
        dropped = self._dropped + sum(chunk.dropped_before for chunk in chunks)
        self._total_dropped += dropped - self._dropped
        self._dropped = 0
        through = self._replayed_through
        replayed = 0
        if chunks and chunks[0].first_sequence <= through:
            replayed = sum(max(0, min(chunk.count, through - chunk.first_sequence + 1)) for chunk in chunks)
        delivery = Delivery(
            chunks=tuple(chunks),
            gap=gap,
            dropped=dropped,
            total_dropped=self._total_dropped,
            after_sequence=self._last_taken,
            replayed=replayed,
        )
        if chunks:
            self._last_taken = chunks[-1].last_sequence
        return delivery

    def _fits_conflated(self) -> bool:
        if self._bytes > self.limits.max_bytes:
            return False
        # While items are added each of them has a place beyond the bound; whatever else waits does not.
        counted = self._count if self.policy == CONFLATE else self._others
        return counted <= self.limits.max_events

    def _begin_to_conflate(self) -> None:
        waiting, self._queue = self._queue, deque()
        self._count = self._bytes = self._others = 0
        self._is_conflating = True
        for chunk in waiting:
            self._conflate(chunk)

    def _put(self, chunk: EventChunk) -> None:
        if self._is_conflating:
            self._conflate(chunk)
            return
        self._queue.append(chunk)
        self._count += chunk.count
        self._bytes += len(chunk.data)

    def _count_drop(self, events: int) -> None:
        self._dropped += events
        self._total_dropped += events

    def _drop_excess(self) -> None:
        limits = self.limits
        while len(self._queue) > 1 or self._count > limits.max_events:
            excess = self._count - limits.max_events
            oldest = self._queue[0]
            if self._bytes > limits.max_bytes and len(self._queue) > 1:
                excess = max(excess, oldest.fit(self._bytes - limits.max_bytes) + 1)
            if excess <= 0:
                return
            self._queue.popleft()
            if excess < oldest.count:
                oldest, rest = oldest.split(excess)
                self._queue.appendleft(rest)
            self._count -= oldest.count
            self._bytes -= len(oldest.data)
            self._count_drop(oldest.count + oldest.dropped_before)

    def _take_queue(self, max_events: int, max_bytes: int) -> list[EventChunk]:
        taken: list[EventChunk] = []
        queue = self._queue
        events, size = max_events, max_bytes
        while queue and events > 0:
            chunk = queue[0]
            fitting = min(events, chunk.fit(size))
            if not fitting:
                if taken:
                    break
                fitting = 1
            if fitting < chunk.count:
                chunk, queue[0] = chunk.split(fitting)
            else:
                queue.popleft()
            taken.append(chunk)
            events -= chunk.count
            size -= len(chunk.data)
            self._count -= chunk.count
            self._bytes -= len(chunk.data)
        return taken

    def _conflate(self, chunk: EventChunk) -> None:
        sequence = chunk.first_sequence
        self._count_drop(chunk.dropped_before)
        for event in chunk.events():
            head: EventHead = read_head(event)
            if head.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                key = (head.server_handle, head.item_handle, 0)
                replaced = self._latest.pop(key, None)
                if replaced is not None:
                    self._count -= 1
                    self._bytes -= len(replaced.data)
                    self._count_drop(1)
            else:
                # Only data changes may be replaced; everything else keeps a place of its own.
                key = (0, 0, sequence)
                self._others += 1
            single = EventChunk(first_sequence=sequence, count=1, data=wrap_event(event), received_ns=chunk.received_ns)
            self._latest[key] = single
            self._count += 1
            self._bytes += len(single.data)
            sequence += 1

    def _take_latest(self, max_events: int, max_bytes: int) -> list[EventChunk]:
        taken: list[EventChunk] = []
        size = 0
        while self._latest and len(taken) < max_events:
            key, chunk = next(iter(self._latest.items()))
            if taken and size + len(chunk.data) > max_bytes:
                break
            del self._latest[key]
            self._others -= key[2] > 0
            taken.append(chunk)
            size += len(chunk.data)
            self._count -= 1
            self._bytes -= len(chunk.data)
        return taken


@dataclass(frozen=True, slots=True)
class Overflow:
    """A stream that could not take its events."""

    subscriber: Subscriber = field(repr=False)
    was_alone: bool
