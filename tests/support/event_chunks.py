"""Chunks of small events for the tests of ring, subscribers and hub."""

from __future__ import annotations

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import join_events, split_events
from mxgateway_server.events.chunks import EventChunk


def event(sequence: int, item: int = 1, family: int = pb.MX_EVENT_FAMILY_ON_DATA_CHANGE) -> bytes:
    return pb.MxEvent(
        family=pb.MxEventFamily.ValueType(family),
        session_id="session-x",
        server_handle=1,
        item_handle=item,
        worker_sequence=sequence,
    ).SerializeToString()


def chunk(first: int, count: int = 1, dropped: int = 0, items: int = 1, family: int = 1) -> EventChunk:
    events = [event(first + n, n % items + 1, family) for n in range(count)]
    return EventChunk(
        first_sequence=first, count=count, data=join_events(events), received_ns=1_000 + first, dropped_before=dropped
    )


def sequences(chunks: list[EventChunk] | tuple[EventChunk, ...]) -> list[int]:
    """The sequences in the bytes, checked against what the chunks say of themselves."""
    found = []
    for one in chunks:
        inside = [pb.MxEvent.FromString(data).worker_sequence for data in split_events(one.data)]
        assert inside == list(range(one.first_sequence, one.last_sequence + 1))
        found += inside
    return found
