"""Blocking calls on daemon threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mxgateway_server.galaxy.lanes import Lane, LaneBusyError


async def test_result_and_exception() -> None:
    """A call gives its result or its exception, off the event loop's thread."""
    lane = Lane("test")
    assert await lane.call(threading.current_thread, 10) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await lane.call(lambda: 1 / 0, 10)


async def test_hanging_call_is_given_up() -> None:
    """A call that hangs is given up after its time; the next one waits for it, and is refused without being made."""
    lane, gate, calls = Lane("test"), threading.Event(), []
    with pytest.raises(TimeoutError):
        await lane.call(lambda: gate.wait(30), 0.01)
    with pytest.raises(LaneBusyError):
        await lane.call(lambda: calls.append(1), 0.01)
    assert not calls
    gate.set()
    await lane.call(lambda: calls.append(2), 10)
    assert calls == [2]


async def test_cancelled_caller() -> None:
    """A caller that is cancelled leaves the thread to end by itself; the next caller waits for it."""
    lane, gate = Lane("test"), threading.Event()
    begun = threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(30)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(lane.call(work, 30))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
    gate.set()
    assert await lane.call(lambda: "next", 10) == "next"
