"""Events, bursts and a dead reader: each client's subject of the conformance suite at work, measured from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from conformance.processes import LineProcess, scripted_gateway

from benches.clients.programs import peak_of

EVENTS = 100_000
CALLS = 10_000
AT_ONCE = 50
WARM = 2
"""How often as many events are taken before those that count, at least."""
FLOOR_EVENTS = 500_000
"""Of a floor the processor time is the difference of two runs, which how they start may not drown."""
ENDLESS = 100_000_000
_PATIENCE = 180.0
_PARTS = 8
"""In how many parts of the whole it is warmed up, at least one."""
_CAPABILITIES = ["event-batches", "bulk-read-commands", "bulk-write-commands"]
SIZE = 6
"""Tags of a read."""


def flood(count: int = ENDLESS, *, subscribed: bool = False) -> dict[str, Any]:
    """What the scripted gateway does: so many events of one item, once somebody has subscribed where that is asked."""
    first = [{"wait_for": {"requests": {"Invoke": 2}}}] if subscribed else []
    events = {"events": {"from": 1, "to": count, "per_batch": 500}}
    rule = {"on": "StreamEventBatches", "do": [{"headers": {}}, *first, events, {"hold": True}]}
    return {"capabilities": _CAPABILITIES, "rules": [rule]}


def tags(count: int) -> list[str]:
    """Tags that change all the time."""
    return [f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, count + 1)]


@dataclass(frozen=True)
class Figures:
    """What a client was measured at.

    Attributes:
        rate: calls or events a second.
        cpu_micros: processor microseconds of each.
        p50_ms: median of how long a call took; None for events.
        peak_bytes: the most memory that the subject has held so far.
    """

    rate: float
    cpu_micros: float
    p50_ms: float | None
    peak_bytes: int | None


class Subject:
    """A subject and its process, spoken to one operation after the other."""

    def __init__(self, process: LineProcess) -> None:
        self._process = process
        self._system = psutil.Process(process.pid)
        # What clock_getcpuclockid(3) gives: all threads, to the nanosecond, where /proc has hundredths of a second.
        self._clock = ~process.pid << 3 | 2
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

    async def timed(self, op: str, **more: Any) -> tuple[float, float, dict[str, Any]]:
        """Seconds and CPU seconds of one operation, and its answer."""
        cpu, began = self._cpu(), time.perf_counter()
        answer = await self.do(op, **more)
        return time.perf_counter() - began, self._cpu() - cpu, answer

    async def measured(self, op: str, *, count: int, **more: Any) -> Figures:
        """One operation of so many calls or events."""
        took, cpu, answer = await self.timed(op, count=count, **more)
        return Figures(count / took, cpu / count * 1e6, answer.get("p50_ms"), peak_of(self._process.pid))

    async def calls(self, op: str, *, count: int, warmup: float, **more: Any) -> Figures:
        """So many calls, and others for some seconds before them: by then the compilers of some languages are warm."""
        over = time.monotonic() + warmup
        while True:
            await self.do(op, count=max(count // _PARTS, 1), **more)
            if time.monotonic() >= over:
                return await self.measured(op, count=count, **more)

    def _cpu(self) -> float:
        return time.clock_gettime(self._clock)

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


async def events(command: Sequence[str], language: str, warmup: float) -> dict[str, Figures]:
    """Events by scenario, raw batches and DataChanges of a subscription; after `warmup` seconds of others."""
    found = {}
    gateway, endpoint = await scripted_gateway()
    try:
        async with subject(command, language) as it:
            for scenario in ("events", "subscription"):
                # The last time is what counts: by then the compilers of some languages are warm.
                over, rounds = time.monotonic() + warmup, 0
                while rounds <= WARM or time.monotonic() < over:
                    rounds += 1
                    await gateway.ask({"load": flood(EVENTS, subscribed=scenario == "subscription")})
                    await _began(it, endpoint, scenario)
                    found[scenario] = await it.measured("take_all", on="it", count=EVENTS)
                    await it.do("reset")
    finally:
        await gateway.stop()
    return found


async def _began(it: Subject, endpoint: str, scenario: str) -> None:
    await it.do("connect", name="c", endpoint=endpoint, plaintext=True, api_key="mxgw_bench_0123456789abcdef")
    if scenario == "events":
        await it.do("open_session", on="c", name="s")
        await it.do("stream_events", on="s", name="it")
    else:
        await it.do("subscribe", on="c", name="it", tags=tags(1), queue_size=EVENTS)


async def calls(
    command: Sequence[str], language: str, reach: dict[str, Any], count: int, warmup: float
) -> dict[str, Figures]:
    """Reads of advised tags by unary calls one after the other, as the floor does them; then bursts of pings."""
    async with subject(command, language) as it:
        await it.do("connect", name="c", **reach)
        opened = await it.do("open_session", on="c", name="s")
        # Of a session that announces no command stream the commands are unary calls.
        plain = [each for each in opened["capabilities"] if each != "command-stream"]
        await it.do("attach_session", on="c", name="u", session_id=opened["session_id"], capabilities=plain)
        handle = (await it.do("register", on="s", client_name="bench"))["server_handle"]
        read = {"server_handle": handle, "tag_addresses": tags(SIZE)}
        await it.do("subscribe_bulk", on="s", **read)
        found = {"unary": await it.calls("burst", on="u", count=count, warmup=warmup, at_once=1, **read)}
        found["burst"] = await it.calls("burst", on="s", count=CALLS, warmup=warmup, at_once=AT_ONCE)
        await it.do("close", on="s")
    return found


async def dead_reader(command: Sequence[str], language: str, seconds: float) -> float:
    """MiB by which a client grows after the first part of a flood that nobody reads."""
    gateway, endpoint = await scripted_gateway()
    try:
        async with subject(command, language) as it:
            await gateway.ask({"load": flood()})
            await _began(it, endpoint, "events")
            await it.do("next", on="it", count=1, discard=True)
            await asyncio.sleep(seconds / 4)
            before = it.mebibytes
            await asyncio.sleep(seconds * 3 / 4)
            return it.mebibytes - before
    finally:
        await gateway.stop()
