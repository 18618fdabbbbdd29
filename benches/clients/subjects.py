"""Events, bursts and a dead reader: each client's subject of the conformance suite at work, measured from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psutil
from conformance.processes import LineProcess, scripted_gateway

EVENTS = 60_000
CALLS = 5_000
AT_ONCE = 50
_PATIENCE = 180.0
_CAPABILITIES = ["event-batches", "bulk-read-commands", "bulk-write-commands"]
TAG = "TestMachine_001.TestChangingInt"


def flood(count: int, *, subscribed: bool) -> dict[str, Any]:
    """What the scripted gateway does: so many events of one item, once somebody has subscribed where that is asked."""
    first = [{"wait_for": {"requests": {"Invoke": 2}}}] if subscribed else []
    events = {"events": {"from": 1, "to": count, "per_batch": 500}}
    rule = {"on": "StreamEventBatches", "do": [{"headers": {}}, *first, events, {"hold": True}]}
    return {"capabilities": _CAPABILITIES, "rules": [rule]}


class Subject:
    """A subject and its process, spoken to one operation after the other."""

    def __init__(self, process: LineProcess) -> None:
        self._process = process
        self._system = psutil.Process(process.pid)
        self._number = 0

    async def do(self, op: str, *, on: str = "", name: str = "", **args: Any) -> dict[str, Any]:
        self._number += 1
        answer = await self._process.ask(
            {"id": self._number, "op": op, "on": on, "as": name, "args": args}, seconds=_PATIENCE
        )
        if "ok" not in answer:
            raise RuntimeError(f"{self._process.name}: {op}: {answer}")
        found: dict[str, Any] = answer["ok"] or {}
        return found

    async def timed(self, op: str, **more: Any) -> tuple[float, float]:
        """Seconds and CPU seconds of one operation."""
        cpu, began = self._cpu(), time.perf_counter()
        await self.do(op, **more)
        return time.perf_counter() - began, self._cpu() - cpu

    def _cpu(self) -> float:
        times = self._system.cpu_times()
        return float(times.user + times.system)

    @property
    def mebibytes(self) -> float:
        """What it holds of the memory."""
        return float(self._system.memory_info().rss) / 2**20


@asynccontextmanager
async def subject(command: Sequence[str], language: str) -> AsyncIterator[Subject]:
    """A subject that runs within the block."""
    process = await LineProcess.start(command, language)
    try:
        await process.read(_PATIENCE)
        yield Subject(process)
    finally:
        await process.stop()


async def events(command: Sequence[str], language: str) -> dict[str, tuple[float, float]]:
    """Events a second and CPU microseconds of each, by scenario: raw batches, and DataChanges of a subscription."""
    found = {}
    gateway, endpoint = await scripted_gateway()
    try:
        async with subject(command, language) as it:
            for scenario in ("events", "subscription"):
                # The second time is what counts: by then the compilers of some languages are warm.
                for _ in range(2):
                    await gateway.ask({"load": flood(EVENTS, subscribed=scenario == "subscription")})
                    await _began(it, endpoint, scenario)
                    took, cpu = await it.timed("take_all", on="it", count=EVENTS)
                    await it.do("reset")
                found[scenario] = (EVENTS / took, cpu / EVENTS * 1e6)
    finally:
        await gateway.stop()
    return found


async def _began(it: Subject, endpoint: str, scenario: str) -> None:
    await it.do("connect", name="c", endpoint=endpoint, plaintext=True, api_key="mxgw_bench_0123456789abcdef")
    if scenario == "events":
        await it.do("open_session", on="c", name="s")
        await it.do("stream_events", on="s", name="it")
    else:
        await it.do("subscribe", on="c", name="it", tags=[TAG], queue_size=EVENTS)


async def burst(command: Sequence[str], language: str, reach: dict[str, Any]) -> tuple[float, float]:
    """Calls a second with some of them under way, and CPU microseconds of each, against a real gateway."""
    async with subject(command, language) as it:
        await it.do("connect", name="c", **reach)
        await it.do("open_session", on="c", name="s")
        await it.do("burst", on="s", count=CALLS // 4, at_once=AT_ONCE)
        took, cpu = await it.timed("burst", on="s", count=CALLS, at_once=AT_ONCE)
        await it.do("close", on="s")
    return CALLS / took, cpu / CALLS * 1e6


async def dead_reader(command: Sequence[str], language: str, seconds: float) -> float:
    """MiB by which a client grows after the first part of a flood that nobody reads."""
    gateway, endpoint = await scripted_gateway()
    try:
        async with subject(command, language) as it:
            await gateway.ask({"load": flood(100_000_000, subscribed=False)})
            await _began(it, endpoint, "events")
            await it.do("next", on="it", count=1, discard=True)
            await asyncio.sleep(seconds / 4)
            before = it.mebibytes
            await asyncio.sleep(seconds * 3 / 4)
            return it.mebibytes - before
    finally:
        await gateway.stop()
