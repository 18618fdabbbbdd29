"""Pages of the dashboard in a real browser: how soon they are there, and what a long list takes."""

from __future__ import annotations

import contextlib
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PAGES = 5

_FIRST = """() => {
    const look = () => {
        const isThere = () => { window.isThere = performance.now(); };
        requestAnimationFrame(document.querySelector('main tbody tr') ? isThere : look);
    };
    look();
}"""
_NEXT = """path => new Promise((there, never) => {
    const began = performance.now();
    const look = () => {
        if (performance.now() - began > 30000) never(new Error(`${path} is not there`));
        const title = document.querySelector('.bar h1')?.textContent.toLowerCase();
        if (path === `/${title}` && document.querySelector('main table, main .empty'))
            requestAnimationFrame(() => there(performance.now() - began));
        else requestAnimationFrame(look);
    };
    document.querySelector(`nav a[href="${path}"]`).click();
    look();
})"""


_LIST = """async () => {
    const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const took = async act => {
        const began = performance.now();
        act();
        await painted();
        return performance.now() - began;
    };
    const input = document.querySelector('.search input');
    const type = text => {
        input.value = text;
        input.dispatchEvent(new Event('input', {bubbles: true}));
    };
    const head = [...document.querySelectorAll('th button')].find(each => each.textContent.startsWith('Session'));
    const found = {sort: [], filter: []};
    for (let turn = 0; turn < 5; turn += 1) {
        found.sort.push(await took(() => head.click()));
        found.filter.push(await took(() => type('number 1')));
        found.filter.push(await took(() => type('')));
    }
    return found;
}"""


async def _long_list(context: Any, url: str, sessions: int) -> dict[str, float]:
    """Milliseconds until a list of many sessions stands there in another order, or filtered; by the browser's clock."""
    page = await context.new_page()

    async def grown(route: Any) -> None:
        answer = await route.fetch()
        picture = await answer.json()
        (row, *_) = picture["sessions"]
        picture["sessions"] = [
            {**row, "sessionId": f"session-{number:032x}", "name": f"number {number}"} for number in range(sessions)
        ]
        await route.fulfill(response=answer, json=picture)

    await page.route("**/api/v1/snapshot", grown)
    await page.route("**/api/v1/live", lambda route: route.abort())
    await page.goto(f"{url}/sessions")
    await page.wait_for_function("() => document.querySelectorAll('main tbody tr').length > 100")
    found = await page.evaluate(_LIST)
    await page.close()
    return {f"{name}Ms": round(statistics.median(taken), 1) for name, taken in found.items()}


async def measure_pages(url: str, cookie: str, gateway_cpu: Callable[[], float], many_sessions: int) -> dict[str, Any]:
    """What somebody at the browser waits for: seconds until the page shows the sessions, with nothing in the browser's
    cache, and until the next page does; by the browser's own clock. On a busy machine both grow; what does not is the
    CPU that gateway and browser use for it, and how many requests there are. Nothing where there is no browser.

    Args:
        url: of the dashboard, in which some sessions are open.
        cookie: of somebody who is signed in.
        gateway_cpu: seconds of CPU that the gateway has used.
        many_sessions: of a long list.
    """
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError:
        return {}
    if not Path(CHROMIUM).exists():
        return {}
    cold, warm, gateway, browsers, requests = [], [], [], [], []
    many: dict[str, float] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            for _ in range(PAGES):
                context = await browser.new_context()
                name, _, value = cookie.partition("=")
                await context.add_cookies([{"name": name, "value": value, "url": url}])
                await context.add_init_script(f"({_FIRST})()")
                page = await context.new_page()
                asked: list[str] = []
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                began, used = gateway_cpu(), _browser_cpu()
                await page.goto(f"{url}/sessions", wait_until="commit")
                await page.wait_for_function("() => window.isThere")
                gateway.append(gateway_cpu() - began)
                browsers.append(_browser_cpu() - used)
                requests.append(len(asked))
                cold.append(await page.evaluate("() => window.isThere") / 1000)
                warm.append(await page.evaluate(_NEXT, "/streams") / 1000)
                warm.append(await page.evaluate(_NEXT, "/sessions") / 1000)
                # It would tell the next page its own frames.
                await page.close()
                many = await _long_list(context, url, many_sessions)
                await context.close()
        finally:
            await browser.close()
    return {
        "coldSeconds": round(statistics.median(cold), 3),
        "nextSeconds": round(statistics.median(warm), 3),
        "requests": statistics.median(requests),
        "gatewayCpuMs": round(statistics.median(gateway) * 1000),
        "browserCpuMs": round(statistics.median(browsers) * 1000),
        "manySessions": many,
    }


def _browser_cpu() -> float:
    """Seconds of CPU of this process's browsers so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name():
                times = process.cpu_times()
                total += times.user + times.system
    return total
