"""Batches of an event stream, read on while something else has to be awaited first.

A stream that is not read makes the gateway drop or end it, so the client keeps reading and holds what comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mxgateway.events import next_batch

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway.events import EventStream
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

T = TypeVar("T")

MAX_HELD = 200_000
"""Events that are held at most; then the stream waits."""


class Batch(NamedTuple):
    """Events that arrived together.

    Attributes:
        events: in their order.
        replayed: how many at the head come from the gateway's replay ring.
        received: when the gateway received the youngest one; None where single events say it.
    """

    events: Sequence[pb.MxEvent]
    replayed: int
    received: Timestamp | None


class ReadAhead:
    """An async iterator over the batches of one stream. Its tasks belong to the group."""

    def __init__(self, stream: EventStream, group: asyncio.TaskGroup) -> None:
        self._stream = stream
        self._group = group
        self._held: deque[Batch] = deque()
        self._held_events = 0
        # Never canceled on its own: that would end the stream.
        self._reading: asyncio.Task[Batch | None] | None = None

    def __aiter__(self) -> ReadAhead:
        return self

    async def __anext__(self) -> Batch:
        batch: Batch | None
        if self._held:
            batch = self._held.popleft()
            self._held_events -= len(batch.events)
        elif self._reading is not None:
            reading, self._reading = self._reading, None
            batch = await reading
        else:
            batch = await self._read()
        if batch is None:
            raise StopAsyncIteration
        return batch

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Awaits the work, and holds the batches that come meanwhile."""
        doing = self._group.create_task(work)
        while not doing.done() and self._held_events < MAX_HELD:
            if self._reading is None:
                self._reading = self._group.create_task(self._read())
            await asyncio.wait((doing, self._reading), return_when=asyncio.FIRST_COMPLETED)
            if self._reading.done():
                batch = await self._reading
                if batch is None:
                    break
                self._reading = None
                self._held.append(batch)
                self._held_events += len(batch.events)
        return await doing

    async def _read(self) -> Batch | None:
        events = await next_batch(self._stream)
        if events is None:
            return None
        return Batch(events, self._stream.replayed_events, self._stream.gateway_receive_timestamp)
