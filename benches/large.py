"""Large subscriptions: how long until every tag has its first value, what they hold in memory, and a restart."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benches.gateway_process import GatewayProcess, Site
from benches.sessions import unique_mib
from mxgateway import GalaxyRepositoryClient, Subscription

COUNTS = (10_000, 50_000)
_OBJECTS = 400
"""Objects of the reference Galaxy that have as many attributes as the largest subscription takes."""
_LIMIT = 300.0


async def measure_large(counts: tuple[int, ...] = COUNTS, objects: int = _OBJECTS) -> dict[str, Any]:
    """One subscription of each size, in a session of its own, over a gateway that is killed and comes back."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as scratch:
        site = Site.prepare(Path(scratch), Path("reference"), objects=objects)
        for count in counts:
            running = GatewayProcess(site)
            try:
                figures.append(await _measure(running, count))
            finally:
                running.stop()
    return {"subscriptions": figures}


async def _measure(running: GatewayProcess, count: int) -> dict[str, Any]:
    tags = await _tags(running, count)
    gc.collect()
    own = psutil.Process()
    empty = unique_mib(own)
    async with await running.client() as client:
        begin = time.perf_counter()
        async with client.subscribe(tags, client_session_name="large") as changes:
            subscribed = time.perf_counter() - begin
            await _all_seen(changes, len(tags), recovered=False)
            seconds = time.perf_counter() - begin
            memory = {
                "clientMiB": round(unique_mib(own) - empty, 1),
                "gatewayMiB": round(unique_mib(running.process), 1),
                "workerMiB": round(max(map(unique_mib, running.workers())), 1),
            }
            resumed = await _restarted(running, changes, len(tags))
            lost, dropped, failures = changes.lost, changes.dropped, len(changes.failures)
    return {
        "tags": len(tags),
        "subscribeSeconds": round(subscribed, 2),
        "firstValuesSeconds": round(seconds, 2),
        "afterRestartSeconds": round(resumed, 2),
        "lost": lost,
        "dropped": dropped,
        "failures": failures,
        **memory,
    }


async def _tags(running: GatewayProcess, count: int) -> list[str]:
    async with await GalaxyRepositoryClient.connect(
        endpoint=running.address, api_key=running.site.api_key, plaintext=True
    ) as galaxy:
        found = [each.full_tag_reference async for one in galaxy.iter_hierarchy() for each in one.attributes]
    if len(found) < count:
        raise ValueError(f"the Galaxy has {len(found)} attributes, but {count} are to be subscribed")
    return found[:count]


async def _all_seen(changes: Subscription, count: int, *, recovered: bool) -> None:
    seen: set[str] = set()
    async with asyncio.timeout(_LIMIT):
        async for batch in changes.batches():
            seen.update(change.tag for change in batch if change.recovered or not recovered)
            if len(seen) == count:
                return


async def _restarted(running: GatewayProcess, changes: Subscription, count: int) -> float:
    """Seconds from the gateway's return until every tag has a value of the new session."""
    running.process.kill()
    await asyncio.to_thread(running.wait)
    again = await asyncio.to_thread(lambda: GatewayProcess(running.site, flags=("--listen-plaintext", running.address)))
    try:
        begin = time.perf_counter()
        await _all_seen(changes, count, recovered=True)
        return time.perf_counter() - begin
    finally:
        await changes.aclose()
        again.stop()
