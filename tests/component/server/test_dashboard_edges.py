"""The dashboard when its surroundings fail, and when several people want the same at once."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.dashboard import dashboard_rig
from tests.support.gateway import open_store
from tests.support.waiting import eventually

from mxgateway_server.access.audit_pages import AuditPages
from mxgateway_server.access.database import Database
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.dashboard import streaming
from mxgateway_server.errors import StoreError


async def test_with_a_store_that_is_away_pages_go_on_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise OSError("the disk is gone")

    async with dashboard_rig(tmp_path) as rig:
        admin = await rig.browser("admin")
        session = await rig.gateway.open()
        rig.gateway.gateway.parts.dashboard.sample()  # type: ignore[union-attr]
        with monkeypatch.context() as patch:
            patch.setattr("mxgateway_server.access.store.KeyStore.keys_version", gone)
            patch.setattr("mxgateway_server.access.store.KeyStore.listed", gone, raising=False)
            patch.setattr("mxgateway_server.access.audit_pages.AuditPages.page", gone)
            for path in ("/api/v1/snapshot", "/api/v1/boot", f"/api/v1/sessions/{session}", "/api/v1/logs"):
                assert (await admin.get(path)).status == 200, path
            for path, body in (
                ("/api/v1/sessions/close", {"sessions": [session]}),
                ("/api/v1/keys", {"keyId": "k", "displayName": "k", "scopes": ["dashboard:view"], "days": 1}),
                (f"/api/v1/sessions/{session}/kill", {"reason": "x", "confirm": session[-6:]}),
            ):
                refused = await admin.post(path, body)
                assert (refused.status, refused.json()["reason"]) == (503, "KEY_STORE_UNAVAILABLE"), path
                assert "authentication.database" in refused.json()["remedy"]
            listed = await admin.get("/api/v1/audit")
            assert (listed.status, listed.json()["reason"]) == (503, "STORE_UNAVAILABLE")
        assert (await admin.get("/api/v1/audit")).status == 200
        closed = (await admin.post("/api/v1/sessions/close", {"sessions": [session]})).json()["results"]
        assert [each["outcome"] for each in closed] == ["closed"]


async def test_of_three_who_end_one_session_each_hears_what_became_of_it(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        admins = [await rig.browser("admin") for _ in range(3)]
        session = await rig.gateway.open()
        kill = {"reason": "hangs", "confirm": session[-6:]}
        answers = await asyncio.gather(
            admins[0].post(f"/api/v1/sessions/{session}/kill", kill),
            admins[1].post(f"/api/v1/sessions/{session}/kill", kill),
            admins[2].post("/api/v1/sessions/close", {"sessions": [session], "reason": "shift"}),
        )
        assert all(answer.status in (200, 409) for answer in answers)
        totals = rig.gateway.status().session_totals
        assert (totals.opened, totals.closed) == (1, 1), "one ending, counted once"
        ended = (await admins[0].get("/api/v1/sessions/ended")).json()["sessions"]
        assert [each["sessionId"] for each in ended] == [session]
        assert len(await rig.audit("dashboard.session-kill")) + len(await rig.audit("dashboard.session-close")) == 3


async def test_a_reader_who_takes_nothing_is_let_go_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SLOW_SECONDS", 0.05)
    async with dashboard_rig(tmp_path) as rig:
        dashboard: Any = rig.gateway.gateway.parts.dashboard
        dashboard.sample()
        browser = await rig.browser("viewer")
        (login,) = [each for each in dashboard._book.logins if each.key.key_id == "viewer"]
        blocked = asyncio.Event()

        async def send(message: Any) -> None:
            if message.get("body", b"").startswith(b"event: frame"):
                await blocked.wait()

        async with asyncio.timeout(10):
            await dashboard.streams._send_all(login, send)
        assert dashboard.streams.slow == 1
        assert (await browser.get("/api/v1/snapshot")).status == 200


async def test_a_page_of_the_audit_reads_along_an_index_however_many_records_there_are(tmp_path: Path) -> None:
    """What makes the first page of millions as fast as that of hundreds: no scan and no sort in its plan."""
    async with dashboard_rig(tmp_path) as rig:
        store = await open_store(rig.gateway.settings)
        try:
            await store.record(
                [
                    AuditRecord(event="write", key_id=f"key-{number % 7}", target=f"Tank_{number}.L")
                    for number in range(300)
                ]
            )
        finally:
            await store.close()
        await eventually(lambda: rig.gateway.status().audit.waiting == 0)
        rules = rig.gateway.gateway.parts.dashboard.application.rules  # type: ignore[union-attr]
        (route,) = (rule for rule in rules if rule.path == "/api/v1/audit")
        database: Database = route.handler.__self__._pages._database  # type: ignore[attr-defined]
        for where in ("1 = 1", "event = 'login'", "key_id = 'key-3'"):
            async with database.read() as connection:
                plan = await connection.execute(
                    text(f"EXPLAIN QUERY PLAN SELECT * FROM audit WHERE {where} ORDER BY id DESC LIMIT 101")
                )
                steps = [str(row[-1]) for row in plan]
            assert not any("TEMP B-TREE" in step for step in steps), (where, steps)
        pages = AuditPages(database, seconds=0.0)
        with pytest.raises(StoreError, match="too many records"):
            await pages.page(dataclasses.replace(AuditQuery(limit=100), tag="Tank_*"))


async def test_an_unexpected_error_tells_the_page_nothing_of_itself_and_a_picture_that_fails_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("SENTINEL: a connection string")

    async with dashboard_rig(tmp_path) as rig:
        dashboard: Any = rig.gateway.gateway.parts.dashboard
        dashboard.sample()
        viewer = await rig.browser("viewer")
        with monkeypatch.context() as patch:
            patch.setattr(dashboard.sampler, "history", broken)
            patch.setattr(dashboard.sampler, "take", broken)
            # It samples by itself, too; from here on nothing comes of it.
            before = dashboard.feed.newest.number
            answer = await viewer.get("/api/v1/history?span=5m")
            assert (answer.status, answer.json()["reason"]) == (500, "INTERNAL")
            assert b"SENTINEL" not in answer.body
            dashboard.sample()
            assert (await viewer.get("/api/v1/snapshot")).json()["n"] == before
        dashboard.sample()
        assert (await viewer.get("/api/v1/snapshot")).json()["n"] > before
