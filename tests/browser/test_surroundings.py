"""Pages and what surrounds them: proxies that answer for the gateway, wrong clocks, lost cookies, frozen tabs."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any

import pytest
from tests.browser.conftest import Pages
from tests.browser.test_outages import LIVE, STALE, _clock, _further

from mxgateway.testing import LocalGateway

API = "**/api/v1/**"
HTML = "<html><body>Welcome to the plant's portal</body></html>"


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 302, "headers": {"location": "https://portal.example/login"}},
        {"status": 502, "content_type": "text/html", "body": HTML},
        {"status": 200, "content_type": "text/html", "body": HTML},
    ],
    ids=["302", "502", "200"],
)
async def test_what_a_proxy_answers_is_not_taken_for_the_gateway(
    pages: Pages, gateway: LocalGateway, answer: dict[str, Any]
) -> None:
    context = await pages.context()
    page = await context.new_page()
    await pages.sign_in(page, gateway.api_key, "/sessions")
    asked: list[str] = []

    async def answered(route: Any) -> None:
        asked.append(route.request.url)
        await route.fulfill(**answer)

    await context.route(API, answered)
    await page.reload()
    await (
        page.get_by_text("something else than the gateway answered")
        .or_(page.get_by_text("the gateway does not answer"))
        .first.wait_for()
    )
    count = len(asked)
    await page.wait_for_timeout(1500)
    assert len(asked) <= count + 2, "it backs off"
    assert HTML[12:30] not in (await page.inner_text("body"))
    await context.unroute(API)
    await page.wait_for_function(LIVE)
    pages.complaints.clear()  # Chromium notes answers of the wrong kind


async def test_a_clock_that_is_wrong_by_a_day_ages_nothing(pages: Pages, gateway: LocalGateway) -> None:
    for days in (-1, 1):
        context = await pages.context()
        page = await context.new_page()
        await page.clock.install(time=datetime.datetime.now() + datetime.timedelta(days=days))
        await pages.sign_in(page, gateway.api_key)
        await page.wait_for_function(LIVE)
        await page.wait_for_function(_further(await _clock(page)))
        assert await page.get_by_text("Not live since").count() == 0
        shown = (await _clock(page)).strip()
        now = datetime.datetime.now(datetime.UTC)
        true = [(now - datetime.timedelta(seconds=back)).strftime("%M:%S") for back in range(5)]
        assert shown[-5:] in true, "times are the gateway's"
        await context.close()


async def test_a_login_that_has_ended_leads_to_the_sign_in_and_back(pages: Pages, gateway: LocalGateway) -> None:
    context = await pages.context()
    page = await context.new_page()
    await pages.sign_in(page, gateway.api_key, "/streams")
    await context.clear_cookies()
    await page.locator("nav").get_by_role("link", name="Keys").click()
    await page.get_by_label("API key").fill(gateway.api_key)
    assert page.url.endswith("/login?return=%2Fkeys")
    await page.get_by_label("API key").press("Enter")
    await page.get_by_role("heading", name="Keys").wait_for()


async def test_a_cookie_that_is_not_kept_is_told_in_words(pages: Pages, gateway: LocalGateway) -> None:
    context = await pages.context()
    page = await context.new_page()

    async def stripped(route: Any) -> None:
        answer = await route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        # What fetched it has kept the cookie.
        await context.clear_cookies()
        await route.fulfill(response=answer, headers=headers)

    await context.route("**/api/v1/login", stripped)
    await page.goto(pages.url + "/login")
    await page.get_by_label("API key").fill(gateway.api_key)
    await page.get_by_label("API key").press("Enter")
    await page.get_by_text("does not keep the cookie").wait_for()
    assert page.url.endswith("/login")


async def test_a_token_that_is_too_old_is_renewed_once_and_silently(pages: Pages, gateway: LocalGateway) -> None:
    page = await (await pages.context()).new_page()
    async with gateway.connect() as client:
        session = await client.open_session(client_session_name="line 1")
        await pages.sign_in(page, gateway.api_key, f"/sessions/{session.session_id}")
        problem = '{"status":403,"reason":"CSRF","detail":"the token is not valid","remedy":""}'
        await page.route(
            "**/sessions/close",
            lambda route: route.fulfill(status=403, content_type="application/problem+json", body=problem),
            times=1,
        )
        await page.get_by_role("button", name="Close …").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Reason").fill("shift")
        await page.keyboard.press("Enter")
        await page.get_by_text("This session has ended").wait_for()


class Streams:
    """How many live streams the pages of a browser hold."""

    def __init__(self, context: Any) -> None:
        self.opened, self.closed = 0, 0
        context.on("request", lambda request: self._note(request, opens=True))
        context.on("requestfinished", lambda request: self._note(request, opens=False))
        context.on("requestfailed", lambda request: self._note(request, opens=False))

    def _note(self, request: Any, *, opens: bool) -> None:
        if request.url.endswith("/api/v1/live"):
            self.opened += opens
            self.closed += not opens

    @property
    def held(self) -> int:
        return self.opened - self.closed


async def test_of_pages_that_freeze_or_crash_another_takes_the_stream_and_one_holds_it(
    pages: Pages, gateway: LocalGateway
) -> None:
    context = await pages.context()
    streams = Streams(context)
    leader = await context.new_page()
    await pages.sign_in(leader, gateway.api_key)
    await leader.wait_for_function(LIVE)
    others = [await context.new_page() for _ in range(3)]
    for page in others:
        await page.goto(pages.url + "/sessions")
        await page.wait_for_function(LIVE)
    assert streams.held == 1
    # A page that is frozen keeps its lock, so another has to take it; several want to at once.
    frozen = await context.new_cdp_session(leader)
    await frozen.send("Debugger.enable")
    await frozen.send("Debugger.pause")
    for page in others:
        await page.wait_for_function(_further(await _clock(page)), timeout=15000)
        assert not await page.evaluate(STALE)
    await frozen.send("Debugger.resume")
    await frozen.send("Debugger.disable")
    await leader.wait_for_function(_further(await _clock(others[0])), timeout=15000)
    await _settled(streams, others[0])
    opened = streams.opened
    with contextlib.suppress(Exception):
        await others[0].goto("chrome://crash", timeout=500)
    for page in others[1:]:
        await page.wait_for_function(_further(await _clock(page)), timeout=15000)
    # Of a page that has crashed nobody tells that its stream has ended; no more than one takes its place.
    assert streams.opened <= opened + 1


async def _settled(streams: Streams, page: Any) -> None:
    for _ in range(30):
        if streams.held == 1:
            return
        await page.wait_for_timeout(100)
    assert streams.held == 1
