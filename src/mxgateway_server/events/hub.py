"""One session's events: the replay ring and the streams that read from it, joined under one rule.

A stream gets from the past what is in the ring when it joins, and live everything after; both happen in one step, so
there is neither a gap nor a repetition between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mxgateway_protocol.contract import CALM_AFTER_ADDING
from mxgateway_server.errors import (
    EventQueueOverflowError,
    GatewayError,
    SequenceUnknownError,
    SubscriberLimitError,
    WorkerProtocolError,
)
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.events.kept import KeptHub
from mxgateway_server.events.ring import EventRing, RingLimits
from mxgateway_server.events.subscriber import (
    FAIL_FAST,
    NOBODY,
    Overflow,
    Policy,
    ResumeGap,
    StreamIdentity,
    Subscriber,
    SubscriberLimits,
)


@dataclass(frozen=True, slots=True)
class HubTotals:
    """Events of a session's streams so far, ended ones included.

    Attributes:
        delivered: handed to a stream to be sent.
        dropped: lost by a stream's queue, by its policy.
        unread: lost while nobody read.
        overflows: streams that were ended because they were too slow.
    """

    delivered: int = 0
    dropped: int = 0
    unread: int = 0
    overflows: int = 0


class EventHub:
    """Fans the events of a session out. Single-threaded; `now` is a monotonic time in seconds."""

    def __init__(
        self,
        ring: RingLimits,
        subscriber: SubscriberLimits,
        policy: Policy,
        max_subscribers: int,
        *,
        requires_subscriber: bool = False,
    ) -> None:
        self._ring = EventRing(ring)
        self._subscriber_limits = subscriber
        self._policy = policy
        self._max_subscribers = max_subscribers
        self._requires_subscriber = requires_subscriber
        self._subscribers: list[Subscriber] = []
        self._ended: tuple[GatewayError | None, bool] | None = None
        self._adding = 0
        self._added_until = 0.0
        # Ended, and perhaps not read to their end.
        self._draining: list[Subscriber] = []
        self._left = HubTotals()
        self._lost_unread = 0
        self._overflows = 0

    def begin_adding(self) -> None:
        """A command that brings first values is under way."""
        self._adding += 1

    def end_adding(self, now: float) -> None:
        """It has ended; what it brought may still be on its way, and the next one may follow."""
        self._adding -= 1
        self._added_until = now + CALM_AFTER_ADDING

    def keep(self, now: float) -> KeptHub:
        """All that outlives its streams, to be handed on."""
        totals = self.totals
        return KeptHub(
            policy=self._policy,
            ring=self._ring.keep(now),
            calm=max(0.0, self._added_until - now),
            delivered=totals.delivered,
            dropped=totals.dropped,
            unread=totals.unread,
            overflows=totals.overflows,
        )

    def resume(self, kept: KeptHub, limits: RingLimits, now: float) -> None:
        """Takes over what another program's hub has kept; before anything is published or joins."""
        self._ring = EventRing.resumed(limits, kept.ring, now)
        self._added_until = now + kept.calm
        self._left = HubTotals(delivered=kept.delivered, dropped=kept.dropped)
        self._lost_unread, self._overflows = kept.unread, kept.overflows

    @property
    def is_draining(self) -> bool:
        """Whether a stream that has been ended has not delivered all yet."""
        return bool(self._draining)

    def end_streams(self, error: GatewayError) -> None:
        """Ends every stream, after what waits for it; others may join."""
        subscribers, self._subscribers = self._subscribers, []
        self._draining += subscribers
        for subscriber in subscribers:
            subscriber.end(error, drains=True)

    @property
    def ring(self) -> EventRing:
        return self._ring

    @property
    def policy(self) -> Policy:
        """The session's policy, for streams that name none."""
        return self._policy

    @property
    def totals(self) -> HubTotals:
        """What has become of the session's events so far."""
        left, now = self._left, (*self._subscribers, *self._draining)
        return HubTotals(
            delivered=left.delivered + sum([each.delivered for each in now]),
            dropped=left.dropped + sum([each.total_dropped for each in now]),
            unread=self._lost_unread,
            overflows=self._overflows,
        )

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        return tuple(self._subscribers)

    def publish(self, chunk: EventChunk, now: float) -> EventQueueOverflowError | None:
        """Hands new events to the ring and to every stream.

        Returns:
            The error with which the session must be faulted: policy fail_fast and its only stream is full, or the
            strict option is on and nobody reads. Other full streams are ended and the session goes on.

        Raises:
            WorkerProtocolError: the sequence does not increase.
        """
        if chunk.first_sequence <= self._ring.last_sequence or chunk.count < 1:
            raise WorkerProtocolError(
                f"events {chunk.first_sequence} to {chunk.last_sequence} came after {self._ring.last_sequence}"
            )
        subscribers = self._subscribers
        lost = self._ring.append(chunk, bool(subscribers), now)
        self._lost_unread += lost
        while_adding = self._adding > 0 or now < self._added_until
        overflows = [
            Overflow(subscriber, len(subscribers) == 1)
            for subscriber in subscribers
            if not subscriber.offer(chunk, while_adding=while_adding)
        ]
        for overflow in overflows:
            self._overflows += 1
            error = overflow.subscriber.overflow()
            self.leave(overflow.subscriber)
            overflow.subscriber.end(error)
            if overflow.was_alone and overflow.subscriber.policy == FAIL_FAST:
                return error
        if lost and self._requires_subscriber:
            return EventQueueOverflowError(
                f"nobody reads this session's events and {lost} were dropped (setting "
                "events.require_subscriber is on); open a stream before advising"
            )
        return None

    def join(
        self,
        after_sequence: int,
        policy: Policy,
        wake: Callable[[], None],
        limits: SubscriberLimits | None = None,
        *,
        from_beginning: bool = False,
        identity: StreamIdentity = NOBODY,
    ) -> Subscriber:
        """Begins a stream.

        Args:
            after_sequence: 0 for a fresh stream, which gets what no stream has had yet and then all that comes; else
                the last event that the caller has.
            policy: what happens when it is slow; 0 for the session's.
            wake: see Subscriber.
            limits: bounds of its queue, when not the session's.
            from_beginning: resumes before the first event; `after_sequence` is 0 then.
            identity: whose it is.

        Raises:
            SubscriberLimitError: the session has its number of streams.
            SequenceUnknownError: `after_sequence` lies in the future.
        """
        if len(self._subscribers) >= self._max_subscribers:
            raise SubscriberLimitError(
                f"the session has its {self._max_subscribers} event streams (settings "
                "sessions.allow_multiple_event_subscribers and sessions.max_event_subscribers_per_session)",
                retry_after=1.0,
            )
        ring = self._ring
        if after_sequence > ring.last_sequence:
            raise SequenceUnknownError(
                f"after_worker_sequence {after_sequence} lies beyond the session's last event, {ring.last_sequence}"
            )
        subscriber = Subscriber(policy or self._policy, limits or self._subscriber_limits, wake, identity)
        if after_sequence or from_beginning:
            gap = None
            chunks = ring.after(after_sequence)
            if ring.has_gap_after(after_sequence):
                gap = ResumeGap(after_sequence, ring.oldest_available)
                # What the worker dropped right before the oldest event lies within the gap: not counted twice.
                chunks[:1] = [replace(chunk, dropped_before=0) for chunk in chunks[:1]]
            replayed = sum(chunk.count for chunk in chunks)
            if from_beginning:
                # What no stream had before is no repetition.
                had = ring.delivered_through
                replayed = sum(max(0, min(chunk.count, had - chunk.first_sequence + 1)) for chunk in chunks)
            ring.mark_delivered()
            subscriber.begin(chunks, after_sequence, replayed, 0, gap)
        else:
            after = ring.delivered_through
            chunks = ring.after(after)
            subscriber.begin(chunks, after, 0, ring.mark_delivered(), None)
        if self._ended is not None:
            subscriber.end(self._ended[0], drains=self._ended[1])
        else:
            self._subscribers.append(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Ends a stream's part in the session; calling it again does nothing."""
        for streams in (self._subscribers, self._draining):
            if subscriber in streams:
                streams.remove(subscriber)
                self._count_out(subscriber)

    def end(self, error: GatewayError | None, *, drains: bool = False) -> None:
        """The session is over: every stream ends, see Subscriber.end."""
        if self._ended is not None:
            return
        self._ended = (error, drains)
        subscribers, self._subscribers = self._subscribers, []
        self._draining += subscribers
        for subscriber in subscribers:
            subscriber.end(error, drains=drains)

    def _count_out(self, subscriber: Subscriber) -> None:
        left = self._left
        self._left = replace(
            left,
            delivered=left.delivered + subscriber.delivered,
            dropped=left.dropped + subscriber.total_dropped,
        )

    def expire(self, now: float) -> None:
        """Lets old events go."""
        self._ring.expire(now)
