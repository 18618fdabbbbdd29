"""Ten pages of a browser that stay open for an hour's worth of frames, which come faster than a second: what grows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from benches.dashboard import signed_in
from benches.fast_gateway import SAMPLES
from benches.figures import tell
from benches.gateway_process import SCOPES, GatewayProcess, Site, scratch_folder
from benches.pages import CHROMIUM, FLAGS
from benches.product import QUIET_TAGS, subscribe

TABS = 10
SESSIONS = 4
FRAMES = 3600
SAMPLES_A_SECOND = 20
WARM_FRAMES = 400
"""Whatever grows up to a bound has reached it by then: the five minutes of each plot are 300 frames."""
_SLACK_SECONDS = 60.0
_TOLD_EVERY = 20.0
PATHS = ("/", "/sessions", "/streams", "/alarms", "/logs")
_FIGURES = ("JSHeapUsedSize", "Nodes", "JSEventListeners")
_NUMBER = "() => Number(document.querySelector('.shell')?.dataset.frame ?? 0)"


async def measure(frames: int = FRAMES) -> dict[str, Any]:
    """Growth after the warm-up, in MiB and as counts: of the page that grew most, and of the gateway."""
    with scratch_folder() as folder:
        site = await asyncio.to_thread(Site.prepare, folder, scopes=f"{SCOPES},dashboard:view,dashboard:operate")
        running = await asyncio.to_thread(
            GatewayProcess,
            site,
            {"operations.listen": "", "operations.listen_plaintext": "127.0.0.1:0"},
            environment={SAMPLES: str(SAMPLES_A_SECOND)},
            module="benches.fast_gateway",
        )
        try:
            return await _opened(running, site.api_key, frames)
        finally:
            await asyncio.to_thread(running.stop)


async def _opened(running: GatewayProcess, key: str, frames: int) -> dict[str, Any]:
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError:
        return {}
    if not Path(CHROMIUM).exists():
        return {}
    url = running.urls[0]
    async with async_playwright() as playwright, await running.client() as client:
        sessions = [await client.open_session(client_session_name=f"shown {number}") for number in range(SESSIONS)]
        for session in sessions:
            await subscribe(session, QUIET_TAGS)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            context = await browser.new_context()
            name, _, value = (await asyncio.to_thread(signed_in, url, key)).partition("=")
            await context.add_cookies([{"name": name, "value": value, "url": url}])
            pages = [await context.new_page() for _ in range(TABS)]
            for number, page in enumerate(pages):
                await page.goto(url + PATHS[number % len(PATHS)])
            probes = [await context.new_cdp_session(page) for page in pages]
            for probe in probes:
                await probe.send("Performance.enable")
            began = await _until(pages, WARM_FRAMES, "warming up")
            before, memory = [await _figures(probe) for probe in probes], running.process.memory_info().rss
            ended = await _until(pages, began + frames, "open")
            after, grown = [await _figures(probe) for probe in probes], running.process.memory_info().rss - memory
        finally:
            await browser.close()
            for session in sessions:
                await session.close()
    growth = {name: [late[name] - early[name] for early, late in zip(before, after, strict=True)] for name in before[0]}
    return {
        "tabs": TABS,
        "frames": ended - began,
        "heapMiB": round(max(late["JSHeapUsedSize"] for late in after) / 2**20, 1),
        "heapGrowthMiB": round(max(growth["JSHeapUsedSize"]) / 2**20, 2),
        "nodesGrowth": max(growth["Nodes"]),
        "listenersGrowth": max(growth["JSEventListeners"]),
        "gatewayGrowthMiB": round(grown / 2**20, 2),
    }


async def _until(pages: list[Any], number: int, what: str) -> int:
    """Waits until every page shows this frame or a later one; which the last of them shows.

    Raises:
        TimeoutError: the frames come at less than a quarter of their pace, or a page shows none.
    """
    began = told = time.monotonic()
    limit = began + _SLACK_SECONDS + 4 * number / SAMPLES_A_SECOND
    while True:
        shown = [int(await page.evaluate(_NUMBER)) for page in pages]
        now = time.monotonic()
        if min(shown) >= number:
            return min(shown)
        if now > limit:
            raise TimeoutError(f"frame {number} is not shown after {now - began:.0f} s; the pages are at {shown}")
        if now - told >= _TOLD_EVERY:
            tell(f"  tabs, {what}: frame {min(shown)} of {number}")
            told = now
        await asyncio.sleep(0.5)


async def _figures(probe: Any) -> dict[str, float]:
    await probe.send("HeapProfiler.collectGarbage")
    told = (await probe.send("Performance.getMetrics"))["metrics"]
    return {each["name"]: each["value"] for each in told if each["name"] in _FIGURES}
