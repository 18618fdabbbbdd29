"""Ring and streams under one rule: once and in order, or a gap that says how much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.event_chunks import chunk, sequences

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import (
    EventQueueOverflowError,
    GatewayError,
    SequenceUnknownError,
    SubscriberLimitError,
    WorkerProtocolError,
)
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import (
    CONFLATE,
    DISCONNECT_SUBSCRIBER,
    DROP_OLDEST,
    FAIL_FAST,
    Delivery,
    Subscriber,
    SubscriberLimits,
)

BIG = 1 << 20


def hub(
    ring: int = 1024,
    queue: int = 100,
    policy: int = FAIL_FAST,
    subscribers: int = 8,
    *,
    undelivered: int | None = None,
    strict: bool = False,
    retention: float = 0.0,
    max_bytes: int = BIG,
) -> EventHub:
    return EventHub(
        RingLimits(
            delivered_events=ring,
            undelivered_events=queue if undelivered is None else undelivered,
            max_bytes=max_bytes,
            retention=retention,
        ),
        SubscriberLimits(queue, BIG),
        pb.BackpressurePolicy.ValueType(policy),
        subscribers,
        requires_subscriber=strict,
    )


class Woken:
    """Counts wake-ups."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def join(events: EventHub, after: int = 0, policy: int = 0, wake: Woken | None = None) -> Subscriber:
    return events.join(after, pb.BackpressurePolicy.ValueType(policy), wake or Woken())


def take(subscriber: Subscriber, events: int = 10_000, size: int = BIG) -> Delivery:
    delivery = subscriber.take(events, size)
    assert delivery is not None
    return delivery


def test_what_comes_before_the_first_stream_waits_for_it() -> None:
    events = hub()
    events.publish(chunk(1, 5), 0.0)
    first = join(events)
    events.publish(chunk(6, 2), 0.0)
    delivery = take(first)
    assert sequences(delivery.chunks) == [1, 2, 3, 4, 5, 6, 7]
    assert (delivery.dropped, delivery.replayed, delivery.gap) == (0, 0, None)


def test_a_second_fresh_stream_gets_only_what_comes_after_it() -> None:
    events = hub()
    join(events)
    events.publish(chunk(1, 5), 0.0)
    second = join(events)
    events.publish(chunk(6), 0.0)
    assert sequences(take(second).chunks) == [6]


def test_a_fresh_stream_after_a_break_gets_what_came_during_it() -> None:
    events = hub()
    first = join(events)
    events.publish(chunk(1, 3), 0.0)
    events.leave(first)
    events.publish(chunk(4, 2), 0.0)
    assert sequences(take(join(events)).chunks) == [4, 5]


@pytest.mark.parametrize("after", range(1, 10))
def test_a_resumed_stream_goes_on_after_the_event_it_has_without_gap_or_repetition(after: int) -> None:
    events = hub()
    events.leave(join(events))
    for first in (1, 4, 7):
        events.publish(chunk(first, 3), 0.0)
    resumed = join(events, after)
    events.publish(chunk(10, 2), 0.0)
    delivery = take(resumed)
    assert sequences(delivery.chunks) == list(range(after + 1, 12))
    assert delivery.replayed == 9 - after
    assert delivery.gap is None


def test_from_the_beginning_a_stream_gets_what_another_had_but_maybe_never_received() -> None:
    events = hub()
    broken = join(events)
    events.publish(chunk(1, 3), 0.0)
    events.leave(broken)
    events.publish(chunk(4, 2), 0.0)
    delivery = take(events.join(0, FAIL_FAST, Woken(), from_beginning=True))
    assert sequences(delivery.chunks) == [1, 2, 3, 4, 5]
    assert (delivery.replayed, delivery.gap) == (3, None)


def test_a_beginning_that_the_ring_no_longer_has_gives_the_sentinel() -> None:
    events = hub(ring=3)
    join(events)
    for n in range(1, 11):
        events.publish(chunk(n), 0.0)
    delivery = take(events.join(0, FAIL_FAST, Woken(), from_beginning=True))
    assert delivery.gap is not None
    assert (delivery.gap.requested_after, delivery.gap.oldest_available) == (0, 8)
    assert sequences(delivery.chunks) == [8, 9, 10]


def test_a_position_older_than_the_ring_gives_the_sentinel_and_then_all_that_is_left() -> None:
    events = hub(ring=3)
    join(events)
    for n in range(1, 11):
        events.publish(chunk(n), 0.0)
    delivery = take(join(events, 2))
    assert delivery.gap is not None
    assert (delivery.gap.requested_after, delivery.gap.oldest_available) == (2, 8)
    assert sequences(delivery.chunks) == [8, 9, 10]
    # The sentinel comes once, at the head.
    subscriber = join(events, 2)
    assert take(subscriber, 1).gap is not None
    assert take(subscriber).gap is None
    # What the sentinel advises has no gap.
    again = take(join(events, delivery.gap.oldest_available - 1))
    assert again.gap is None
    assert sequences(again.chunks) == [8, 9, 10]


def test_the_sentinel_comes_even_when_nothing_is_left_to_replay() -> None:
    events = hub(ring=0)
    join(events)
    events.publish(chunk(1, 5), 0.0)
    delivery = take(join(events, 2))
    assert delivery.gap is not None
    assert delivery.gap.oldest_available == 6
    assert delivery.chunks == ()


def test_resuming_from_the_last_event_has_no_gap_even_without_a_ring() -> None:
    events = hub(ring=0)
    join(events)
    events.publish(chunk(1, 5), 0.0)
    resumed = join(events, 5)
    events.publish(chunk(6), 0.0)
    delivery = take(resumed)
    assert delivery.gap is None
    assert sequences(delivery.chunks) == [6]


def test_a_position_in_the_future_is_refused() -> None:
    events = hub()
    events.publish(chunk(1), 0.0)
    with pytest.raises(SequenceUnknownError):
        join(events, 2)


def test_without_streams_the_oldest_go_and_the_next_stream_learns_how_many() -> None:
    events = hub(undelivered=4)
    for n in range(1, 11):
        assert events.publish(chunk(n), 0.0) is None
    delivery = take(join(events))
    assert sequences(delivery.chunks) == [7, 8, 9, 10]
    assert (delivery.dropped, delivery.total_dropped) == (6, 6)


def test_what_the_worker_dropped_counts_although_the_events_behind_it_had_to_go_too() -> None:
    events = hub(undelivered=2)
    events.publish(chunk(1), 0.0)
    events.publish(chunk(12, 1, dropped=10), 0.0)
    for n in (13, 14, 15):
        events.publish(chunk(n), 0.0)
    delivery = take(join(events))
    assert sequences(delivery.chunks) == [14, 15]
    assert delivery.dropped == 13, "1, the ten of the worker, 12 and 13"


def test_the_strict_option_faults_a_session_that_nobody_reads() -> None:
    events = hub(undelivered=2, strict=True)
    assert events.publish(chunk(1, 2), 0.0) is None
    error = events.publish(chunk(3), 0.0)
    assert error is not None
    assert "require_subscriber" in str(error)


def test_what_the_worker_dropped_is_counted_in_every_stream() -> None:
    events = hub()
    first, second = join(events), join(events)
    events.publish(chunk(11, 1, dropped=10), 0.0)
    for subscriber in (first, second):
        delivery = take(subscriber)
        assert (delivery.dropped, delivery.total_dropped) == (10, 10)


def test_fail_fast_faults_the_session_of_a_single_slow_stream() -> None:
    events = hub(queue=3)
    slow = join(events)
    assert events.publish(chunk(1, 3), 0.0) is None
    error = events.publish(chunk(4), 0.0)
    assert isinstance(error, EventQueueOverflowError)
    assert slow.error is error


def test_fail_fast_ends_only_the_slow_one_of_several_streams() -> None:
    events = hub(queue=3)
    slow, quick = join(events), join(events)
    events.publish(chunk(1, 3), 0.0)
    take(quick)
    assert events.publish(chunk(4), 0.0) is None
    assert isinstance(slow.error, EventQueueOverflowError)
    assert sequences(take(quick).chunks) == [4]


def test_disconnect_ends_the_slow_stream_and_the_session_goes_on() -> None:
    events = hub(queue=3, policy=DISCONNECT_SUBSCRIBER)
    slow = join(events)
    events.publish(chunk(1, 3), 0.0)
    assert events.publish(chunk(4), 0.0) is None
    assert slow.is_ended
    assert isinstance(slow.error, EventQueueOverflowError)
    assert sequences(take(join(events, 3)).chunks) == [4]


def test_drop_oldest_drops_as_few_as_it_must_and_counts_them() -> None:
    events = hub(queue=5, policy=DROP_OLDEST)
    slow = join(events)
    events.publish(chunk(1, 4), 0.0)
    events.publish(chunk(5, 3), 0.0)
    delivery = take(slow)
    assert sequences(delivery.chunks) == [3, 4, 5, 6, 7]
    assert (delivery.dropped, delivery.total_dropped, delivery.after_sequence) == (2, 2, 0)
    events.publish(chunk(8, 9), 0.0)
    delivery = take(slow)
    assert sequences(delivery.chunks) == [12, 13, 14, 15, 16]
    assert (delivery.dropped, delivery.total_dropped, delivery.after_sequence) == (4, 6, 7)


def test_conflate_keeps_the_latest_of_each_item_in_the_order_of_their_sequences() -> None:
    events = hub(policy=CONFLATE)
    slow = join(events)
    events.publish(chunk(1, 4, items=2), 0.0)
    events.publish(chunk(5, 1, items=1), 0.0)
    delivery = take(slow)
    assert sequences(delivery.chunks) == [4, 5]
    assert (delivery.dropped, delivery.total_dropped) == (3, 3)


def test_conflate_never_replaces_anything_but_data_changes() -> None:
    events = hub(policy=CONFLATE)
    slow = join(events)
    events.publish(chunk(1, 3, family=pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE), 0.0)
    events.publish(chunk(4, 3), 0.0)
    delivery = take(slow)
    assert sequences(delivery.chunks) == [1, 2, 3, 6]
    assert delivery.dropped == 2


def test_conflate_ends_a_stream_whose_distinct_events_do_not_fit() -> None:
    events = hub(queue=3, policy=CONFLATE)
    slow = join(events)
    join(events)
    assert events.publish(chunk(1, 4, family=pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE), 0.0) is None
    assert isinstance(slow.error, EventQueueOverflowError)


def test_conflate_counts_what_the_worker_dropped_once() -> None:
    events = hub(policy=CONFLATE)
    slow = join(events)
    events.publish(chunk(6, 3, dropped=5), 0.0)
    delivery = take(slow)
    assert sequences(delivery.chunks) == [8]
    assert (delivery.dropped, delivery.total_dropped) == (7, 7)


def test_conflate_respects_the_bounds_of_a_delivery() -> None:
    events = hub(policy=CONFLATE)
    subscriber = join(events)
    events.publish(chunk(1, 6, items=6), 0.0)
    size = len(chunk(1, 1).data)
    assert sequences(take(subscriber, 2).chunks) == [1, 2]
    assert sequences(take(subscriber, 100, 2 * size).chunks) == [3, 4]
    assert sequences(take(subscriber, 100, 1).chunks) == [5]
    assert sequences(take(subscriber).chunks) == [6]


@pytest.mark.parametrize(
    ("policy", "expected", "replayed"),
    [(FAIL_FAST, [2, 3, 4, 5, 6], 3), (DROP_OLDEST, [4, 5, 6], 1), (CONFLATE, [3, 5, 6], 1)],
)
def test_only_what_comes_from_the_ring_is_marked_as_replayed(policy: int, expected: list[int], replayed: int) -> None:
    events = hub(queue=3 if policy == DROP_OLDEST else 100)
    first = join(events)
    events.publish(chunk(1, 4, items=3), 0.0)
    take(first)
    resumed = join(events, 1, policy)
    events.publish(chunk(5, 2, items=2), 0.0)
    delivery = take(resumed)
    if policy == CONFLATE:
        # Items 1, 2, 3, 1 and then 1, 2: what replaced a replayed event is not replayed itself.
        assert delivery.dropped == 2
    assert sequences(delivery.chunks) == expected
    assert delivery.replayed == replayed
    events.publish(chunk(7), 0.0)
    assert take(resumed).replayed == 0


def test_a_chunk_that_is_longer_than_the_queue_goes_into_an_empty_one_only() -> None:
    events = hub(queue=3)
    subscriber = join(events)
    assert events.publish(chunk(1, 10), 0.0) is None
    assert sequences(take(subscriber).chunks) == list(range(1, 11))
    events.publish(chunk(11), 0.0)
    assert events.publish(chunk(12, 3), 0.0) is not None


def test_a_stream_may_have_a_policy_of_its_own() -> None:
    events = hub(queue=2)
    dropping = join(events, policy=DROP_OLDEST)
    assert events.publish(chunk(1, 5), 0.0) is None
    assert sequences(take(dropping).chunks) == [4, 5]


def test_a_delivery_respects_the_bounds_of_count_and_bytes() -> None:
    events = hub()
    subscriber = join(events)
    events.publish(chunk(1, 10), 0.0)
    events.publish(chunk(11, 10), 0.0)
    size = len(chunk(1, 10).data) // 10
    assert sequences(take(subscriber, 3).chunks) == [1, 2, 3]
    assert sequences(take(subscriber, 100, 9 * size).chunks) == list(range(4, 13))
    assert sequences(take(subscriber, 100, 1).chunks) == [13]
    assert sequences(take(subscriber).chunks) == list(range(14, 21))
    assert subscriber.take(10, 10) is None


def test_an_untouched_chunk_is_passed_on_as_the_very_object() -> None:
    events = hub()
    subscriber = join(events)
    made = chunk(1, 100)
    events.publish(made, 0.0)
    assert take(subscriber).data is made.data


def test_a_stream_is_woken_once_for_what_waits_together_and_again_when_it_was_empty() -> None:
    events = hub()
    woken = Woken()
    subscriber = join(events, wake=woken)
    events.publish(chunk(1), 0.0)
    events.publish(chunk(2), 0.0)
    assert woken.times == 1
    take(subscriber)
    events.publish(chunk(3), 0.0)
    assert woken.times == 2


def test_the_number_of_streams_is_limited_and_leaving_twice_is_harmless() -> None:
    events = hub(subscribers=1)
    first = join(events)
    with pytest.raises(SubscriberLimitError, match="allow_multiple_event_subscribers"):
        join(events)
    events.leave(first)
    events.leave(first)
    join(events)


def test_the_end_with_an_error_is_at_once_and_without_one_after_what_waits() -> None:
    events = hub()
    subscriber = join(events)
    events.publish(chunk(1), 0.0)
    events.end(None)
    assert (subscriber.is_ended, subscriber.error) == (True, None)
    assert sequences(take(subscriber).chunks) == [1]
    late = join(events)
    assert late.is_ended
    error = GatewayError("x")
    other = hub()
    failing = join(other)
    other.end(error)
    assert failing.error is error


@pytest.mark.parametrize("first", [1, 3, 5])
def test_sequences_that_do_not_increase_are_a_violation(first: int) -> None:
    events = hub()
    events.publish(chunk(1, 5), 0.0)
    with pytest.raises(WorkerProtocolError):
        events.publish(chunk(first, 3), 0.0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 7), st.integers(0, 2)),
        st.tuples(st.just("join"), st.sampled_from([FAIL_FAST, DISCONNECT_SUBSCRIBER, DROP_OLDEST]), st.just(0)),
        st.tuples(st.just("resume"), st.integers(0, 40), st.sampled_from([DISCONNECT_SUBSCRIBER, DROP_OLDEST])),
        st.tuples(st.just("take"), st.integers(0, 3), st.integers(1, 9)),
        st.tuples(st.just("leave"), st.integers(0, 3), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_every_event_comes_once_in_order_or_is_counted(steps: list[tuple[str, int, int]]) -> None:
    events = hub(ring=6, queue=10, undelivered=8, subscribers=4)
    last = 0
    lost_in_worker: dict[int, int] = {}
    open_streams: list[tuple[Subscriber, dict[str, int]]] = []

    def drain(subscriber: Subscriber, state: dict[str, int], bound: int = 10_000) -> None:
        delivery = subscriber.take(bound, BIG)
        if delivery is None:
            return
        seen = sequences(delivery.chunks)
        if delivery.gap is not None:
            assert delivery.gap.requested_after == state["at"]
            state["at"] = delivery.gap.oldest_available - 1
        if not seen:
            return
        # Holes are exactly what is counted: events dropped here, and those the worker said it dropped.
        expected = set(range(state["at"] + 1, seen[-1] + 1))
        assert seen == sorted(seen)
        assert set(seen) <= expected
        assert len(expected - set(seen)) == delivery.dropped
        state["at"] = seen[-1]

    for action, a, b in steps:
        if action == "publish":
            # The worker gives numbers to what it drops, too.
            lost_in_worker[last + 1] = b
            made = chunk(last + 1 + b, a, dropped=b)
            last = made.last_sequence
            if events.publish(made, 0.0) is not None:
                return
        elif action == "join" and len(events.subscribers) < 4:
            state = {"at": events.ring.delivered_through}
            before = events.ring._lost
            subscriber = join(events, policy=a)
            # A fresh stream also answers for what was lost before anyone read.
            state["at"] -= before
            open_streams.append((subscriber, state))
        elif action == "resume" and len(events.subscribers) < 4 and 0 < a <= last:
            if any(first <= a < first + dropped for first, dropped in lost_in_worker.items()):
                continue
            open_streams.append((join(events, a, b), {"at": a}))
        elif action == "take" and a < len(open_streams):
            drain(*open_streams[a], b)
        elif action == "leave" and a < len(open_streams):
            events.leave(open_streams.pop(a)[0])
    for subscriber, state in open_streams:
        if subscriber.error is None:
            while subscriber.waiting:
                drain(subscriber, state)
            assert state["at"] == last or subscriber not in events.subscribers
