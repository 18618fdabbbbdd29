"""Alarms in the dashboard: what an operator shelves there is shelved in the plant, and stands in the audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.alarm_gateway import alarm_gateway, audited
from tests.support.alarm_link import ScriptedLink
from tests.support.dashboard import Browser
from tests.support.gateway import LiveGateway
from tests.support.waiting import eventually

HTTP = {"operations.enabled": True, "operations.listen": "", "operations.listen_plaintext": "127.0.0.1:0"}


async def shown(gateway: LiveGateway, browser: Browser, *, after: int) -> dict[str, Any]:
    """The only alarm of the list, once there is a change behind that one."""
    await eventually(lambda: newest_change(gateway) > after)
    (alarm,) = (await browser.get("/api/v1/alarms")).json()["alarms"]
    return dict(alarm)


def newest_change(gateway: LiveGateway) -> int:
    alarms = gateway.status().alarms
    assert alarms is not None
    return alarms.newest_change


async def test_what_is_shelved_in_the_dashboard_is_shelved_in_the_plant_and_recorded(tmp_path: Path) -> None:
    link = ScriptedLink(3)
    link.happen(0, "on")
    async with alarm_gateway(tmp_path, link, **HTTP) as gateway:
        browser = Browser(gateway.running.urls[0])
        signed_in = await browser.sign_in({"key": gateway.key})
        assert signed_in.json()["features"]["shelveHours"] == 8.0
        # What pages show of the monitor, whatever its figures are counted by.
        gateway.gateway.parts.dashboard.sample()  # type: ignore[union-attr]
        assert (await browser.get("/api/v1/snapshot")).json()["alarms"]["state"] == "live"
        (alarm,) = (await browser.get("/api/v1/alarms")).json()["alarms"]
        target = {"reference": alarm["alarmFullReference"], "guid": alarm.get("alarmGuid", "")}

        async def shelve(**more: object) -> dict[str, object]:
            answer = await browser.post("/api/v1/alarms/shelve", {"alarms": [target], **more})
            return {"status": answer.status, **answer.json()}

        before = newest_change(gateway)
        done = await shelve(minutes=15, reason="night shift: valve is out")
        assert [each["outcome"] for each in done["results"]] == ["ALARM_SHELVE_OUTCOME_DONE"]  # type: ignore[attr-defined]
        command = next(each.shelve_alarm for each in link.commands if each.WhichOneof("payload") == "shelve_alarm")
        assert (command.duration.seconds, command.reason) == (900, "night shift: valve is out")
        assert (await shown(gateway, browser, after=before))["shelved"] is True
        record = (await audited(gateway, "alarm.shelve"))[0]
        assert (record.target, record.key_id, record.outcome) == (link.reference(0), "tester", "done")
        assert (record.actor, record.origin) == ("key:tester", "dashboard")
        assert (await shelve(minutes=9 * 60, reason="too long"))["status"] == 400
        assert (await shelve(minutes=15))["status"] == 400
        before = newest_change(gateway)
        await shelve(minutes=0)
        assert "shelved" not in await shown(gateway, browser, after=before)
        assert (await audited(gateway, "alarm.unshelve"))[0].target == link.reference(0)
        seen = await browser.post("/api/v1/alarms/acknowledge", {"alarms": [target], "comment": "seen"})
        assert [each["outcome"] for each in seen.json()["results"]] == ["ALARM_ACK_OUTCOME_ACKNOWLEDGED"]
