"""Deliveries as messages: what protobuf itself would have made of them, and one copy for all streams of a session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.event_chunks import chunk

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.events.messages import batch_message
from mxgateway_server.events.subscriber import Delivery, ResumeGap


@pytest.mark.parametrize("received_ns", [0, 5, 1_700_000_000_000_000_000, 1_700_000_000_123_456_789])
@pytest.mark.parametrize("facts", [{}, {"total_dropped": 7}, {"dropped": 3, "total_dropped": 7}, {"replayed": 2}])
@pytest.mark.parametrize("chunks", [1, 2])
def test_a_batch_says_what_its_delivery_says(received_ns: int, facts: dict[str, int], chunks: int) -> None:
    parts = tuple(replace(chunk(1 + 2 * n, 2), received_ns=received_ns) for n in range(chunks))
    batch = pb.MxEventBatch.FromString(batch_message(Delivery(chunks=parts, **facts), "session-x", 99))
    assert [event.worker_sequence for event in batch.events] == list(range(1, 1 + 2 * chunks))
    assert batch.gateway_receive_timestamp.ToNanoseconds() == received_ns
    assert (batch.dropped_events, batch.total_dropped_events, batch.replayed_events) == (
        facts.get("dropped", 0),
        facts.get("total_dropped", 0),
        facts.get("replayed", 0),
    )


def test_streams_that_are_sent_the_same_events_share_one_message() -> None:
    """Fifty streams of a session would else copy each batch fifty times; what only one of them has is its own."""
    same, next_one = chunk(1, 3), chunk(4, 1)
    whole = batch_message(Delivery(chunks=(same,)), "session-x", 5)
    assert batch_message(Delivery(chunks=(same,)), "session-x", 6) is whole
    gap = batch_message(Delivery(chunks=(same,), gap=ResumeGap(0, 1)), "session-x", 7)
    lost = batch_message(Delivery(chunks=(same,), dropped=1, total_dropped=1), "session-x", 7)
    assert len({whole, gap, lost}) == 3
    assert batch_message(Delivery(chunks=(next_one,)), "session-x", 5) != whole
    assert batch_message(Delivery(chunks=(same,)), "session-x", 5) == whole
