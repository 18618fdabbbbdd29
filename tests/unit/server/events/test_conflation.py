"""What a client may rely on under `conflate`: whatever was dropped was replaced by a younger value that comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.event_chunks import event

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import join_events, split_events
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import CONFLATE, Delivery, SubscriberLimits
from mxgateway_worker.event_queue import EventQueue, Policy

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(1, 4)),
        st.tuples(st.just("forward"), st.integers(1, 5)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("break"), st.just(0)),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_the_newest_change_of_each_item_comes_over_worker_gateway_and_breaks(steps: list[tuple[str, int]]) -> None:
    """From the worker's queue through ring and stream, also a resumed one: nothing but older values is ever dropped,
    so reading the tags again after such a drop could tell nothing new."""
    worker = EventQueue(Policy.CONFLATE, lambda: None, lambda reason: None)
    hub = EventHub(
        RingLimits(delivered_events=10_000, undelivered_events=10_000, max_bytes=1 << 20, retention=0.0),
        SubscriberLimits(10_000, 1 << 20),
        CONFLATE,
        2,
    )
    stream = hub.join(0, CONFLATE, lambda: None)
    made: dict[int, int] = {}
    got: dict[int, int] = {}
    last = number = 0

    def forward(most: int) -> None:
        batch = worker.take_batch(most, 1 << 20)
        if batch is not None:
            hub.publish(
                EventChunk(
                    first_sequence=batch.first_sequence,
                    count=batch.count,
                    data=batch.data,
                    received_ns=1,
                    dropped_before=batch.dropped_before,
                ),
                0.0,
            )

    def received(delivery: Delivery | None) -> None:
        nonlocal last
        if delivery is None:
            return
        assert delivery.gap is None
        for data in (data for chunk in delivery.chunks for data in split_events(chunk.data)):
            taken = pb.MxEvent.FromString(data)
            assert taken.worker_sequence > last
            last = taken.worker_sequence
            # Never back to an older value of the item.
            assert taken.quality > got.get(taken.item_handle, 0)
            got[taken.item_handle] = taken.quality

    for what, amount in [*steps, ("forward", 10_000), ("take", 10_000)]:
        if what == "change":
            number += 1
            made[amount] = number
            worker.put(changed(amount, number), amount, True)
        elif what == "forward":
            forward(amount)
        elif what == "take":
            received(stream.take(amount, 1 << 20))
        else:
            hub.leave(stream)
            stream = hub.join(last, CONFLATE, lambda: None, from_beginning=not last)
    assert got == made


def changed(item: int, number: int) -> bytes:
    made = pb.MxEvent.FromString(event(0, item))
    made.ClearField("worker_sequence")
    made.quality = number
    return made.SerializeToString()


def test_the_model_of_this_test_drops() -> None:
    """The property above would hold for a queue that never drops."""
    worker = EventQueue(Policy.CONFLATE, lambda: None, lambda reason: None)
    for number in (1, 2, 3):
        worker.put(changed(1, number), 1, True)
    batch = worker.take_batch(10, 1 << 20)
    assert batch is not None
    hub = EventHub(
        RingLimits(delivered_events=10, undelivered_events=10, max_bytes=1 << 20, retention=0.0),
        SubscriberLimits(10, 1 << 20),
        CONFLATE,
        2,
    )
    stream = hub.join(0, CONFLATE, lambda: None)
    hub.publish(
        EventChunk(first_sequence=1, count=1, data=batch.data, received_ns=1, dropped_before=batch.dropped_before), 0.0
    )
    hub.publish(
        EventChunk(first_sequence=2, count=1, data=join_events([event(2)]), received_ns=1, dropped_before=0), 0.0
    )
    delivery = stream.take(10, 1 << 20)
    assert delivery is not None
    assert (delivery.count, delivery.dropped) == (1, 3)
