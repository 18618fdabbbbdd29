"""A real alarm worker over the laboratory of 20,000 alarms: how soon it is there, what it costs, and what people wait
for when they acknowledge."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any

import psutil

import mxgateway_simulator
from benches.alarm_peer import Peer
from benches.gateway_process import SCOPES, Site
from mxgateway import AckOutcome, AlarmFeed, AlarmFeedState, AlarmState, GatewayClient

LABORATORY = Path(mxgateway_simulator.__file__).with_name("galaxies") / "alarms.yaml"
AREA = "Works"
POLL_MS = 100
WATCHED = 1000
"""Alarms whose attributes are watched for a failover."""
_LIMIT = 300.0
_SINGLE = 20
_BULK = 1000
_CALM = 3.0


async def measure_plant(folder: Path) -> dict[str, Any]:
    """Everything that needs a worker of its own."""
    folder = folder / "plant"
    folder.mkdir()
    site = await asyncio.to_thread(Site.prepare, folder, LABORATORY, f"{SCOPES},admin")
    settings = {
        "alarms.poll_interval_ms": POLL_MS,
        "alarms.fallback.discovery.max_alarms": WATCHED,
        "alarms.history.enabled": False,
    }
    arguments = (str(site.state_dir), str(site.galaxy), AREA, json.dumps(settings))
    async with Peer.running("chaos.alarm_gateway", *arguments) as (server, ready):
        endpoint = ready["address"]
        begin = time.perf_counter()
        async with (
            GatewayClient.connect(endpoint=endpoint, api_key=site.api_key, plaintext=True) as client,
            client.alarms.watch(patient=True) as feed,
        ):
            await _until(feed, AlarmFeedState.SYNCED)
            ready = time.perf_counter() - begin
            worker = (await server.ask())["worker"]
            return {
                "listed": len(feed.active),
                "readySeconds": round(ready, 2),
                "readyCpuSeconds": _cpu(worker),
                **await _cost(worker),
                **await _acknowledging(client, feed),
                **await _failover(server, feed),
                **await _reopening(server, worker, feed),
            }


async def _until(feed: AlarmFeed, *wanted: AlarmFeedState) -> None:
    async with asyncio.timeout(_LIMIT):
        if feed.state in wanted:
            return
        async for state in feed.state_changes():
            if state in wanted:
                return


async def _cost(worker: int) -> dict[str, float]:
    """Cores that the worker takes while the plant goes on as it does."""
    before, begin = _cpu(worker), time.perf_counter()
    await asyncio.sleep(_CALM)
    return {"workerCores": round((_cpu(worker) - before) / (time.perf_counter() - begin), 3)}


def _cpu(worker: int) -> float:
    """Seconds of processor time that a worker has taken."""
    times = psutil.Process(worker).cpu_times()
    return round(times.user + times.system, 2)


async def _acknowledging(client: GatewayClient, feed: AlarmFeed) -> dict[str, float]:
    """From the call to the confirmed change, one by one, and many at once."""
    waiting = [alarm for alarm in feed.active.values() if alarm.state in (AlarmState.UNACK_ALM, AlarmState.UNACK_RTN)]
    samples = []
    for alarm in waiting[:_SINGLE]:
        begin = time.perf_counter()
        result = await client.alarms.acknowledge(alarm, "seen", operator="bench")
        if result.outcome is AckOutcome.ACKNOWLEDGED:
            samples.append(time.perf_counter() - begin)
    many = waiting[_SINGLE : _SINGLE + _BULK]
    begin = time.perf_counter()
    results = await client.alarms.acknowledge_many(many, "shift change", operator="bench")
    seconds = time.perf_counter() - begin
    p50 = round(1000 * statistics.median(samples), 1) if samples else 0.0
    return {
        "acknowledgeP50Ms": p50,
        "acknowledgeOverPollMs": round(p50 - POLL_MS, 1),
        "bulkAlarms": len(results),
        "bulkSeconds": round(seconds, 2),
    }


async def _failover(server: Peer, feed: AlarmFeed) -> dict[str, float]:
    """Seconds from the first question that fails until the attributes speak."""
    begin = time.perf_counter()
    await server.ask(fault="fail_poll", parameters={"times": "40"})
    await _until(feed, AlarmFeedState.DEGRADED)
    seconds = time.perf_counter() - begin
    await _until(feed, AlarmFeedState.SYNCED)
    return {"failoverSeconds": round(seconds, 2)}


async def _reopening(server: Peer, worker: int, feed: AlarmFeed) -> dict[str, float]:
    """Seconds from a killed worker until the list is live again, and what the next worker took of a processor."""
    begin = time.perf_counter()
    psutil.Process(worker).kill()
    await _until(feed, AlarmFeedState.UNCERTAIN)
    await _until(feed, AlarmFeedState.SYNCED)
    seconds = time.perf_counter() - begin
    return {"reopenSeconds": round(seconds, 2), "reopenCpuSeconds": _cpu((await server.ask())["worker"])}
