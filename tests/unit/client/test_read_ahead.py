"""Reading on while something else is awaited: nothing is lost, the order stays, and what is held is bounded."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.fake_gateway import data_change
from tests.support.waiting import eventually

from mxgateway import read_ahead
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.read_ahead import ReadAhead


class Stream:
    """Batches that a test puts in; None ends it, an error fails it."""

    replayed_events = 0
    gateway_receive_timestamp = None

    def __init__(self) -> None:
        self.queue: asyncio.Queue[list[pb.MxEvent] | Exception | None] = asyncio.Queue()
        self.taken = 0

    def put(self, *sequences: int) -> None:
        for sequence in sequences:
            self.queue.put_nowait([data_change(sequence)])

    async def _next_batch(self) -> list[pb.MxEvent] | None:
        batch = await self.queue.get()
        if isinstance(batch, Exception):
            raise batch
        self.taken += batch is not None
        return batch


async def sequences(ahead: ReadAhead, count: int) -> list[int]:
    return [(await anext(ahead)).events[0].worker_sequence for _ in range(count)]


async def test_batches_are_held_while_the_work_goes_on() -> None:
    """They come afterwards, in their order, and those that come later after them."""
    stream, done = Stream(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        ahead = ReadAhead(stream, group)  # type: ignore[arg-type]
        stream.put(1, 2, 3)
        assert await sequences(ahead, 1) == [1]
        working = group.create_task(ahead.during(done.wait()))
        await eventually(lambda: stream.taken == 3)
        done.set()
        assert await working
        stream.put(4)
        assert await sequences(ahead, 3) == [2, 3, 4]
        stream.queue.put_nowait(None)
        with pytest.raises(StopAsyncIteration):
            await anext(ahead)


async def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the stream waits, as it would without reading ahead."""
    monkeypatch.setattr(read_ahead, "MAX_HELD", 2)
    stream, done = Stream(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        ahead = ReadAhead(stream, group)  # type: ignore[arg-type]
        stream.put(1, 2, 3, 4)
        working = group.create_task(ahead.during(done.wait()))
        await eventually(lambda: stream.taken == 2)
        done.set()
        await working
        assert stream.taken == 2
        assert await sequences(ahead, 4) == [1, 2, 3, 4]


async def test_the_end_of_the_stream_during_the_work() -> None:
    """The work is finished first, then the iteration ends."""
    stream, done = Stream(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        ahead = ReadAhead(stream, group)  # type: ignore[arg-type]
        stream.put(1)
        stream.queue.put_nowait(None)
        working = group.create_task(ahead.during(done.wait()))
        await eventually(lambda: stream.taken == 1)
        done.set()
        await working
        assert await sequences(ahead, 1) == [1]
        with pytest.raises(StopAsyncIteration):
            await anext(ahead)


async def test_a_failure_of_the_stream_during_the_work_ends_both() -> None:
    """What was held comes again after a resumption, since the position has not moved."""
    stream = Stream()
    stream.put(1)
    stream.queue.put_nowait(ConnectionError("gone"))

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            await ReadAhead(stream, group).during(asyncio.sleep(60))  # type: ignore[arg-type]

    with pytest.raises(ExceptionGroup):
        await work()
