"""Answers that are kept for callers who ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.support.clock import ManualClock

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms import repeats as repeats_module
from mxgateway_server.alarms.repeats import KEEP_SECONDS, Repeats

Reply = pb.AcknowledgeAlarmsReply


class Calls:
    """Counts how often the work was done."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.clock = ManualClock()
        self.done = 0
        self._group = group
        self.repeats: Repeats[Reply] = Repeats(self.clock, self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._group.create_task(work)

    async def call(self, correlation_id: str, request: bytes = b"r", size: int = 10) -> Reply:
        async def work() -> Reply:
            self.done += 1
            return Reply(correlation_id="x" * size)

        return await self.repeats.once("key", correlation_id, request, work)


async def test_the_same_call_is_worked_out_once_within_a_minute() -> None:
    async with asyncio.TaskGroup() as group:
        calls = Calls(group)
        for _ in range(2):
            await calls.call("a")
        assert calls.done == 1
        await calls.call("a", b"another request")
        await calls.call("")
        await calls.call("")
        assert calls.done == 4, "another request, and none without an id"
        calls.clock.advance(KEEP_SECONDS)
        await calls.call("a")
        assert calls.done == 5


async def test_long_answers_go_early_so_that_no_caller_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats_module, "MOST_BYTES", 10_000)
    async with asyncio.TaskGroup() as group:
        calls = Calls(group)
        for number in range(200):
            await calls.call(f"id{number}", bytes(1000), size=1000)
        assert calls.repeats._bytes <= 12_000
        assert len(calls.repeats._kept) <= 12
        assert all(len(place[2]) == 32 for place in calls.repeats._kept), "requests are not kept themselves"
        done = calls.done
        await calls.call("id199", bytes(1000), size=1000)
        assert calls.done == done, "the newest are there"
        calls.clock.advance(KEEP_SECONDS)
        await calls.call("end")
        assert calls.repeats._bytes < 100
