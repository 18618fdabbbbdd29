"""Event batches as bytes: a serialised MxEventBatch is the plain concatenation of its length-delimited events.

So a batch can be cut, joined and extended without parsing an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mxgateway_contract.varints import read_varint, varint

# Field 1 of MxEventBatch, length-delimited.
EVENT_TAG = b"\x0a"


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
        try:
            length, position = read_varint(batch, position + 1)
        except IndexError:
            raise ValueError("an event's length is cut off") from None
        if position + length > end:
            raise ValueError("the last event is cut off")
        yield batch[position : position + length]
        position += length


def count_events(batch: bytes) -> int:
    """How many events a batch holds."""
    return sum(1 for _ in split_events(batch))
