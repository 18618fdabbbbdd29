"""Every page, as people see it: readable for all, in light and dark, wide and narrow, and doing what it says."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.browser.conftest import SHOTS, Pages

from mxgateway import Session
from mxgateway.testing import LocalGateway

PAGES = {
    "overview": "/",
    "sessions": "/sessions",
    "streams": "/streams",
    "alarms": "/alarms",
    "galaxy": "/galaxy?object=TestMachine_001",
    "logs": "/logs",
    "keys": "/keys",
    "audit": "/audit",
    "settings": "/settings",
    "about": "/about",
}
LOOKS = {
    "1280-light": {"width": 1280},
    "1280-dark": {"width": 1280, "scheme": "dark"},
    "1280-forced": {"width": 1280, "forced": True},
    "390-light": {"width": 390},
    "390-dark": {"width": 390, "scheme": "dark"},
    "320-light": {"width": 320},
}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe() -> str:
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


async def judge(page: Any, name: str) -> list[str]:
    """What axe finds, and whether the page has to be moved sideways."""
    await page.evaluate(axe())
    found: list[str] = await page.evaluate(
        """async rules => (await axe.run(document, {runOnly: rules})).violations.flatMap(
            each => each.nodes.map(node => each.id + ': ' + node.html.slice(0, 200) + ' ' + node.failureSummary))""",
        RULES,
    )
    if await page.evaluate("() => document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{name} is wider than the screen")
    return found


@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_is_readable_for_all(pages: Pages, gateway: LocalGateway, session: Session, look: str) -> None:
    context = await pages.context(**LOOKS[look])  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(pages.url + "/login")
    await page.get_by_label("API key").wait_for()
    found = {"login": await judge(page, "login")}
    await pages.sign_in(page, gateway.api_key)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for name, path in {**PAGES, "session": f"/sessions/{session.session_id}"}.items():
        await page.goto(pages.url + path)
        await page.locator("main").locator("table, dl, .log, .empty").first.wait_for()
        found[name] = await judge(page, name)
        await page.screenshot(path=SHOTS / f"{name}-{look}.png")
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


async def test_figures_are_live_and_text_of_clients_is_text(
    pages: Pages, gateway: LocalGateway, session: Session
) -> None:
    page = await (await pages.context()).new_page()
    await pages.sign_in(page, gateway.api_key, "/sessions?s.sort=-events")
    row = page.get_by_role("row", name="<b>line 1</b> historian")
    await row.wait_for()
    assert page.url.endswith("/sessions?s.sort=-events"), "where somebody was, he is after signing in"
    await page.wait_for_function(
        "() => [...document.querySelectorAll('tbody td.number')].some(cell => parseFloat(cell.textContent) > 0)"
    )
    assert await page.locator("tbody b").count() == 0
    await row.get_by_role("link").click()
    await page.get_by_role("heading", name="<b>line 1</b> historian").wait_for()
    await page.locator(".plot canvas").first.wait_for()
    await page.get_by_role("button", name="Table of Events in").click()
    await page.get_by_role("region", name="Events in, table").wait_for()


async def test_a_long_list_shows_its_first_rows_and_more_of_them_when_asked(
    pages: Pages, gateway: LocalGateway, session: Session
) -> None:
    page = await (await pages.context()).new_page()

    async def long(route: Any) -> None:
        answer = await route.fetch()
        picture = await answer.json()
        # Without any for whoever is not signed in yet.
        for row in picture.get("sessions", [])[:1]:
            picture["sessions"] = [{**row, "sessionId": f"session-{n:032x}", "name": f"number {n}"} for n in range(250)]
        await route.fulfill(response=answer, json=picture)

    await page.route("**/api/v1/snapshot", long)
    await page.route("**/api/v1/live", lambda route: route.abort())
    await pages.sign_in(page, gateway.api_key, "/sessions?s.sort=name")
    await page.get_by_text("50 more below these.").wait_for()
    rows = page.locator("tbody tr")
    assert await rows.count() == 200
    await page.get_by_role("button", name="Show 50 more").click()
    await rows.nth(249).get_by_text("number 249").wait_for()
    assert await page.get_by_text("more below these").count() == 0


async def test_who_may_closes_and_kills_with_a_reason_by_keyboard(pages: Pages, gateway: LocalGateway) -> None:
    page = await (await pages.context()).new_page()
    async with gateway.connect() as client:
        first = await client.open_session(client_session_name="to be closed")
        second = await client.open_session(client_session_name="to be killed")
        await pages.sign_in(page, gateway.api_key, f"/sessions/{first.session_id}")
        await page.get_by_role("button", name="Close …").press("Enter")
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Reason").fill("night shift")
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")
        await page.wait_for_function("() => document.activeElement.textContent === 'Close …'")
        await page.keyboard.press("Enter")
        await dialog.get_by_label("Reason").fill("night shift")
        await page.keyboard.press("Enter")
        await page.get_by_text("This session has ended").wait_for()

        await page.goto(f"{pages.url}/sessions/{second.session_id}")
        await page.get_by_role("button", name="Kill …").click()
        button = dialog.get_by_role("button", name="Kill", exact=True)
        await dialog.get_by_label("Reason").fill("it hangs")
        assert await button.is_disabled()
        await dialog.get_by_label("to confirm").fill(second.session_id[-6:])
        await button.click()
        await page.get_by_text("This session has ended").wait_for()


async def test_a_link_signs_in_once_and_its_ticket_leaves_the_address(pages: Pages, gateway: LocalGateway) -> None:
    context = await pages.context()
    page = await context.new_page()
    answer = await context.request.post(
        f"{pages.url}/api/v1/links", headers={"authorization": f"Bearer {gateway.api_key}"}, data={}
    )
    link = (await answer.json())["url"]
    await page.goto(link)
    await page.locator(".shell").wait_for()
    assert "ticket" not in page.url
    other = await (await pages.context()).new_page()
    await other.goto(link)
    await other.get_by_text("this link was used already").wait_for()


async def test_a_wrong_key_is_told_in_words_and_signing_out_leaves_nothing(pages: Pages, gateway: LocalGateway) -> None:
    page = await (await pages.context()).new_page()
    await page.goto(pages.url + "/streams")
    await page.get_by_label("API key").fill("mxgw_nobody_" + "x" * 43)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("alert").get_by_text("does not let you in").wait_for()
    await page.get_by_label("API key").fill(gateway.api_key)
    await page.get_by_label("API key").press("Enter")
    await page.get_by_role("heading", name="Streams").wait_for()
    await page.locator(".who summary").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.get_by_label("API key").wait_for()
    await page.goto(pages.url + "/sessions")
    await page.get_by_label("API key").wait_for()


async def test_tags_are_watched_live_with_words_for_their_quality(pages: Pages, gateway: LocalGateway) -> None:
    page = await (await pages.context()).new_page()
    await pages.sign_in(page, gateway.api_key, "/galaxy?object=TestMachine_001")
    await page.get_by_label("Watch TestMachine_001.TestChangingInt").check()
    watched = page.get_by_role("region", name="Watched tags")
    row = watched.get_by_role("row", name="TestMachine_001.TestChangingInt")
    await row.get_by_text("Good").wait_for()
    first = await row.locator("td").nth(1).text_content()
    await page.wait_for_function(
        "before => document.querySelector('[aria-label=\"Watched tags\"] td.number').textContent !== before", arg=first
    )
    await page.locator(".plot canvas").first.wait_for()
    found = await judge(page, "watch list")
    assert found == []
    await row.get_by_role("button", name="Remove").click()
    await watched.wait_for(state="detached")


async def test_the_tree_is_walked_by_keys(pages: Pages, gateway: LocalGateway) -> None:
    page = await (await pages.context()).new_page()
    await pages.sign_in(page, gateway.api_key, "/galaxy")
    tree = page.get_by_role("tree", name="Galaxy")
    await tree.get_by_role("treeitem").first.focus()
    await page.keyboard.type("testarea")
    await page.keyboard.press("ArrowRight")
    await tree.get_by_role("treeitem", name="TestMachine_001").wait_for()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await page.locator("#object").wait_for()
    assert "object=" in page.url


async def test_one_field_finds_pages_sessions_and_objects_by_keyboard(
    pages: Pages, gateway: LocalGateway, session: Session
) -> None:
    page = await (await pages.context()).new_page()
    await pages.sign_in(page, gateway.api_key)
    await page.locator(".freshness .clock").wait_for()
    await page.keyboard.press("/")
    finder = page.get_by_role("dialog", name="Search")
    await page.keyboard.type("historian")
    await finder.get_by_role("link", name="<b>line 1</b> historian").wait_for()
    assert await judge(page, "search") == []
    await finder.get_by_role("searchbox").fill("testmachine_00")
    await finder.get_by_role("link", name="TestMachine_001 object").wait_for()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.locator("#object").wait_for()
    assert "object=TestMachine_00" in page.url
    assert await page.get_by_role("dialog").count() == 0


async def test_watch_lists_are_kept_by_name_and_administrators_reload_and_take_a_bundle(
    pages: Pages, gateway: LocalGateway
) -> None:
    page = await (await pages.context()).new_page()
    await pages.sign_in(page, gateway.api_key, "/galaxy?object=TestMachine_001")
    await page.get_by_label("Watch TestMachine_001.TestChangingInt").check()
    await page.get_by_label("Name for this list").fill("line 1")
    await page.get_by_role("button", name="Keep").click()
    await page.get_by_role("button", name="Clear").click()
    await page.reload()
    await page.get_by_label("Watch list").select_option("line 1")
    await (
        page.get_by_role("region", name="Watched tags").get_by_text("TestMachine_001.TestChangingInt").first.wait_for()
    )
    await page.goto(pages.url + "/settings")
    await page.get_by_role("button", name="Read again …").click()
    await page.get_by_role("dialog").get_by_role("button", name="Read again").click()
    await page.get_by_text("No setting that can change at run time has changed").wait_for()
    await page.goto(pages.url + "/logs")
    await page.get_by_role("button", name="Write more or less …").click()
    await page.get_by_role("dialog").get_by_label("Least level").select_option("warning")
    await page.get_by_role("dialog").get_by_role("button", name="Change").click()
    await page.get_by_role("dialog").wait_for(state="detached")
    await page.goto(pages.url + "/about")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Download the bundle").click()
    taken = await started.value
    # With its date or without: some browsers go by the link, some by what the gateway calls it.
    assert taken.suggested_filename.startswith("mxgateway-diagnostics")
    with zipfile.ZipFile(await taken.path()) as bundle:
        assert "about.json" in bundle.namelist()
