"""Event batches as bytes: a serialised MxEventBatch is the plain concatenation of its length-delimited events.

So a batch can be cut, joined and extended without parsing an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# Field 1 of MxEventBatch, length-delimited.
EVENT_TAG = b"\x0a"


def varint(value: int) -> bytes:
    """The protobuf varint of a number ≥ 0."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def wrap_event(event: bytes) -> bytes:
    """A serialised MxEvent as one element of a serialised MxEventBatch."""
    return EVENT_TAG + varint(len(event)) + event


def join_events(events: Iterable[bytes]) -> bytes:
    """Serialised MxEvents as a serialised MxEventBatch."""
    return b"".join(map(wrap_event, events))


def split_events(batch: bytes) -> Iterator[bytes]:
    """The serialised MxEvents of a serialised MxEventBatch that holds nothing but events.

    Raises:
        ValueError: the bytes are no such batch.
    """
    position, end = 0, len(batch)
    while position < end:
        if batch[position] != EVENT_TAG[0]:
            raise ValueError(f"not an event at byte {position} of the batch")
        position += 1
        length = shift = 0
        while True:
            if position >= end or shift > 28:
                raise ValueError("an event's length is cut off")
            byte = batch[position]
            position += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if position + length > end:
            raise ValueError("the last event is cut off")
        yield batch[position : position + length]
        position += length


def count_events(batch: bytes) -> int:
    """How many events a batch holds."""
    return sum(1 for _ in split_events(batch))
