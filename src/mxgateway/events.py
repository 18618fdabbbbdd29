"""The event stream of a session: single events, whatever form they travelled in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway.channel import ServerStream


class EventStream:
    """An async iterator over a session's events, in the order of their worker_sequence.

    Leaving the loop, `aclose()`, dropping the object or cancelling the waiting task ends the gRPC stream. That never
    aborts a COM call, and the session stays ready: open a new stream with `after_worker_sequence` to go on without a
    gap.

    An event whose `replay_gap` is set is not an event of MXAccess but the marker of lost ones: at the head of a resumed
    stream whose position is too old, or where a backpressure policy dropped events (`replay_gap.dropped_events`).
    """

    def __init__(self, stream: ServerStream[pb.MxEvent] | ServerStream[pb.MxEventBatch], batched: bool) -> None:
        self._stream = stream
        self._is_batched = batched
        self._waiting: list[pb.MxEvent] = []
        self._position = 0
        self._last_sequence = 0
        self._dropped = 0
        self._replayed = 0
        self._received: Timestamp | None = None

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> pb.MxEvent:
        while self._position >= len(self._waiting):
            self._waiting = list(await self._receive())
            self._position = 0
        event = self._waiting[self._position]
        self._position += 1
        if self._received is not None:
            event.gateway_receive_timestamp.CopyFrom(self._received)
        if event.worker_sequence:
            self._last_sequence = event.worker_sequence
        return event

    async def batches(self) -> AsyncIterator[list[pb.MxEvent]]:
        """Everything that waits, as one list at a time: the cheapest way to take very many events.

        The gateway's receive time of all of them stands once in `gateway_receive_timestamp`.
        """
        while (events := await self._next_batch()) is not None:
            yield list(events)

    @property
    def last_worker_sequence(self) -> int:
        """worker_sequence of the youngest event taken from this stream; 0 before the first one."""
        return self._last_sequence

    @property
    def dropped_events(self) -> int:
        """Events of this stream that a backpressure policy dropped or replaced, as far as the gateway has said."""
        return self._dropped

    @property
    def replayed_events(self) -> int:
        """How many events at the head of what was received last come from the gateway's replay ring.

        Known only where the gateway sends batches.
        """
        return self._replayed

    @property
    def gateway_receive_timestamp(self) -> Timestamp | None:
        """When the gateway received the youngest event of what was received last; None where it sends no batches.

        Single events carry it themselves.
        """
        return self._received

    async def opened(self) -> bool:
        """Waits until the gateway has accepted the stream, or has refused it (False), which iterating tells.

        A gateway that says nothing until it has an event lets wait until then.
        """
        return await self._stream.opened()

    def cancel(self) -> None:
        """Ends the stream at once. Idempotent."""
        self._stream.cancel()

    async def aclose(self) -> None:
        """Ends the stream at once. Idempotent."""
        await self._stream.aclose()

    async def __aenter__(self) -> EventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _next_batch(self) -> Sequence[pb.MxEvent] | None:
        events: Sequence[pb.MxEvent] = self._waiting[self._position :]
        self._waiting, self._position = [], 0
        if not events:
            try:
                events = await self._receive()
            except StopAsyncIteration:
                return None
        # What is no event of the worker's, such as a value that is sent once more, has no sequence.
        sequence = next((event.worker_sequence for event in reversed(events) if event.worker_sequence), 0)
        self._last_sequence = sequence or self._last_sequence
        return events

    async def _receive(self) -> Sequence[pb.MxEvent]:
        message = await self._stream.__anext__()
        if isinstance(message, pb.MxEvent):
            self._dropped += message.replay_gap.dropped_events
            return [message]
        self._replayed = message.replayed_events
        self._received = message.gateway_receive_timestamp if message.HasField("gateway_receive_timestamp") else None
        if message.dropped_events:
            self._dropped += message.dropped_events
            # The single-event stream has a marker at this place; a gap is as visible here.
            self._replayed += 1 if self._replayed else 0
            return [pb.MxEvent(replay_gap=pb.ReplayGap(dropped_events=message.dropped_events)), *message.events]
        return message.events


async def next_batch(stream: EventStream) -> Sequence[pb.MxEvent] | None:
    """What `batches` yields next, but as it came; None at the end.

    An event of it is an object of Python's only as long as somebody looks at it, and is made again for the next look.
    """
    return await stream._next_batch()
