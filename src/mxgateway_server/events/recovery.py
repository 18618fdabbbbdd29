"""What a stream gets after a gap, when it asked for that: the last change of each advised item, then what it lacks.

Without I/O: deliveries and the worker's last values in, deliveries out. Events are extended, never built anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_protocol.batches import join_events
from mxgateway_protocol.wire import key
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.events.subscriber import CONFLATE, Delivery, Policy

_REPLAYED = key(pb.MxEvent.ORIGIN_FIELD_NUMBER, 0) + varint(pb.MX_EVENT_ORIGIN_REPLAYED)
_LOST_BEFORE = key(pb.MxEvent.LOST_BEFORE_FIELD_NUMBER, 0)


@dataclass(frozen=True, slots=True)
class LastValues:
    """The last change of each advised item.

    Attributes:
        events: serialised MxEvents, marked as recovered.
        as_of_sequence: events up to this worker_sequence are older.
    """

    events: tuple[bytes, ...]
    as_of_sequence: int


class Recovery:
    """One stream's part.

    Args:
        policy: of the stream.
    """

    def __init__(self, policy: Policy) -> None:
        self._is_conflating = policy == CONFLATE
        self._is_first = True
        self._older_through = 0

    def passes(self, delivery: Delivery) -> bool:
        """Whether a delivery goes out as it is: nothing was lost before it, and all of it is new."""
        if delivery.gap is not None or delivery.dropped or delivery.replayed:
            return False
        self._is_first = False
        return delivery.chunks[0].first_sequence > self._older_through

    def is_due(self, delivery: Delivery) -> bool:
        """Whether current values may be newer than what comes: events were lost before it.

        Under `conflate` what was dropped was replaced by a younger change of its item, which is in the stream; what was
        lost before the stream began was not.
        """
        is_first, self._is_first = self._is_first, False
        return delivery.gap is not None or bool(delivery.dropped and (is_first or not self._is_conflating))

    def recovered(self, delivery: Delivery, values: LastValues, now_ns: int) -> tuple[Delivery, Delivery]:
        """The gap with the values, and the events behind it, as two deliveries."""
        self._older_through = values.as_of_sequence
        gap = delivery.gap
        lost = delivery.dropped or (max(gap.oldest_available - gap.requested_after - 1, 0) if gap is not None else 0)
        events = list(values.events)
        if events and lost:
            events[0] += _LOST_BEFORE + varint(lost)
        chunks: tuple[EventChunk, ...] = ()
        if events:
            # They have no sequence; this one says where what follows them begins.
            oldest = delivery.chunks[0].first_sequence if delivery.chunks else delivery.after_sequence + 1
            data = join_events(events)
            chunks = (EventChunk(first_sequence=oldest, count=len(events), data=data, received_ns=now_ns),)
        before = replace(delivery, chunks=chunks, replayed=0)
        return before, replace(delivery, gap=None, dropped=0)

    def marked(self, delivery: Delivery) -> Delivery:
        """The delivery with its replayed events marked as such, and those that are older than recovered values."""
        replayed = delivery.replayed
        chunks = []
        for chunk in delivery.chunks:
            older = max(replayed, self._older_through - chunk.first_sequence + 1)
            if older > 0:
                events = [event + _REPLAYED if at < older else event for at, event in enumerate(chunk.events())]
                chunk = replace(chunk, data=join_events(events))
            replayed -= chunk.count
            chunks.append(chunk)
        return replace(delivery, chunks=tuple(chunks))
