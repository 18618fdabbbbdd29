"""The dashboard in a real Chromium: `make test-web`. Elsewhere these tests are skipped; CI runs that target.

Nothing may violate the page's content security policy or write an error to the console: each test ends with that check.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.shared_gateway import shared_gateway

from mxgateway import Session
from mxgateway.testing import LocalGateway

HERE = Path(__file__).parent
TAGS = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 6)]
SHOTS = HERE.parents[1] / "artifacts" / "dashboard"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# A context that ignores errors of TLS does so for pages; what is downloaded, the browser itself fetches.
FLAGS += ["--ignore-certificate-errors"]
# The browser notes an answer that is no success, too, and that is no mistake of the page.
_NOTED = re.compile(r"Failed to load resource")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.shares_processes)
            item.add_marker(pytest.mark.timeout(180))
            if "MXGATEWAY_BROWSER" not in os.environ:
                item.add_marker(pytest.mark.skip(reason="needs Chromium: make test-web"))


@dataclass
class Pages:
    """A browser, and what its pages complained of."""

    browser: Any
    url: str
    complaints: list[str] = field(default_factory=list)

    async def context(self, *, width: int = 1280, scheme: str = "light", forced: bool = False) -> Any:
        context = await self.browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            forced_colors="active" if forced else "none",
            ignore_https_errors=True,
            reduced_motion="reduce",
        )
        await context.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.sample))"
        )
        context.on("console", self._note)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context

    def _note(self, message: Any) -> None:
        if message.type == "error" and not _NOTED.search(message.text):
            self.complaints.append(message.text)

    async def sign_in(self, page: Any, key: str, path: str = "/") -> None:
        """Opens a page as somebody who is not signed in does, and signs in."""
        await page.goto(self.url + path)
        await page.get_by_label("API key").fill(key)
        await page.get_by_role("button", name="Sign in").click()
        await page.locator(".shell").wait_for()


@pytest.fixture(scope="session")
def gateway() -> Iterator[LocalGateway]:
    arguments = ["--operations", "localhost:0", "--allow-fault-injection"]
    with shared_gateway("reference", arguments, alarms="TestArea") as running:
        yield running


@pytest.fixture
async def pages(gateway: LocalGateway) -> AsyncIterator[Pages]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            found = Pages(browser, gateway.dashboard_url)
            yield found
            assert found.complaints == []
        finally:
            await browser.close()


@pytest.fixture
async def session(gateway: LocalGateway) -> AsyncIterator[Session]:
    """A session that gets events, with a name that somebody made up."""
    async with (
        gateway.connect() as client,
        client.open_session(client_session_name="<b>line 1</b> historian") as opened,
        opened.subscribe(TAGS) as changes,
    ):
        reading = asyncio.create_task(_read(changes))
        try:
            yield opened
        finally:
            reading.cancel()


async def _read(changes: Any) -> None:
    async for _ in changes:
        pass
