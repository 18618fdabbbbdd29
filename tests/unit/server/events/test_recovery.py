"""After a gap a stream that asked for it gets the last values first, and its older events are marked as such."""

from __future__ import annotations

import pytest
from tests.support.event_chunks import chunk, event

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import split_events
from mxgateway_server.events.messages import batch_message, event_messages
from mxgateway_server.events.recovery import LastValues, Recovery
from mxgateway_server.events.subscriber import CONFLATE, DROP_OLDEST, FAIL_FAST, Delivery, Policy, ResumeGap

GAP = ResumeGap(3, 10)
LIVE, REPLAYED = pb.MX_EVENT_ORIGIN_LIVE, pb.MX_EVENT_ORIGIN_REPLAYED
RECOVERED = pb.MX_EVENT_ORIGIN_RECOVERED


def last_value(item: int) -> bytes:
    return pb.MxEvent(family=1, session_id="session-x", item_handle=item, origin=RECOVERED).SerializeToString()


def parsed(delivery: Delivery) -> list[pb.MxEvent]:
    return [pb.MxEvent.FromString(each) for one in delivery.chunks for each in split_events(one.data)]


@pytest.mark.parametrize("policy", [FAIL_FAST, DROP_OLDEST, CONFLATE])
def test_values_are_sent_again_where_they_may_be_newer_than_what_comes(policy: Policy) -> None:
    is_conflated = policy == CONFLATE
    lost = Delivery(chunks=(chunk(10),), dropped=4)
    assert not Recovery(policy).is_due(Delivery(chunks=(chunk(1),)))
    assert Recovery(policy).is_due(Delivery(chunks=(chunk(10),), gap=GAP))
    assert Recovery(policy).is_due(lost), "what a stream lost before it began was not replaced"
    later = Recovery(policy)
    later.is_due(Delivery(chunks=(chunk(1),)))
    assert later.is_due(lost) is not is_conflated
    assert later.is_due(Delivery(chunks=(chunk(10),), gap=GAP))


def test_what_is_new_and_whole_goes_out_as_it_is() -> None:
    recovery = Recovery(CONFLATE)
    assert recovery.passes(Delivery(chunks=(chunk(1),)))
    for more in ({"gap": GAP}, {"dropped": 4}, {"replayed": 1}):
        assert not recovery.passes(Delivery(chunks=(chunk(10),), **more))  # type: ignore[arg-type]
    assert not recovery.is_due(Delivery(chunks=(chunk(10),), dropped=4)), "it is not the stream's first any more"


@pytest.mark.parametrize(("dropped", "lost"), [(0, 6), (4, 4)])
def test_the_gap_the_values_and_what_follows_come_in_this_order(dropped: int, lost: int) -> None:
    delivery = Delivery(chunks=(chunk(10, 3),), gap=GAP, dropped=dropped, total_dropped=dropped, replayed=3)
    recovery = Recovery(FAIL_FAST)
    before, following = recovery.recovered(delivery, LastValues((last_value(1), last_value(2)), 11), now_ns=5)
    batch = pb.MxEventBatch.FromString(batch_message(before, "session-x", 5))
    assert [each.HasField("replay_gap") for each in batch.events] == [True, False, False]
    assert [(each.origin, each.lost_before) for each in batch.events[1:]] == [(RECOVERED, lost), (RECOVERED, 0)]
    assert (batch.dropped_events, batch.replayed_events) == (dropped, 1)
    assert (following.gap, following.dropped) == (None, 0)
    events = parsed(recovery.marked(following))
    assert [(each.worker_sequence, each.origin) for each in events] == [(10, REPLAYED), (11, REPLAYED), (12, REPLAYED)]


def test_events_up_to_the_time_of_the_values_are_marked_in_whatever_deliveries_they_come() -> None:
    recovery = Recovery(FAIL_FAST)
    recovery.recovered(Delivery(chunks=(), gap=GAP), LastValues((), 13), now_ns=5)
    first = recovery.marked(Delivery(chunks=(chunk(10, 2), chunk(12, 4))))
    assert [each.origin for each in parsed(first)] == [REPLAYED] * 4 + [LIVE] * 2
    assert not recovery.passes(Delivery(chunks=(chunk(13, 2),)))
    assert recovery.passes(Delivery(chunks=(chunk(16, 2),)))


def test_what_comes_from_the_ring_is_marked_without_a_gap_too() -> None:
    recovery = Recovery(FAIL_FAST)
    marked = recovery.marked(Delivery(chunks=(chunk(1, 2), chunk(3, 2)), replayed=3))
    assert [each.origin for each in parsed(marked)] == [REPLAYED] * 3 + [LIVE]


def test_without_advised_items_the_gap_stands_alone() -> None:
    before, _ = Recovery(FAIL_FAST).recovered(Delivery(chunks=(chunk(10),), gap=GAP), LastValues((), 0), now_ns=5)
    (only,) = pb.MxEventBatch.FromString(batch_message(before, "session-x", 5)).events
    assert only.HasField("replay_gap")


def test_single_events_come_in_the_same_order() -> None:
    delivery = Delivery(chunks=(chunk(10, 1),), dropped=4, after_sequence=3)
    before, _ = Recovery(FAIL_FAST).recovered(delivery, LastValues((last_value(1),), 0), now_ns=5)
    gap, value = [pb.MxEvent.FromString(each) for each in event_messages(before, "session-x", 5)]
    assert (gap.replay_gap.oldest_available_sequence, gap.replay_gap.dropped_events) == (10, 4)
    assert (value.origin, value.lost_before, value.worker_sequence) == (RECOVERED, 4, 0)
    assert value.HasField("gateway_receive_timestamp")


def test_events_are_extended_and_not_built_anew() -> None:
    """What the gateway does not know of an event stays in it."""
    recovery = Recovery(FAIL_FAST)
    marked = recovery.marked(Delivery(chunks=(chunk(1, 1),), replayed=1))
    (data,) = split_events(marked.chunks[0].data)
    assert data.startswith(event(1))
