"""Who did it stands in the audit, by which door, and within the chain; pages go on where the last one ended."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.clock import ManualClock

from mxgateway_server.access.actors import Actor, acting, console_actor
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.audit_pages import AuditPages
from mxgateway_server.access.database import Database
from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.errors import StoreError

ANNA = Actor("oidc:anna", "dashboard")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[KeyStore]:
    opened = await KeyStore.open(str(tmp_path / "keys.db"), PepperFile(tmp_path / "pepper"), ManualClock())
    yield opened
    await opened.close()


async def test_who_acts_is_noted_be_it_the_console_a_person_or_a_key(store: KeyStore) -> None:
    with acting(console_actor()):
        await store.create("line4", "line 4", ["invoke:read"])
    with acting(ANNA):
        await store.revoke("line4")
    await store.record([AuditRecord(event="write", key_id="line4"), AuditRecord(event="authentication-failed")])
    found = [(each.event, each.actor, each.origin) for each in await store.read_audit()]
    assert found == [
        ("key-created", console_actor().name, "cli"),
        ("key-revoked", "oidc:anna", "dashboard"),
        ("write", "key:line4", "rpc"),
        ("authentication-failed", "", ""),
    ]
    assert [each.event for each in await store.audit.read(AuditQuery(actor="oidc:anna"))] == ["key-revoked"]
    assert [each.event for each in await store.audit.read(AuditQuery(origin="cli"))] == ["key-created"]


async def test_a_record_that_is_stored_later_keeps_who_acted_when_it_was_made(store: KeyStore) -> None:
    log = AuditLog(store, ManualClock())
    with acting(ANNA):
        log.add(AuditRecord(event="session-closed", target="session-1"))
    log.close()
    await log.run()
    (record,) = await store.read_audit()
    assert (record.actor, record.origin) == ("oidc:anna", "dashboard")


@pytest.mark.parametrize("change", ["actor = 'oidc:bert'", "actor = ''", "origin = 'cli'"])
async def test_another_actor_does_not_pass_for_this_one(store: KeyStore, tmp_path: Path, change: str) -> None:
    await store.record([AuditRecord(event="write", key_id="line4")])
    assert not (await store.audit.verify()).findings
    with closing(sqlite3.connect(tmp_path / "keys.db")) as connection:
        connection.execute("DROP TRIGGER audit_update")
        connection.execute(f"UPDATE audit SET {change}")
        connection.commit()
    assert (await store.audit.verify()).findings


async def test_pages_go_on_where_the_last_one_ended_while_records_are_added(store: KeyStore, tmp_path: Path) -> None:
    await store.record([AuditRecord(event="write", target=str(number)) for number in range(7)])
    pages = AuditPages(Database.connect(str(tmp_path / "keys.db")))
    seen, query = [], AuditQuery(event="write", limit=3)
    try:
        while True:
            page = await pages.page(query)
            seen += [each.target for each in page.records]
            await store.record([AuditRecord(event="write", target="younger")])
            if page.before_id is None:
                break
            query = AuditQuery(event="write", limit=3, before_id=page.before_id)
    finally:
        await pages.close()
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


async def test_a_question_that_takes_too_long_is_told_so(store: KeyStore, tmp_path: Path) -> None:
    pages = AuditPages(Database.connect(str(tmp_path / "keys.db")), seconds=0.0)
    try:
        with pytest.raises(StoreError, match="shorter time"):
            await pages.page(AuditQuery())
    finally:
        await pages.close()
