"""What the dashboard costs: its samples, readers of its stream, calls and events beside them; how soon a page is there.

Readers and none take turns, so that both see the same machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from benches.dashboard_beside import LAG_SECONDS, measure_bundle, measure_lag, measure_start
from benches.figures import percentile, tell
from benches.gateway_process import SCOPES, GatewayProcess, Site, run_command, scratch_folder
from benches.operations import SESSIONS, busy_counters, busy_sessions, reading
from benches.pages import measure_pages
from benches.product import DROPPING, FLOOD_TAGS, QUIET_TAGS, advised, batches, in_flight, subscribe
from mxgateway_server.dashboard.attention import AttentionRules
from mxgateway_server.dashboard.live import framed
from mxgateway_server.dashboard.sampler import Process, Sampler

MANY_SESSIONS = 500
TURNS = 3
SAMPLES = 120
SCRAPES = 30
LOGINS = 5


async def measure(seconds: float) -> dict[str, Any]:
    """Milliseconds of samples, shares of a core of readers, rates and the loop's lag beside them, and seconds until a
    page, a bundle, and the gateway itself are there."""
    figures: dict[str, Any] = {
        "sampleMs": {str(number): _sampling(number) for number in (SESSIONS, MANY_SESSIONS)},
    }
    with scratch_folder() as folder:
        site = await asyncio.to_thread(Site.prepare, folder, scopes=f"{SCOPES},dashboard:view")
        running = await asyncio.to_thread(
            GatewayProcess,
            site,
            {
                "operations.listen": "",
                "operations.listen_plaintext": "127.0.0.1:0",
                "dashboard.max_streams_per_key": "200",
                "dashboard.max_streams": "200",
                # Those that are shown, and two that work.
                "sessions.max_sessions": str(SESSIONS + 2),
                "sessions.max_sessions_per_key": str(SESSIONS + 2),
                "logging.format": "json",
                "logging.loop_lag_interval_seconds": f"{LAG_SECONDS:g}",
            },
        )
        try:
            viewer = await asyncio.to_thread(_Viewer, running.urls[0], site.api_key)
            tell(f"  dashboard: {SESSIONS} sessions")
            async with _shown(running):
                figures["scrape"] = await _scrapes(running, site.api_key)
                tell("  dashboard: the page")
                figures["page"] = await measure_pages(
                    viewer.url, viewer.cookies[0], lambda: _cpu(running), MANY_SESSIONS
                )
                administrator = signed_in(viewer.url, await asyncio.to_thread(_admin_key, site))
                figures["bundle"] = await asyncio.to_thread(measure_bundle, viewer.url, administrator)
                figures["cores"] = await _cores(running, viewer, seconds)
                figures |= await _beside(running, viewer, seconds)
            figures["lag"] = await measure_lag(running, lambda: viewer.streams(1), SESSIONS)
        finally:
            await asyncio.to_thread(running.stop)
        figures["start"] = await measure_start(site)
    return figures


def _admin_key(site: Site) -> str:
    made = run_command(
        *("apikey", "create", "--state-dir", str(site.state_dir), "--key-id", "admin", "--display-name", "admin"),
        *("--scopes", "admin", "--json"),
    )
    return str(json.loads(made)["apiKey"])


@asynccontextmanager
async def _shown(running: GatewayProcess) -> AsyncIterator[None]:
    """Sessions that do nothing but stand in every picture."""
    async with await running.client() as client, AsyncExitStack() as stack:
        for number in range(SESSIONS):
            await stack.enter_async_context(await client.open_session(client_session_name=f"shown {number}"))
        yield


def _sampling(number: int) -> float:
    """CPU of a sample of so many sessions that are known, with its frame as text, p99, in ms."""
    sessions, counters = busy_sessions(number), busy_counters()
    sampler = Sampler(AttentionRules(heartbeat_seconds=5.0))
    # As the gateway does once it serves: what is loaded is not looked through again and again for garbage.
    gc.collect()
    gc.freeze()
    taken = []
    try:
        for second in range(-1, SAMPLES):
            picture = reading(sessions, counters).status
            began = time.thread_time()
            frame = sampler.take(picture, Process(), float(second))
            framed("frame", json.dumps(frame, separators=(",", ":"), allow_nan=False).encode(), second)
            if second >= 0:
                taken.append(time.thread_time() - began)
    finally:
        gc.unfreeze()
    return round(percentile(sorted(taken), 0.99) * 1000, 3)


def signed_in(url: str, key: str) -> str:
    """The cookie of somebody who signs in with this key."""
    request = urllib.request.Request(
        f"{url}/api/v1/login",
        json.dumps({"key": key}).encode(),
        {"content-type": "application/json", "origin": url},
    )
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["set-cookie"].partition(";")[0])


class _Viewer:
    """Somebody who is signed in."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        # One login may ask only so often.
        self.cookies = [signed_in(url, key) for _ in range(LOGINS)]

    @asynccontextmanager
    async def streams(self, count: int) -> AsyncIterator[None]:
        """So many live streams, read as they come."""
        place = urlsplit(self.url)
        async with asyncio.TaskGroup() as group:
            opened = [await asyncio.open_connection(place.hostname, place.port) for _ in range(count)]
            for number, (reader, writer) in enumerate(opened):
                cookie = self.cookies[number % LOGINS]
                head = f"GET /api/v1/live HTTP/1.1\r\nhost: {place.netloc}\r\ncookie: {cookie}\r\n\r\n"
                writer.write(head.encode())
                assert b"200" in await reader.readline()
            readings = [group.create_task(_drain(reader)) for reader, _ in opened]
            try:
                yield
            finally:
                for task in readings:
                    task.cancel()
                for _, writer in opened:
                    writer.close()


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def _scrapes(running: GatewayProcess, key: str) -> dict[str, float]:
    """What a monitoring system waits for, and the processor time of a scrape; with the sessions that are shown."""
    request = urllib.request.Request(f"{running.urls[0]}/metrics", headers={"authorization": f"Bearer {key}"})

    def scrape() -> tuple[float, int]:
        began = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return time.perf_counter() - began, text.count(b"\n")

    await asyncio.to_thread(scrape)
    before = _cpu(running)
    found = [await asyncio.to_thread(scrape) for _ in range(SCRAPES)]
    return {
        "milliseconds": round(statistics.median(seconds for seconds, _ in found) * 1000, 2),
        "cpuMilliseconds": round((_cpu(running) - before) / SCRAPES * 1000, 2),
        "lines": found[-1][1],
    }


async def _cores(running: GatewayProcess, viewer: _Viewer, seconds: float) -> dict[str, float]:
    """Shares of a core beyond that of no reader. The pages of a browser share a stream, so ten are one."""

    async def used(streams: int) -> float:
        async with viewer.streams(streams):
            await asyncio.sleep(0.3)
            before, began = _cpu(running), time.perf_counter()
            # The system counts in hundredths of a second, and a hundredth of a core is what is looked for.
            await asyncio.sleep(max(2.0, 4 * seconds))
            return (_cpu(running) - before) / (time.perf_counter() - began)

    turns = []
    for turn in range(TURNS):
        tell(f"  dashboard: streams, turn {turn + 1} of {TURNS}")
        turns.append((await used(0), await used(1), await used(100)))
    return {
        "tenPagesOfABrowser": round(statistics.median(one - idle for idle, one, _ in turns), 4),
        "hundredStreams": round(statistics.median(many - idle for idle, _, many in turns), 4),
    }


def _cpu(running: GatewayProcess) -> float:
    times = running.process.cpu_times()
    return float(times.user + times.system)


async def _beside(running: GatewayProcess, viewer: _Viewer, seconds: float) -> dict[str, Any]:
    """Calls and events a second with ten readers and with none."""
    found: dict[str, dict[str, list[float]]] = {name: {"with": [], "without": []} for name in ("calls", "events")}
    async with await running.client() as client, await client.open_session() as calling:
        server = await advised(calling)
        async with await client.open_session(backpressure_policy=DROPPING) as flooded:
            await subscribe(flooded, FLOOD_TAGS)
            for turn in range(2 * TURNS):
                tell(f"  dashboard: calls and events beside readers, turn {turn + 1} of {2 * TURNS}")
                for streams in (10, 0) if turn % 2 else (0, 10):
                    way = "with" if streams else "without"
                    async with viewer.streams(streams):
                        calls = await in_flight(lambda: calling.read_bulk(server, QUIET_TAGS[:6]), seconds)
                        events = await batches(flooded, seconds, fields=False)
                    found["calls"][way].append(calls["callsPerSecond"])
                    found["events"][way].append(events["eventsPerSecond"])
    return {name: {way: round(statistics.median(rates)) for way, rates in ways.items()} for name, ways in found.items()}
