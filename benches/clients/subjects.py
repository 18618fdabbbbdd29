"""The subject of a client and the floor of its language at work, measured from outside; and a reader that is dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from conformance.processes import LineProcess, scripted_gateway

from benches.clients.programs import peak_of

ENDLESS = 100_000_000
_PATIENCE = 180.0
_CAPABILITIES = ["event-batches", "bulk-read-commands", "bulk-write-commands"]
KEY = "mxgw_bench_0123456789abcdef"


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


class Metered:
    """A process that is spoken to by lines, one after the other, and what its answers cost."""

    def __init__(self, process: LineProcess) -> None:
        self._process = process
        # What clock_getcpuclockid(3) gives: all threads, to the nanosecond, where /proc has hundredths of a second.
        self._clock = ~process.pid << 3 | 2

    async def measured(self, count: int, line: dict[str, Any]) -> Figures:
        """A line that asks for so many calls or events."""
        cpu, began = time.clock_gettime(self._clock), time.perf_counter()
        answer = await self.ask(line)
        took, cpu = time.perf_counter() - began, time.clock_gettime(self._clock) - cpu
        return Figures(count / took, cpu / count * 1e6, answer.get("p50_ms"), peak_of(self._process.pid))

    async def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """The answer to a line."""
        return await self._process.ask(line, seconds=_PATIENCE)

    @property
    def mebibytes(self) -> float:
        """What it holds of the memory."""
        return float(psutil.Process(self._process.pid).memory_info().rss) / 2**20


class Floor(Metered):
    """A floor: it is asked for so many calls or events, and for nothing else."""

    async def some(self, count: int) -> Figures:
        return await self.measured(count, {"count": count})


class Subject(Metered):
    """A subject of the conformance suite."""

    def __init__(self, process: LineProcess) -> None:
        super().__init__(process)
        self._number = 0

    async def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        answer = await super().ask({"id": self._number, **line})
        if "ok" not in answer:
            raise RuntimeError(f"{self._process.name}: {line['op']}: {answer}")
        found: dict[str, Any] = answer["ok"] or {}
        return found

    async def do(self, op: str, *, on: str = "", name: str = "", **args: Any) -> dict[str, Any]:
        """The answer to an operation."""
        return await self.ask({"op": op, "on": on, "as": name, "args": args})

    async def some(self, count: int, op: str, *, on: str, **args: Any) -> Figures:
        """An operation of so many calls or events."""
        return await self.measured(count, {"op": op, "on": on, "as": "", "args": {"count": count, **args}})


@asynccontextmanager
async def subject(command: Sequence[str], language: str) -> AsyncIterator[Subject]:
    """A subject that runs within the block."""
    async with _process(command, f"the subject of {language}", {}) as process:
        yield Subject(process)


@asynccontextmanager
async def floor(command: Sequence[str], language: str, *, api_key: str = "") -> AsyncIterator[Floor]:
    """A floor that runs within the block; the key stands in its environment, and in no list of arguments."""
    async with _process(command, f"the floor of {language}", {"MXGATEWAY_API_KEY": api_key}) as process:
        yield Floor(process)


@asynccontextmanager
async def _process(command: Sequence[str], name: str, environment: Mapping[str, str]) -> AsyncIterator[LineProcess]:
    process = await LineProcess.start(command, name, environment)
    try:
        await process.read(_PATIENCE)
        yield process
    finally:
        await process.stop()


async def begin(it: Subject, endpoint: str, scenario: str, count: int) -> None:
    """Opens the stream or the subscription `it` at a gateway without TLS."""
    await it.do("connect", name="c", endpoint=endpoint, plaintext=True, api_key=KEY)
    if scenario == "events":
        await it.do("open_session", on="c", name="s")
        await it.do("stream_events", on="s", name="it")
    else:
        await it.do("subscribe", on="c", name="it", tags=tags(1), queue_size=count)


async def dead_reader(command: Sequence[str], language: str, seconds: float) -> float:
    """MiB by which a client grows after the first part of a flood that nobody reads."""
    gateway, endpoint = await scripted_gateway()
    try:
        async with subject(command, language) as it:
            await gateway.ask({"load": flood()})
            await begin(it, endpoint, "events", 1)
            await it.do("next", on="it", count=1, discard=True)
            await asyncio.sleep(seconds / 4)
            before = it.mebibytes
            await asyncio.sleep(seconds * 3 / 4)
            return it.mebibytes - before
    finally:
        await gateway.stop()
