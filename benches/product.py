"""Measures the product: a real gateway and its workers in processes of their own, this process as the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import psutil

from benches.figures import latency_ms
from benches.floor import in_flight, sequential
from benches.gateway_process import GatewayProcess, gateway
from mxgateway import GatewayClient, Session
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

Figures = dict[str, Any]

FLOOD_TAGS = [f"Flood_{n:02d}.Value" for n in range(1, 11)]
QUIET_TAGS = [f"Quiet_{n:03d}.Value" for n in range(1, 101)]
DROPPING = pb.BACKPRESSURE_POLICY_DROP_OLDEST
"""What saturates must be free to drop: under `fail_fast` a flood that nobody keeps up with ends its session."""

RATES = {"1k": ("Tick100", 100), "20k": ("Tick10", 200), "100k": ("Tick10", 1000)}
"""Name of a rate: template and number of its tags."""


async def subscribe(session: Session, tags: list[str]) -> int:
    """Registers, adds and advises; returns the server handle."""
    server = await session.register("bench")
    for result in await session.subscribe_bulk(server, tags):
        if not result.was_successful:
            raise RuntimeError(f"{result.tag_address}: {result.error_message}")
    return server


class Counter:
    """Counts events from the second message on, for so many seconds, and those that are missing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begin = 0.0
        self._end = 0.0
        self._previous = 0
        self._count = 0
        self._lost = 0

    def add(self, first: int, last: int, count: int) -> bool:
        """A message with these sequences was decoded; True when the time is over."""
        self._end = time.perf_counter()
        if not self._begin:
            self._begin, self._previous = self._end, last
            return False
        self._lost += first - self._previous - 1
        self._previous = last
        self._count += count
        return self._end - self._begin > self._seconds

    def figures(self) -> Figures:
        return {
            "eventsPerSecond": round(self._count / (self._end - self._begin)),
            "events": self._count,
            "missing": self._lost,
        }


async def batches(session: Session, seconds: float, fields: bool) -> Figures:
    """Flooding tags, taken batch by batch, each event decoded; with `fields`, what a client wants of it is read too."""
    counter = Counter(seconds)
    async with (
        session.stream_events(backpressure_policy=DROPPING) as stream,
        aclosing(stream.batches()) as batches,  # type: ignore[type-var]
    ):
        async for events in batches:
            if not events[0].worker_sequence:
                del events[0]
            if fields:
                for event in events:
                    _ = (event.item_handle, event.quality, event.value.double_value, event.worker_sequence)
            if counter.add(events[0].worker_sequence, events[-1].worker_sequence, len(events)):
                break
    return counter.figures()


async def _one_by_one(session: Session, seconds: float) -> Figures:
    """The same by `async for`, as most programs do."""
    counter = Counter(seconds)
    async with session.stream_events(backpressure_policy=DROPPING) as stream:
        async for event in stream:
            if event.worker_sequence and counter.add(event.worker_sequence, event.worker_sequence, 1):
                break
    return counter.figures()


async def _single_messages(client: GatewayClient, session: Session, seconds: float) -> Figures:
    """StreamEvents: a message for each event, for clients that know nothing else."""
    counter = Counter(seconds)
    request = pb.StreamEventsRequest(session_id=session.session_id, backpressure_policy=DROPPING)
    async with client.stream_events_raw(request) as stream:
        async for event in stream:
            if event.worker_sequence and counter.add(event.worker_sequence, event.worker_sequence, 1):
                break
    return counter.figures()


async def measure_events(running: GatewayProcess, seconds: float) -> Figures:
    """Saturated: the simulator makes events as fast as they are taken."""
    figures: Figures = {}
    async with await running.client() as client:
        ways: dict[str, tuple[list[str], Callable[[Session], Awaitable[Figures]]]] = {
            "batches": (FLOOD_TAGS, lambda session: batches(session, seconds, fields=False)),
            "batchesFieldsRead": (FLOOD_TAGS, lambda session: batches(session, seconds, fields=True)),
            "oneByOne": (FLOOD_TAGS, lambda session: _one_by_one(session, seconds)),
            # 40,000 changes a second: more than can go by single messages, without a core spent on making them.
            "singleMessages": (
                [f"Tick10_{n:04d}.Value" for n in range(1, 401)],
                lambda session: _single_messages(client, session, seconds),
            ),
        }
        for name, (tags, way) in ways.items():
            async with await client.open_session(backpressure_policy=DROPPING) as session:
                await subscribe(session, tags)
                processes = {
                    "worker": psutil.Process(session.raw.worker_process_id),
                    "gateway": running.process,
                    "client": psutil.Process(),
                }
                before = {process: _cpu_seconds(of) for process, of in processes.items()}
                figures[name] = found = await way(session)
                spent = {process: _cpu_seconds(of) - before[process] for process, of in processes.items()}
                # Hardly depends on what else runs on the machine, as rates do.
                found["cpuMicrosecondsPerEvent"] = {
                    process: round(seconds / found["events"] * 1e6, 2) for process, seconds in spent.items()
                }
    return figures


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _timed_events(session: Session, seconds: float) -> AsyncGenerator[tuple[float, list[pb.MxEvent]], None]:
    """Batches with their time of arrival; the first half second, with all the initial values, is left out."""
    begin = time.perf_counter()
    async with session.stream_events() as stream, aclosing(stream.batches()) as batches:  # type: ignore[type-var]
        async for events in batches:
            now = time.time()
            elapsed = time.perf_counter() - begin - 0.5
            if elapsed > seconds:
                return
            if elapsed > 0:
                yield now, events


async def measure_latency(running: GatewayProcess, seconds: float) -> Figures:
    """Worker timestamp to client, of tags that change at a steady rate."""
    figures: Figures = {}
    seconds = max(seconds, 2.0)
    async with await running.client() as client:
        for rate, (template, tags) in RATES.items():
            samples: list[float] = []
            async with await client.open_session() as session:
                await subscribe(session, [f"{template}_{n:04d}.Value" for n in range(1, tags + 1)])
                async with aclosing(_timed_events(session, seconds)) as timed:
                    async for now, events in timed:
                        samples += [now - e.worker_timestamp.seconds - e.worker_timestamp.nanos / 1e9 for e in events]
            figures[rate] = {"eventsPerSecond": round(len(samples) / seconds), "latencyMs": latency_ms(samples)}
    return figures


async def advised(session: Session) -> int:
    """A server handle on which the quiet tags are advised and have their values."""
    server = await subscribe(session, QUIET_TAGS)
    async with session.stream_events() as stream:
        async for _ in stream:
            # The first values must have come, or the first read would not be cached.
            if all(result.was_cached for result in await session.read_bulk(server, QUIET_TAGS)):
                break
    return server


async def measure_commands(running: GatewayProcess, seconds: float) -> Figures:
    """Reads of 6 advised tags, through the session's own methods and as unary calls."""
    async with await running.client() as client, await client.open_session() as session:
        server = await advised(session)
        # Who does not know what the gateway announced makes unary calls.
        unary = client.attach_session(session.session_id)
        return {
            "read6": await sequential(lambda: session.read_bulk(server, QUIET_TAGS[:6]), seconds),
            "read6InFlight50": await in_flight(lambda: session.read_bulk(server, QUIET_TAGS[:6]), seconds),
            "unaryRead6": await sequential(lambda: unary.read_bulk(server, QUIET_TAGS[:6]), seconds),
            "unaryRead6InFlight50": await in_flight(lambda: unary.read_bulk(server, QUIET_TAGS[:6]), seconds),
        }


async def _open_times(client: GatewayClient, count: int, pause: float) -> Figures:
    samples = []
    for _ in range(count):
        # With a pause, the pool has time to fill up again.
        await asyncio.sleep(pause)
        start = time.perf_counter()
        session = await client.open_session()
        samples.append(time.perf_counter() - start)
        await session.close()
    return latency_ms(samples)


async def measure_open_warm(running: GatewayProcess, seconds: float) -> Figures:
    """OpenSession with a worker of the pool."""
    async with await running.client() as client:
        await _open_times(client, 1, 1.0)
        return {"latencyMs": await _open_times(client, max(5, round(seconds * 3)), 0.7)}


async def measure_open_cold(seconds: float) -> Figures:
    """OpenSession that starts its worker: a gateway of its own, without a pool."""
    with gateway({"worker.pool_size": "0"}) as running:
        async with await running.client() as client:
            await _open_times(client, 1, 0.0)
            return {"latencyMs": await _open_times(client, max(5, round(seconds * 3)), 0.0)}
