"""A stream that is not read while items are added: their first values wait for it, the latest of each, and no session
fails because of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.event_chunks import event, sequences

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import join_events
from mxgateway_protocol.contract import CALM_AFTER_ADDING
from mxgateway_server.errors import EventQueueOverflowError
from mxgateway_server.events.chunks import EventChunk, read_head
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import DISCONNECT_SUBSCRIBER, FAIL_FAST, Policy, Subscriber, SubscriberLimits

QUEUE = 10
COMPLETES = pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE


def hub(policy: Policy = FAIL_FAST, max_bytes: int = 1 << 20) -> EventHub:
    limits = SubscriberLimits(QUEUE, max_bytes)
    return EventHub(RingLimits(delivered_events=0, undelivered_events=0), limits, policy, 4)


def items(first: int, *handles: int, family: int = 1) -> EventChunk:
    data = join_events([event(first + place, handle, family) for place, handle in enumerate(handles)])
    return EventChunk(first_sequence=first, count=len(handles), data=data, received_ns=1)


def read(stream: Subscriber) -> list[tuple[int, int]]:
    """Everything that waits: sequence and item of each."""
    found = []
    while (delivery := stream.take(1000, 1 << 20)) is not None:
        numbers = sequences(list(delivery.chunks))
        handles = [read_head(each).item_handle for part in delivery.chunks for each in part.events()]
        found += list(zip(numbers, handles, strict=True))
    return found


@pytest.mark.parametrize("policy", [FAIL_FAST, DISCONNECT_SUBSCRIBER])
def test_first_values_beyond_the_bound_wait_while_items_are_added(policy: Policy) -> None:
    one = hub(policy)
    stream = one.join(0, 0, lambda: None)
    one.begin_adding()
    handles = range(1, 5 * QUEUE + 1)
    for handle in handles:
        assert one.publish(items(handle, handle), 1.0) is None
    assert one.subscribers == (stream,)
    assert read(stream) == [(handle, handle) for handle in handles]
    assert stream.total_dropped == 0


def test_of_an_item_that_changes_meanwhile_the_latest_value_waits_and_the_others_are_counted() -> None:
    one = hub()
    stream = one.join(0, 0, lambda: None)
    one.begin_adding()
    for first in range(1, 101, 4):
        assert one.publish(items(first, 1, 2, 3, 4), 1.0) is None
    assert read(stream) == [(97, 1), (98, 2), (99, 3), (100, 4)]
    assert stream.total_dropped == 96


def test_what_is_no_data_change_is_never_replaced_and_stays_bounded() -> None:
    one = hub()
    stream = one.join(0, 0, lambda: None)
    one.begin_adding()
    assert one.publish(items(1, *range(1, 21)), 1.0) is None
    assert one.publish(items(21, *[1] * QUEUE, family=COMPLETES), 1.0) is None
    assert len(read(stream)) == 20 + QUEUE
    assert one.publish(items(31, *range(1, 21)), 1.0) is None
    assert one.publish(items(51, *[1] * QUEUE, family=COMPLETES), 1.0) is None
    error = one.publish(items(61, 1, family=COMPLETES), 1.0)
    assert isinstance(error, EventQueueOverflowError)


def test_the_bound_in_bytes_holds_while_items_are_added_too() -> None:
    one = hub(max_bytes=1000)
    one.join(0, 0, lambda: None)
    one.begin_adding()
    errors = [one.publish(items(handle, handle), 1.0) for handle in range(1, 101)]
    assert isinstance(next(error for error in errors if error is not None), EventQueueOverflowError)


def test_what_commands_brought_may_come_a_while_after_them() -> None:
    one = hub()
    one.join(0, 0, lambda: None)
    one.begin_adding()
    one.end_adding(100.0)
    assert one.publish(items(1, *range(1, QUEUE + 1)), 100.0) is None
    assert one.publish(items(11, *range(11, 31)), 100.0 + CALM_AFTER_ADDING - 0.1) is None


def test_a_stream_that_is_not_read_later_on_fails_as_its_policy_says() -> None:
    one = hub()
    stream = one.join(0, 0, lambda: None)
    one.begin_adding()
    one.publish(items(1, *range(1, 41)), 100.0)
    one.publish(items(41, *range(1, 41)), 100.0)
    one.end_adding(100.0)
    assert len(read(stream)) == 40
    later = 100.0 + CALM_AFTER_ADDING
    assert one.publish(items(81, *range(1, QUEUE + 1)), later) is None
    assert isinstance(one.publish(items(91, 1), later), EventQueueOverflowError)


def test_without_items_being_added_nothing_is_replaced() -> None:
    one = hub()
    stream = one.join(0, 0, lambda: None)
    assert one.publish(items(1, *[1] * QUEUE), 1.0) is None
    assert isinstance(one.publish(items(11, 1), 1.0), EventQueueOverflowError)
    assert stream.error is not None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(1, 30)),
        st.tuples(st.just("complete"), st.integers(1, 3)),
        st.tuples(st.just("take"), st.integers(1, 7)),
    ),
    max_size=120,
)


@given(STEPS)
def test_the_newest_change_of_each_item_comes_in_order_whenever_the_stream_is_read(
    steps: list[tuple[str, int]],
) -> None:
    one = hub()
    stream = one.join(0, 0, lambda: None)
    one.begin_adding()
    sent: dict[int, int] = {}
    got: list[tuple[int, int]] = []
    sequence = delivered = 0
    for kind, number in steps:
        if kind == "take":
            delivery = stream.take(number, 1 << 20)
            if delivery is not None:
                handles = [read_head(each).item_handle for part in delivery.chunks for each in part.events()]
                got += zip(sequences(list(delivery.chunks)), handles, strict=True)
                delivered += delivery.dropped
            continue
        sequence += 1
        if one.publish(items(sequence, number, family=1 if kind == "change" else COMPLETES), 1.0) is not None:
            return
        if kind == "change":
            sent[number] = sequence
    while (delivery := stream.take(1000, 1 << 20)) is not None:
        handles = [read_head(each).item_handle for part in delivery.chunks for each in part.events()]
        got += zip(sequences(list(delivery.chunks)), handles, strict=True)
        delivered += delivery.dropped
    assert [number for number, _ in got] == sorted({number for number, _ in got})
    assert len(got) + delivered == sequence
    newest = set(sent.values())
    assert newest <= {number for number, _ in got}
