"""Runs of events as the worker sent them: sequence, count and bytes, cut at event boundaries only when it must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mxgateway_contract.varints import read_varint
from mxgateway_protocol.batches import EVENT_TAG, split_events
from mxgateway_server.errors import WorkerProtocolError

_WIRE_VARINT = 0
_WIRE_LEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChunk:
    """Consecutive events, serialised as the elements of an MxEventBatch.

    Attributes:
        first_sequence: worker_sequence of the first event; the others follow without holes.
        count: number of events, ≥ 1.
        data: their bytes; shared, never copied for a subscriber.
        received_ns: when the gateway received them, nanoseconds since 1970 UTC.
        dropped_before: events that the worker dropped right before the first one.
    """

    first_sequence: int
    count: int
    data: bytes = field(repr=False)
    received_ns: int
    dropped_before: int = 0

    @property
    def last_sequence(self) -> int:
        return self.first_sequence + self.count - 1

    def events(self) -> Iterator[bytes]:
        """The serialised MxEvents.

        Raises:
            WorkerProtocolError: the worker sent something else.
        """
        try:
            yield from split_events(self.data)
        except ValueError as error:
            raise WorkerProtocolError(f"the worker sent a batch that is none: {error}") from None

    def split(self, count: int) -> tuple[EventChunk, EventChunk]:
        """The first `count` events (1 ≤ count < self.count) and the others.

        Raises:
            WorkerProtocolError: the worker sent something else.
        """
        position = _skip(self.data, count)
        return (
            EventChunk(
                first_sequence=self.first_sequence,
                count=count,
                data=self.data[:position],
                received_ns=self.received_ns,
                dropped_before=self.dropped_before,
            ),
            EventChunk(
                first_sequence=self.first_sequence + count,
                count=self.count - count,
                data=self.data[position:],
                received_ns=self.received_ns,
            ),
        )

    def fit(self, max_bytes: int) -> int:
        """How many events from the start fit into so many bytes; may be 0.

        Raises:
            WorkerProtocolError: the worker sent something else.
        """
        if len(self.data) <= max_bytes:
            return self.count
        position = fitting = 0
        while True:
            position = _skip_one(self.data, position)
            if position > max_bytes:
                return fitting
            fitting += 1


def _skip_one(data: bytes, position: int) -> int:
    try:
        is_event = data[position] == EVENT_TAG[0]
        length, position = read_varint(data, position + 1)
    except (IndexError, ValueError):
        is_event, length = False, 0
    if not is_event or position + length > len(data):
        raise WorkerProtocolError("the worker sent a batch that is none, or has fewer events than it says")
    return position + length


def _skip(data: bytes, count: int) -> int:
    position = 0
    for _ in range(count):
        position = _skip_one(data, position)
    return position


@dataclass(frozen=True, slots=True)
class EventHead:
    """The first fields of a serialised MxEvent."""

    family: int
    server_handle: int
    item_handle: int


def read_head(event: bytes) -> EventHead:
    """Family and handles, read from the first bytes without parsing the event.

    Fields are serialised in the order of their numbers, so family (1), session_id (2), server_handle (3) and
    item_handle (4) come first; what is missing is 0.

    Raises:
        WorkerProtocolError: it is cut off.
    """
    try:
        return _head(event)
    except (IndexError, ValueError):
        raise WorkerProtocolError("the worker sent an event that is cut off") from None


def _head(event: bytes) -> EventHead:
    position, end = 0, len(event)
    found = [0, 0, 0, 0, 0]
    while position < end:
        tag = event[position]
        number, wire = tag >> 3, tag & 7
        if number > 4 or tag >= 0x80:
            break
        value, position = read_varint(event, position + 1)
        if wire == _WIRE_LEN:
            position += value
        elif wire == _WIRE_VARINT:
            found[number] = value
        else:
            break
    return EventHead(found[1], found[3], found[4])
