"""Pages that people leave open: what is left of a page that somebody has left."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import Pages
from tests.browser.test_outages import LIVE
from tests.browser.test_pages import PAGES

from mxgateway import Session
from mxgateway.testing import LocalGateway

HEAP_MIB = 3.0


async def visit_all(page: Any) -> None:
    """Every page of the menu by its link, without loading anew, and the last of them in the end."""
    menu = page.get_by_role("navigation", name="Pages")
    for name in PAGES:
        await menu.get_by_role("link", name=name.capitalize()).click()
        await page.get_by_role("heading", name=name.capitalize(), level=1).wait_for()
        await page.locator("main").locator("table, dl, .log, .empty").first.wait_for()


async def held(probe: Any) -> dict[str, float]:
    """What the browser holds for a page once all is collected that nobody holds any more."""
    # What is kept alive only by a finalizer goes with the second round.
    for _ in range(2):
        await probe.send("HeapProfiler.collectGarbage")
    told = (await probe.send("Performance.getMetrics"))["metrics"]
    return {each["name"]: each["value"] for each in told}


async def test_of_pages_that_were_left_nothing_stays(pages: Pages, gateway: LocalGateway, session: Session) -> None:
    context = await pages.context()
    page = await context.new_page()
    await pages.sign_in(page, gateway.api_key)
    await page.wait_for_function(LIVE)
    probe = await context.new_cdp_session(page)
    await probe.send("Performance.enable")
    for _ in range(2):
        await visit_all(page)
    before = await held(probe)
    for _ in range(3):
        await visit_all(page)
    after = await held(probe)
    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] <= HEAP_MIB * 2**20
    assert after["JSEventListeners"] <= before["JSEventListeners"]
    assert after["Nodes"] <= before["Nodes"]
