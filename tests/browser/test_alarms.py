"""Alarms in the dashboard, on a phone: what they are called, acknowledging and shelving them, and what came of it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.browser.conftest import Pages
from tests.browser.test_pages import judge

from mxgateway.testing import LocalGateway

ALARM = "TestMachine_002.TestAlarm003"


async def answered(page: Any, button: str, field: str, text: str) -> None:
    """Fills the dialog that stands open, and sends it."""
    dialog = page.get_by_role("dialog")
    if field:
        await dialog.get_by_label(field).fill(text)
    await dialog.get_by_role("button", name=button, exact=True).click()
    await dialog.wait_for(state="detached")


async def test_on_a_phone_alarms_have_their_names_and_whoever_acts_is_told_what_came_of_it(
    pages: Pages, gateway: LocalGateway
) -> None:
    await asyncio.to_thread(gateway.plant.raise_alarm, ALARM)
    page = await (await pages.context(width=390)).new_page()
    await pages.sign_in(page, gateway.api_key, f"/alarms?q={ALARM}")
    row = page.get_by_role("row", name=ALARM)
    state = row.get_by_text("active, not acknowledged")
    await state.wait_for()
    name = await row.get_by_text(ALARM, exact=True).bounding_box()
    shown = await state.bounding_box()
    is_above, is_before = name["y"] + name["height"] <= shown["y"], name["x"] + name["width"] <= shown["x"]
    assert is_above or is_before, "neither hides the other"
    assert max(each["x"] + each["width"] for each in (name, shown)) <= 390, "both without moving the table"

    told = page.get_by_role("status")
    await row.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Acknowledge 1 selected").click()
    await answered(page, "Acknowledge", "Comment", "seen")
    await told.get_by_text("The alarm: acknowledged.").wait_for()
    await row.get_by_text("active, acknowledged").wait_for()
    assert await judge(page, "what was told") == []

    await row.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Shelve …").click()
    await answered(page, "Shelve", "Reason", "the valve is out")
    await told.get_by_text("The alarm: shelved.").wait_for()
    await row.get_by_text("active, acknowledged, shelved").wait_for()

    await row.get_by_role("checkbox").check()
    await page.get_by_role("button", name="End the shelving …").click()
    await answered(page, "End it", "", "")
    await told.get_by_text("The alarm: no longer shelved.").wait_for()
    await asyncio.to_thread(gateway.plant.release_alarm, ALARM)
