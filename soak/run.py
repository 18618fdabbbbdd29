"""One soak: a gateway, the load, samples of its processes, a report."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

import psutil
from benches.gateway_process import GatewayProcess

from soak.judging import Bar, growth, violations, warm_up_of
from soak.load import Load
from soak.site import TAGS, WindowsHandles, running_gateway

MIB = 1 << 20
MOST_SAMPLES = 600


def bars(backend: str, percent: float) -> dict[str, Bar]:
    """What may grow by how much."""
    common = {
        "workerWorkingSetMiB": Bar(percent),
        "workerOpenFiles": Bar(absolute=2),
        "gatewayWorkingSetMiB": Bar(percent, absolute=2),
        "gatewayOpenFiles": Bar(absolute=4),
        "gatewayThreads": Bar(absolute=2),
    }
    return {**common, "workerHandles": Bar(absolute=2)} if backend == "com" else common


def worker_of(gateway: GatewayProcess, session_id: str) -> psutil.Process:
    """The process of a session's worker, as this machine numbers it."""
    (found,) = (worker for worker in gateway.workers() if session_id in worker.cmdline())
    return found


async def soak(
    backend: str, seconds: float, percent: float, seed: int, series: dict[str, list[float]] | None = None
) -> dict[str, Any]:
    """Works for so long and judges what grew.

    Args:
        series: takes the samples of each figure, for whoever wants to draw them.
    """
    handles = WindowsHandles(backend)
    try:
        with running_gateway(backend) as gateway:
            return await _soak(
                gateway, handles, backend, seconds, percent, seed, defaultdict(list) if series is None else series
            )
    finally:
        handles.close()


async def _soak(
    gateway: GatewayProcess,
    handles: WindowsHandles,
    backend: str,
    seconds: float,
    percent: float,
    seed: int,
    series: dict[str, list[float]],
) -> dict[str, Any]:
    async with await gateway.client() as client, await client.open_session(client_session_name="soak") as session:
        worker = worker_of(gateway, session.session_id)
        windows_pid = (await session.worker_info()).worker_process_id
        load = Load(client, session, TAGS[backend], seed)
        await load.prepare()
        began = time.monotonic()

        async def watch() -> None:
            while (left := began + seconds - time.monotonic()) > 0:
                await asyncio.sleep(min(left, max(0.5, seconds / MOST_SAMPLES)))
                sample(series, gateway, worker, await asyncio.to_thread(handles.of, windows_pid))
            load.over.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(watch())
        took = time.monotonic() - began
    warm_up = warm_up_of(seconds)
    found = load.counters.violations + violations(series, bars(backend, percent), warm_up)
    settled = {name: growth(values, warm_up) for name, values in series.items()}
    return {
        "backend": backend,
        "seconds": round(took, 1),
        "seed": seed,
        "done": load.counters.figures(),
        "eventsPerSecond": round(load.counters.events / took, 1),
        "samples": len(series["gatewayThreads"]),
        "warmUpSeconds": round(warm_up * seconds, 1),
        "growth": {name: seen.figures() for name, seen in settled.items() if seen is not None},
        "violations": found,
    }


def sample(
    series: dict[str, list[float]], gateway: GatewayProcess, worker: psutil.Process, windows_handles: int | None
) -> None:
    """One more of each figure."""
    series["workerWorkingSetMiB"].append(worker.memory_info().rss / MIB)
    series["workerOpenFiles"].append(worker.num_fds())
    series["gatewayWorkingSetMiB"].append(gateway.process.memory_info().rss / MIB)
    series["gatewayOpenFiles"].append(gateway.process.num_fds())
    series["gatewayThreads"].append(gateway.process.num_threads())
    if windows_handles is not None:
        series["workerHandles"].append(windows_handles)
