"""Many sessions at once: whether they hold, what they cost, and how late the gateway is meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import psutil

from benches.figures import latency_ms, percentile
from benches.gateway_process import GatewayProcess, gateway
from benches.product import subscribe
from mxgateway import GatewayClient, MxGatewayError, Session

TAGS = 200
_PROBE_EVERY = 0.05
_HEALTH = "/grpc.health.v1.Health/Check"


@dataclass(slots=True)
class Tally:
    """What one session saw."""

    events: int = 0
    lost: int = 0
    dropped: int = 0
    faults: list[str] = field(default_factory=list)


async def _read(session: Session, tally: Tally, begun: asyncio.Event) -> None:
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
                begun.set()
        tally.faults.append("the stream ended")
    except MxGatewayError as error:
        tally.faults.append(f"{type(error).__name__}: {error}")
        begun.set()


async def _probe(client: GatewayClient, samples: list[float]) -> None:
    """Round trips that no worker takes part in: how late the gateway's event loop serves a call."""
    assert client._connection.channel is not None
    check: Any = client._connection.channel.unary_unary(_HEALTH)
    while True:
        start = time.perf_counter()
        await check(b"")
        samples.append(time.perf_counter() - start)
        await asyncio.sleep(_PROBE_EVERY)


def _loop_lags(running: GatewayProcess) -> list[dict[str, float]]:
    """What the gateway has logged of its event loop's lag."""
    lines = [json.loads(line) for line in running.last_lines if '"event_loop_lag"' in line]
    return [line for line in lines if line.get("event") == "event_loop_lag"]


def unique_mib(process: psutil.Process) -> float:
    """Memory that no other process shares, in MiB."""
    return float(process.memory_full_info().uss) / 2**20


async def measure_sessions(sessions: int, seconds: float, template: str = "Tick1000", width: int = 3) -> dict[str, Any]:
    """Opens so many sessions with 200 tags each and reads them all for `seconds`."""
    tags = [f"{template}_{n:0{width}d}.Value" for n in range(1, TAGS + 1)]
    tallies = [Tally() for _ in range(sessions)]
    answers: list[float] = []
    # The first of several reports in the time of measuring is left out: it begins with the opening of the sessions.
    settings = {
        "sessions.max_sessions": str(sessions),
        "sessions.max_sessions_per_key": str(sessions),
        "logging.format": "json",
        "logging.loop_lag_interval_seconds": f"{seconds / 4.5:g}",
    }
    with gateway(settings) as running:
        before = running.process.memory_info().rss / 2**20
        # A connection of its own, so that the probe does not wait behind events.
        async with await running.client() as client, await running.client() as observer:
            start = time.perf_counter()
            opened = [await client.open_session(client_session_name=f"bench-{n}") for n in range(sessions)]
            opening = time.perf_counter() - start
            for session in opened:
                await subscribe(session, tags)
            begun = [asyncio.Event() for _ in opened]
            async with asyncio.TaskGroup() as group:
                readers = [
                    group.create_task(_read(session, tally, event))
                    for session, tally, event in zip(opened, tallies, begun, strict=True)
                ]
                for event in begun:
                    await event.wait()
                probe = group.create_task(_probe(observer, answers))
                told = len(_loop_lags(running))
                await asyncio.sleep(seconds)
                memory = sorted(unique_mib(worker) for worker in running.workers())
                rss = running.process.memory_info().rss / 2**20
                lags = _loop_lags(running)[told + 1 :]
                for task in (*readers, probe):
                    task.cancel()
            for session in opened:
                await session.close()
    return {
        "sessions": sessions,
        "tagsPerSession": TAGS,
        "seconds": seconds,
        "openSeconds": round(opening, 2),
        "events": sum(tally.events for tally in tallies),
        "eventsPerSecond": round(sum(tally.events for tally in tallies) / seconds),
        "lostSequences": sum(tally.lost for tally in tallies),
        "droppedEvents": sum(tally.dropped for tally in tallies),
        "faults": [fault for tally in tallies for fault in tally.faults],
        "gatewayAnswersMs": latency_ms(answers),
        # The worst of several stretches of time.
        "eventLoopLagMs": {
            name: max((lag[f"{name}_ms"] for lag in lags), default=None) for name in ("p50", "p99", "max")
        },
        "workerUniqueMiB": {"p50": round(percentile(memory, 0.5), 1), "max": round(memory[-1], 1)},
        "gatewayRssMiB": {"before": round(before, 1), "during": round(rss, 1)},
        "gatewayMiBPerSession": round((rss - before) / sessions, 2),
    }


async def measure_memory(running: GatewayProcess) -> dict[str, Any]:
    """Unique memory of one worker with 200 advised tags that change every 10 ms, read for a second."""
    async with await running.client() as client:
        known = {worker.pid for worker in running.workers()}
        async with await client.open_session() as session:
            info = await session.worker_info()
            await subscribe(session, [f"Tick10_{n:04d}.Value" for n in range(1, TAGS + 1)])
            begin = time.perf_counter()
            async with session.stream_events() as stream:
                async for _ in stream:
                    if time.perf_counter() - begin > 1.0:
                        break
            worker = psutil.Process(info.worker_process_id)
            return {
                "workerUniqueMiB": round(unique_mib(worker), 1),
                "workerRssMiB": round(worker.memory_info().rss / 2**20, 1),
                "gatewayRssMiB": round(running.process.memory_info().rss / 2**20, 1),
                "wasPooled": worker.pid in known,
            }
