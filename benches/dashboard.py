"""What the dashboard costs: its samples, readers of its stream, calls and events beside them; how soon a page is there.

Readers and none take turns, so that both see the same machine.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benches.gateway_process import SCOPES, GatewayProcess, Site, scratch_folder
from benches.operations import SESSIONS, busy_counters, busy_sessions, reading
from benches.product import DROPPING, FLOOD_TAGS, QUIET_TAGS, advised, batches, in_flight, subscribe
from mxgateway_server.dashboard.attention import AttentionRules
from mxgateway_server.dashboard.live import framed
from mxgateway_server.dashboard.sampler import Process, Sampler

MANY_SESSIONS = 500
TURNS = 3
LOGINS = 5
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


async def measure(seconds: float) -> dict[str, Any]:
    """Milliseconds of samples, shares of a core of readers, rates beside them, and seconds until a page is there."""
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
            },
        )
        try:
            viewer = await asyncio.to_thread(_Viewer, running.urls[0], site.api_key)
            figures["cores"] = await _cores(running, viewer, seconds)
            figures |= await _beside(running, viewer, seconds)
            figures["page"] = await _page(viewer)
        finally:
            await asyncio.to_thread(running.stop)
    return figures


def _sampling(number: int) -> float:
    """CPU of a sample of so many sessions with its frame as text, p99, in ms."""
    sessions, counters = busy_sessions(number), busy_counters()
    sampler = Sampler(AttentionRules(heartbeat_seconds=5.0))
    taken = []
    for second in range(60):
        picture = reading(sessions, counters).status
        began = time.thread_time()
        frame = sampler.take(picture, Process(), float(second))
        framed("frame", json.dumps(frame, separators=(",", ":"), allow_nan=False).encode(), second)
        taken.append(time.thread_time() - began)
    return round(sorted(taken)[-2] * 1000, 3)


def _signed_in(url: str, key: str) -> str:
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
        self.cookies = [_signed_in(url, key) for _ in range(LOGINS)]

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


async def _cores(running: GatewayProcess, viewer: _Viewer, seconds: float) -> dict[str, float]:
    """Shares of a core beyond that of no reader. The pages of a browser share a stream, so ten are one."""

    async def used(streams: int) -> float:
        async with viewer.streams(streams):
            await asyncio.sleep(0.3)
            before, began = _cpu(running), time.perf_counter()
            await asyncio.sleep(max(2.0, seconds))
            return (_cpu(running) - before) / (time.perf_counter() - began)

    turns = [(await used(0), await used(1), await used(100)) for _ in range(TURNS)]
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
                for streams in (10, 0) if turn % 2 else (0, 10):
                    way = "with" if streams else "without"
                    async with viewer.streams(streams):
                        calls = await in_flight(lambda: calling.read_bulk(server, QUIET_TAGS[:6]), seconds)
                        events = await batches(flooded, seconds, fields=False)
                    found["calls"][way].append(calls["callsPerSecond"])
                    found["events"][way].append(events["eventsPerSecond"])
    return {name: {way: round(statistics.median(rates)) for way, rates in ways.items()} for name, ways in found.items()}


async def _page(viewer: _Viewer) -> dict[str, Any]:
    """Seconds until the page shows sessions, with nothing in the browser's cache, and until the next page does."""
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError:
        return {}
    if not Path(CHROMIUM).exists():
        return {}
    cold, warm = [], []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            for _ in range(TURNS):
                context = await browser.new_context()
                name, _, value = viewer.cookies[0].partition("=")
                await context.add_cookies([{"name": name, "value": value, "url": viewer.url}])
                page = await context.new_page()
                began = time.perf_counter()
                await page.goto(f"{viewer.url}/sessions", wait_until="commit")
                await page.locator("main table, main .empty").first.wait_for()
                cold.append(time.perf_counter() - began)
                began = time.perf_counter()
                await page.get_by_role("link", name="Streams").first.click()
                await page.locator("main table, main .empty").first.wait_for()
                warm.append(time.perf_counter() - began)
                await context.close()
        finally:
            await browser.close()
    return {"coldSeconds": round(statistics.median(cold), 3), "nextSeconds": round(statistics.median(warm), 3)}
