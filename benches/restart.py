"""An upgrade as clients feel it: the gateway is ended in order, begins again, and a subscription goes on by itself."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benches.figures import tell
from benches.gateway_process import GatewayProcess, Site
from mxgateway import Subscription

ROUNDS = 3
_TAG = "TestMachine_001.TestChangingInt"
_LIMIT = 60.0


async def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Seconds from SIGTERM until a subscription has a value of the new gateway, and what they consist of; on a busy
    machine they grow, and what does not is the processor time of the start."""
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as scratch:
        return await restarts(Site.prepare(Path(scratch), Path("reference")), rounds)


async def restarts(site: Site, rounds: int) -> dict[str, Any]:
    """The same on a site that is there: the gateway ends and begins so often, and the client is never asked."""
    running = GatewayProcess(site)
    again = partial(GatewayProcess, site, flags=("--listen-plaintext", running.address))
    found: dict[str, list[float]] = {"stopSeconds": [], "startSeconds": [], "startCpuSeconds": [], "resumeSeconds": []}
    codes = set()
    try:
        async with await running.client() as client, client.subscribe([_TAG], client_session_name="restart") as changes:
            await _next(changes, recovered=False)
            for number in range(rounds):
                tell(f"  restart {number + 1} of {rounds}")
                began = time.perf_counter()
                running.process.terminate()
                codes.add(await asyncio.to_thread(running.wait))
                stopped = time.perf_counter()
                running = await asyncio.to_thread(again)
                listening, used = time.perf_counter(), running.process.cpu_times()
                await _next(changes, recovered=True)
                found["stopSeconds"].append(stopped - began)
                found["startSeconds"].append(listening - stopped)
                found["startCpuSeconds"].append(used.user + used.system)
                found["resumeSeconds"].append(time.perf_counter() - began)
    finally:
        running.stop()
    return {
        "rounds": rounds,
        "exitCodes": sorted(codes),
        **{name: round(statistics.median(values), 2) for name, values in found.items()},
    }


async def _next(changes: Subscription, *, recovered: bool) -> None:
    """Waits for a value; `recovered` for the first one of a new session."""
    async with asyncio.timeout(_LIMIT):
        async for batch in changes.batches():
            if any(change.recovered or not recovered for change in batch):
                return
