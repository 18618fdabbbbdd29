"""Signing in without a key, by a provider that this project did not write."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.browser.conftest import SHOTS, Pages
from tests.browser.test_outages import serving
from tests.browser.test_pages import judge
from tests.support.waiting import eventually

PERSON = {"sub": "anna", "preferred_username": "anna.berg", "name": "Anna Berg", "groups": ["plant-operators"]}


def is_listening(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)),
        *("--user-claims", json.dumps(PERSON)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: is_listening(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_a_person_signs_in_by_a_provider_goes_on_where_he_was_and_out_again(pages: Pages, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("any", encoding="utf-8")
    async with provider() as issuer:
        settings = {
            "MXGATEWAY__DASHBOARD__OIDC__ISSUER": issuer,
            "MXGATEWAY__DASHBOARD__OIDC__CLIENT_ID": "gateway",
            "MXGATEWAY__DASHBOARD__OIDC__BUTTON": "the plant's account",
            "MXGATEWAY__DASHBOARD__OIDC__CLIENT_SECRET_FILE": str(secret),
            "MXGATEWAY__DASHBOARD__ROLES": '{"plant-operators" = "operator"}',
        }
        async with serving(tmp_path / "state", "localhost:0", **settings) as (_, url):
            context = await pages.context()
            page = await context.new_page()
            await page.goto(url + "/sessions?s.sort=name")
            button = page.get_by_role("button", name="Sign in with the plant's account")
            await button.wait_for()
            assert await judge(page, "login") == []
            SHOTS.mkdir(parents=True, exist_ok=True)
            await page.screenshot(path=SHOTS / "login-people-1280-light.png")
            await button.click()
            await page.get_by_role("button", name="anna").click()
            await page.get_by_role("heading", name="Sessions").wait_for()
            assert page.url == url + "/sessions?s.sort=name"
            await page.locator(".who summary").click()
            await page.locator(".who .sheet").get_by_text("oidc:anna.berg").wait_for()
            assert await page.get_by_role("link", name="Settings").count() == 0
            async with page.expect_request(lambda request: request.url.startswith(f"{issuer}/oauth2/end_session?")):
                await page.get_by_role("button", name="Sign out", exact=True).click()
            # This page is on its way to the provider and back.
            other = await context.new_page()
            await other.goto(url + "/sessions")
            await other.get_by_role("button", name="Sign in with the plant's account").wait_for()
