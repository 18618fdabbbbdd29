"""Hundreds of sessions: what one costs that only waits, and whether 500 hold whose tags change once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from benches.figures import latency_ms, percentile
from benches.gateway_process import GatewayProcess, gateway
from benches.product import subscribe
from benches.sessions import unique_mib
from mxgateway import GatewayClient, MxGatewayError, Session

IDLE_SESSIONS = 64
CROWD = 500
TAGS = 20
_OPEN_AT_ONCE = 8
_PING_EVERY = 0.02


@dataclass(slots=True)
class Tally:
    """What one session saw.

    Attributes:
        lost: worker sequences that are missing.
    """

    events: int = 0
    lost: int = 0
    dropped: int = 0
    faults: list[str] = field(default_factory=list)


async def _read(session: Session, tally: Tally) -> None:
    previous = 0
    try:
        async with session.stream_events() as stream, aclosing(stream.batches()) as batches:  # type: ignore[type-var]
            async for events in batches:
                for event in events:
                    if event.worker_sequence:
                        tally.lost += event.worker_sequence - previous - 1
                        previous = event.worker_sequence
                        tally.events += 1
                tally.dropped = stream.dropped_events
        tally.faults.append("the stream ended")
    except MxGatewayError as error:
        tally.faults.append(f"{type(error).__name__}: {error}")


async def _open_all(clients: list[GatewayClient], count: int, tags: list[str]) -> list[Session]:
    """Opens sessions, several at once, each with the tags advised."""
    places = asyncio.Semaphore(_OPEN_AT_ONCE)

    async def one(n: int) -> Session:
        async with places:
            session = await clients[n % len(clients)].open_session(client_session_name=f"crowd-{n}")
            await subscribe(session, tags)
            return session

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(n)) for n in range(count)]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _crowd(
    running: GatewayProcess, count: int, tags: list[str]
) -> AsyncIterator[tuple[list[Tally], list[Session], float]]:
    """So many sessions that are read, and how long it took to open them."""
    connections = [await running.client() for _ in range(1 + count // 100)]
    try:
        start = time.perf_counter()
        sessions = await _open_all(connections, count, tags)
        opening = time.perf_counter() - start
        tallies = [Tally() for _ in sessions]
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(_read(session, tally)) for session, tally in zip(sessions, tallies, strict=True)
            ]
            try:
                yield tallies, sessions, opening
            finally:
                for reader in readers:
                    reader.cancel()
    finally:
        for connection in connections:
            await connection.close()


def _cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _settings(count: int) -> dict[str, str]:
    """A gateway with room for them all, although one key opens them."""
    room = str(count + 1)
    return {"sessions.max_sessions": room, "sessions.max_sessions_per_key": room, "worker.pool_size": "0"}


async def measure_idle(seconds: float, count: int = IDLE_SESSIONS) -> dict[str, Any]:
    """CPU time of sessions with a tag each that never changes: all that they cost is waiting."""
    settings = _settings(count)
    with gateway(settings) as running:
        async with _crowd(running, count, ["Quiet_001.Value"]) as (_, sessions, _):
            pids = {(await session.worker_info()).worker_process_id for session in sessions}
            workers = [psutil.Process(pid) for pid in pids]
            await asyncio.sleep(2.0)
            at, gateway_before, workers_before = time.perf_counter(), running.process.cpu_times(), _cpu_seconds(workers)
            await asyncio.sleep(seconds)
            span = time.perf_counter() - at
            in_workers = _cpu_seconds(workers) - workers_before
            in_gateway = sum(running.process.cpu_times()[:2]) - sum(gateway_before[:2])
    return {
        "sessions": count,
        "seconds": round(span, 1),
        "workerCpuMsPerSecond": round(in_workers / count / span * 1000, 3),
        "gatewayCpuMsPerSecond": round(in_gateway / count / span * 1000, 3),
    }


async def measure_crowd(seconds: float, count: int = CROWD, width: int = TAGS) -> dict[str, Any]:
    """So many sessions with tags that change once a second, read by this process, and a ping now and then."""
    tags = [f"Tick1000_{n:03d}.Value" for n in range(1, width + 1)]
    settings = _settings(count)
    pings: list[float] = []
    with gateway(settings) as running:
        async with _crowd(running, count, tags) as (tallies, _, opening), await running.client() as observer:
            watched = await observer.open_session(client_session_name="observer")
            await asyncio.sleep(3.0)
            before = sum(tally.events for tally in tallies)
            workers = running.workers()
            at, cpu = time.perf_counter(), _cpu_seconds(workers)
            gateway_cpu, own_cpu = sum(running.process.cpu_times()[:2]), time.process_time()
            while time.perf_counter() - at < seconds:
                begin = time.perf_counter()
                await watched.ping()
                pings.append(time.perf_counter() - begin)
                await asyncio.sleep(_PING_EVERY)
            span = time.perf_counter() - at
            events = sum(tally.events for tally in tallies) - before
            figures = {
                "workersCores": round((_cpu_seconds(workers) - cpu) / span, 2),
                "gatewayCores": round((sum(running.process.cpu_times()[:2]) - gateway_cpu) / span, 2),
                "clientCores": round((time.process_time() - own_cpu) / span, 2),
            }
            memory = sorted(unique_mib(worker) for worker in workers[:50])
    return {
        "sessions": count,
        "tagsPerSession": width,
        "seconds": round(span, 1),
        "openSeconds": round(opening, 1),
        "eventsPerSecond": round(events / span),
        "lostSequences": sum(tally.lost for tally in tallies),
        "droppedEvents": sum(tally.dropped for tally in tallies),
        "faults": [fault for tally in tallies for fault in tally.faults],
        "pingMs": latency_ms(pings),
        **figures,
        "workerUniqueMiB": {"p50": round(percentile(memory, 0.5), 1), "max": round(memory[-1], 1)},
    }
