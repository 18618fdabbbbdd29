"""A gateway that is killed under an open page, and many pages of one browser."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.browser.conftest import Pages

from mxgateway.testing import LocalGateway

STALE = "() => document.querySelector('.shell')?.classList.contains('is-stale')"
LIVE = "() => document.querySelector('.freshness')?.textContent.includes('Live')"


@asynccontextmanager
async def serving(state: Path, address: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A gateway of its own, which may be killed, and the URL of its dashboard."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mxgateway_server", "serve", "--state-dir", str(state), "--listen", "localhost:0"),
        *("--operations", address, "--announce", "--stop-on-stdin-close", "--galaxy", "reference"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MXGATEWAY__WORKER__POOL_SIZE": "0", **settings},
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        yield process, ready["http"][0]
    finally:
        if process.returncode is None and process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def make_key(state: Path) -> str:
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mxgateway_server", "apikey", "create", "--state-dir", str(state), "--json"),
        *("--key-id", "anna", "--scopes", "dashboard:view"),
        stdout=subprocess.PIPE,
    )
    out, _ = await made.communicate()
    return str(json.loads(out)["apiKey"])


async def test_a_page_says_that_it_is_not_live_and_goes_on_by_itself_after_a_kill(pages: Pages, tmp_path: Path) -> None:
    state = tmp_path / "state"
    # The logins of a gateway lie under its port, so it has to have the same one again.
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    async with serving(state, address) as (process, url):
        pages.url = url
        page = await (await pages.context()).new_page()
        await pages.sign_in(page, await make_key(state), "/sessions")
        await page.wait_for_function(LIVE)
        await page.evaluate("() => { window.before = true; }")
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await page.wait_for_function(STALE, timeout=4500)
        await page.get_by_text("Not live since").first.wait_for()
    async with serving(state, address):
        await page.wait_for_function(LIVE, timeout=30000)
        assert await page.evaluate("() => window.before === true"), "the page was not loaded anew"
        assert await page.get_by_text("Not live since").count() == 0


async def test_ten_pages_of_one_browser_share_one_stream_and_another_takes_it_over(
    pages: Pages, gateway: LocalGateway
) -> None:
    context = await pages.context()
    opened: list[str] = []
    context.on("request", lambda request: opened.append(request.url) if request.url.endswith("/live") else None)
    first = await context.new_page()
    await pages.sign_in(first, gateway.api_key)
    await first.wait_for_function(LIVE)
    others = [await context.new_page() for _ in range(9)]
    for page in others:
        await page.goto(pages.url + "/sessions")
    for page in others:
        await page.wait_for_function(LIVE)
    assert len(opened) == 1
    await first.close()
    await others[0].wait_for_function(_further(await _clock(others[0])), timeout=15000)
    assert len(opened) == 2
    await others[-1].wait_for_function(_further(await _clock(others[-1])), timeout=15000)


async def _clock(page: Any) -> str:
    return str(await page.locator(".freshness .clock").text_content())


def _further(clock: str) -> str:
    return f"() => document.querySelector('.freshness .clock')?.textContent > {clock!r}"


async def test_who_stands_on_a_button_still_does_when_what_it_shows_is_old(pages: Pages, gateway: LocalGateway) -> None:
    """An element that is disabled loses the keyboard's focus, and whoever works by keys begins at the top again."""
    page = await (await pages.context()).new_page()
    async with gateway.connect() as client:
        session = await client.open_session(client_session_name="line 1")
        await pages.sign_in(page, gateway.api_key, f"/sessions/{session.session_id}")
        button = page.get_by_role("button", name="Close …")
        await button.focus()
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            await page.wait_for_function(STALE)
            assert await button.get_attribute("aria-disabled") == "true"
            assert await page.evaluate("() => document.activeElement.textContent") == "Close …"
            await page.keyboard.press("Enter")
            assert await page.get_by_role("dialog").count() == 0
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        await page.wait_for_function(LIVE)
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog").wait_for()
