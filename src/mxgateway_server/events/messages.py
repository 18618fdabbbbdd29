"""Deliveries of a stream as message bytes: the events themselves are never parsed or built anew."""

from __future__ import annotations

from collections.abc import Iterator

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_protocol.batches import wrap_event
from mxgateway_protocol.wire import delimited, timestamp
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.events.subscriber import Delivery

# Fields of the contract that are appended as bytes.
_BATCH_RECEIVED = b"\x12"  # MxEventBatch.gateway_receive_timestamp = 2
_BATCH_DROPPED = b"\x18"  # MxEventBatch.dropped_events = 3
_BATCH_TOTAL_DROPPED = b"\x20"  # MxEventBatch.total_dropped_events = 4
_BATCH_REPLAYED = b"\x28"  # MxEventBatch.replayed_events = 5
_EVENT_RECEIVED = b"\x5a"  # MxEvent.gateway_receive_timestamp = 11


def _timestamp(tag: bytes, unix_ns: int) -> bytes:
    return delimited(tag, timestamp(unix_ns))


class _Whole:
    """The message of the chunk that was sent last: streams of one session send the same one, one after the other."""

    __slots__ = ("_chunk", "_message")

    def __init__(self) -> None:
        self._chunk: EventChunk | None = None
        self._message = b""

    def of(self, chunk: EventChunk) -> bytes:
        """The chunk as one MxEventBatch, nothing lost before it and nothing replayed."""
        if chunk is not self._chunk:
            self._message = chunk.data + _timestamp(_BATCH_RECEIVED, chunk.received_ns)
            self._chunk = chunk
        return self._message


_whole = _Whole().of


def _gap_event(session_id: str, requested: int, oldest: int, dropped: int, now_ns: int) -> bytes:
    event = pb.MxEvent(session_id=session_id)
    event.gateway_receive_timestamp.FromNanoseconds(now_ns)
    event.replay_gap.requested_after_sequence = requested
    event.replay_gap.oldest_available_sequence = oldest
    event.replay_gap.dropped_events = dropped
    return event.SerializeToString()


def batch_message(delivery: Delivery, session_id: str, now_ns: int) -> bytes:
    """A delivery as one MxEventBatch."""
    chunks = delivery.chunks
    if len(chunks) == 1 and delivery.gap is None and not (delivery.total_dropped or delivery.replayed):
        return _whole(chunks[0])
    parts: list[bytes] = []
    if delivery.gap is not None:
        gap = delivery.gap
        parts.append(wrap_event(_gap_event(session_id, gap.requested_after, gap.oldest_available, 0, now_ns)))
    parts.append(delivery.data)
    received = chunks[-1].received_ns if chunks else now_ns
    parts.append(_timestamp(_BATCH_RECEIVED, received))
    if delivery.dropped:
        parts.append(_BATCH_DROPPED + varint(delivery.dropped))
    if delivery.total_dropped:
        parts.append(_BATCH_TOTAL_DROPPED + varint(delivery.total_dropped))
    # The gap sentinel is an event of the batch as well, and stands before the replayed ones.
    replayed = delivery.replayed + (delivery.gap is not None)
    if replayed:
        parts.append(_BATCH_REPLAYED + varint(replayed))
    return b"".join(parts)


def event_messages(delivery: Delivery, session_id: str, now_ns: int) -> Iterator[bytes]:
    """A delivery as single MxEvents, a marker in front where events are missing."""
    if delivery.gap is not None:
        yield _gap_event(session_id, delivery.gap.requested_after, delivery.gap.oldest_available, 0, now_ns)
    if delivery.dropped:
        oldest = delivery.chunks[0].first_sequence if delivery.chunks else delivery.after_sequence + 1
        yield _gap_event(session_id, delivery.after_sequence, oldest, delivery.dropped, now_ns)
    for chunk in delivery.chunks:
        received = _timestamp(_EVENT_RECEIVED, chunk.received_ns)
        for event in chunk.events():
            yield event + received
