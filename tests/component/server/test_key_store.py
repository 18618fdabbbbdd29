"""The key store on SQLite and on a real PostgreSQL: the same promises, whatever other processes do meanwhile."""

from __future__ import annotations

import asyncio
import base64
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.support.clock import ManualClock
from tests.support.key_store import PEPPER, READ
from tests.support.postgres import running_postgres

from mxgateway_contract.commands import Scope
from mxgateway_contract.private_files import write_private
from mxgateway_server.access import tables
from mxgateway_server.access.peppers import Pepper, PepperFile, PepperVariable
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.errors import ConfigurationError, StoreError

pytestmark = [pytest.mark.shares_processes]

Fresh = Callable[[], str]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Gives the address of a new, empty database."""
    if request.param == "sqlite":
        return lambda: str(tmp_path / f"keys-{secrets.token_hex(4)}.db")
    url = sa.make_url(request.getfixturevalue("postgres"))

    def make() -> str:
        name = f"keys_{secrets.token_hex(4)}"
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return url.set(database=name).render_as_string(hide_password=False)

    return make


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(fresh: Fresh, clock: ManualClock) -> AsyncIterator[KeyStore]:
    opened = await KeyStore.open(fresh(), PEPPER, clock)
    yield opened
    await opened.close()


async def tamper(store: KeyStore, *statements: str) -> None:
    """What somebody with the database's password does."""
    name = store.name if "://" in store.name else f"sqlite+aiosqlite:///{store.name}"
    engine = create_async_engine(name, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)
    finally:
        await engine.dispose()


def records(count: int) -> list[AuditRecord]:
    return [
        AuditRecord(event="write", key_id="k", target=f"Tag_{number}.PV", outcome="accepted", details={"n": number})
        for number in range(count)
    ]


# ---------------------------------------------------------------------------------------------------- several at once


async def test_several_gateways_may_start_at_once_on_an_empty_store(fresh: Fresh, clock: ManualClock) -> None:
    database = fresh()
    stores = await asyncio.gather(*(KeyStore.open(database, PEPPER, clock) for _ in range(6)))
    await asyncio.gather(*(store.create(f"k{number}", "x", READ) for number, store in enumerate(stores)))
    await asyncio.gather(*(store.record(records(20)) for store in stores for _ in range(3)))
    report = await stores[0].audit.verify()
    assert (report.records, report.findings) == (6 + 6 * 3 * 20, ())
    for store in stores:
        await store.close()


async def test_readers_never_wait_for_a_writer(fresh: Fresh, clock: ManualClock) -> None:
    """Another process holds the writers' lock: whoever shows a key is checked all the same, and at once."""
    opened = await KeyStore.open(fresh(), PEPPER, clock)
    await opened.create("k", "x", READ)
    name = opened.name if "://" in opened.name else f"sqlite+aiosqlite:///{opened.name}"
    engine = create_async_engine(name, poolclass=NullPool)
    lock = "BEGIN IMMEDIATE" if "sqlite" in name else "LOCK TABLE audit, facts, api_keys IN EXCLUSIVE MODE"
    try:
        async with engine.connect() as holder:
            await holder.exec_driver_sql(lock)
            waiting = asyncio.create_task(opened.record(records(1)))
            async with asyncio.timeout(3):
                found = [await opened.get("k") for _ in range(20)]
                await opened.keys_version()
            assert all(found)
            assert not waiting.done()
            await holder.rollback()
        await waiting
    finally:
        await engine.dispose()
        await opened.close()


async def test_each_change_of_a_key_shows_in_one_counter_whoever_makes_it(store: KeyStore) -> None:
    seen = [await store.keys_version()]

    async def changed() -> bool:
        seen.append(await store.keys_version())
        return seen[-1] != seen[-2]

    await store.create("k", "x", READ)
    assert await changed()
    await store.rotate("k")
    assert await changed()
    await store.mark_used({"k": 5})
    await store.record(records(3))
    assert not await changed()
    for change in ("expires_ns = 1", "certificate = 'sha256:00'"):
        await tamper(store, f"UPDATE api_keys SET {change} WHERE key_id = 'k'")
        assert await changed()
    await store.revoke("k")
    assert await changed()
    await store.delete("k")
    assert await changed()


# ---------------------------------------------------------------------------------------------------------- the audit


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET outcome = 'failed' WHERE id = 3",
        "UPDATE audit SET target = target",
        "DELETE FROM audit WHERE id = 3",
        "DELETE FROM audit",
    ],
)
async def test_the_audit_takes_no_change_and_no_removal(store: KeyStore, statement: str) -> None:
    await store.record(records(5))
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await tamper(store, statement)
    assert len(await store.read_audit()) == 5


DROP = {
    "sqlite": ["DROP TRIGGER audit_update", "DROP TRIGGER audit_delete"],
    "postgresql": ["DROP TRIGGER audit_update ON audit", "DROP TRIGGER audit_delete ON audit"],
}


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE audit SET outcome = 'failed' WHERE id = 3", 3),
        ("UPDATE audit SET at_ns = at_ns + 1 WHERE id = 1", 1),
        ("UPDATE audit SET key_id = 'other' WHERE id = 5", 5),
        ("UPDATE audit SET chain = NULL WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 3", 4),
        ("DELETE FROM audit WHERE id = 5", 4),
        ("DELETE FROM audit WHERE id < 4", 4),
        ("DELETE FROM audit", 0),
    ],
)
async def test_whoever_takes_the_triggers_away_is_found_by_the_chain(
    store: KeyStore, statement: str, place: int
) -> None:
    await store.record(records(5))
    assert (await store.audit.verify()).findings == ()
    kind = "sqlite" if "://" not in store.name else "postgresql"
    await tamper(store, *DROP[kind], statement)
    report = await store.audit.verify()
    assert report.findings[0].record_id == place


async def test_a_record_that_was_added_by_hand_is_found(store: KeyStore) -> None:
    await store.record(records(5))
    await tamper(
        store,
        "INSERT INTO audit (id, at_ns, event, key_id, remote_address, session_id, correlation_id, target, outcome,"
        " details) VALUES (6, 1, 'write', 'k', '', '', '', 'T', 'accepted', '{}')",
    )
    assert [finding.record_id for finding in (await store.audit.verify()).findings] == [6]


async def test_a_changed_note_of_the_end_stops_the_audit_and_is_found(store: KeyStore) -> None:
    await store.record(records(5))
    await tamper(store, "UPDATE facts SET value = '3:3:abc:def' WHERE name = 'audit_head'")
    with pytest.raises(StoreError, match="audit verify"):
        await store.record(records(1))
    assert (await store.audit.verify()).findings[0].record_id == 0


async def test_an_old_copy_is_found_by_a_head_noted_elsewhere(fresh: Fresh, clock: ManualClock) -> None:
    opened = await KeyStore.open(fresh(), PEPPER, clock)
    await opened.record(records(5))
    early = (await opened.audit.verify()).head
    await opened.record(records(5))
    late = (await opened.audit.verify()).head
    assert (await opened.audit.verify(early)).findings == ()
    assert (await opened.audit.verify(late)).findings == ()
    assert (await opened.audit.verify("ab" * 32)).findings[0].record_id == 0
    await opened.close()


async def test_records_go_for_their_age_and_the_rest_still_holds(store: KeyStore) -> None:
    for at_ns in (10, 20, 30, 40):
        await store.record([AuditRecord(event="write", key_id="k", at_ns=at_ns)])
    assert await store.prune_audit(25) == 2
    assert (await store.audit.verify()).findings == ()
    await store.record(records(3))
    assert await store.prune_audit(45) == 2
    assert (await store.audit.verify()).findings == ()
    assert await store.prune_audit(2**62) == 3
    await store.record(records(2))
    report = await store.audit.verify()
    assert (report.records, report.findings) == (2, ())
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await tamper(store, "DELETE FROM audit")


async def test_the_audit_is_asked_by_key_tag_session_and_outcome(store: KeyStore) -> None:
    await store.record(
        [
            AuditRecord(event="write", key_id="a", target="Tank_1.PV", session_id="s1", outcome="accepted", at_ns=1),
            AuditRecord(event="denied", key_id="b", target="Tank_2.PV", session_id="s2", outcome="no", at_ns=2),
            AuditRecord(event="write", key_id="a", target="Line%1.SP", session_id="s2", outcome="failed", at_ns=3),
        ]
    )

    async def asked(**query: Any) -> list[int]:
        return [record.at_ns for record in await store.audit.read(AuditQuery(**query))]

    assert await asked(key_id="a") == [1, 3]
    assert await asked(tag="tank_?.pv") == [1, 2]
    assert await asked(tag="*.SP") == [3]
    assert await asked(tag="line%*") == [3]
    assert await asked(tag="Tank%") == []
    assert await asked(session_id="s2", event="write") == [3]
    assert await asked(outcome="accepted") == [1]
    assert await asked(since_ns=2, until_ns=3) == [2]
    assert await asked(limit=1) == [3]
    assert await asked(after_id=2) == [3]


async def test_what_callers_send_is_stored_whatever_it_is(store: KeyStore) -> None:
    odd = AuditRecord(event="denied", key_id="k", target="T\x00\x1b", details={"text": "a\x00b", "n": 1.5, "l": [None]})
    await store.record([odd])
    assert (await store.audit.verify()).findings == ()


async def test_a_key_that_was_sent_as_correlation_id_is_not_kept(store: KeyStore) -> None:
    await store.record([AuditRecord(event="denied", key_id="k", correlation_id="mxgw_k_" + "s" * 43)])
    assert "ssss" not in str(await store.read_audit())


# --------------------------------------------------------------------------------------------------------- the pepper


async def test_a_pepper_is_made_once_by_however_many_start(fresh: Fresh, clock: ManualClock, tmp_path: Path) -> None:
    database, file = fresh(), PepperFile(tmp_path / "pepper")
    stores = await asyncio.gather(*(KeyStore.open(database, file, clock) for _ in range(5)))
    assert len({store.peppers.newest.verifier for store in stores}) == 1
    for store in stores:
        await store.close()


@pytest.mark.parametrize("proof", ["created", "used"])
async def test_a_lost_or_foreign_pepper_refuses_the_start(
    fresh: Fresh, clock: ManualClock, tmp_path: Path, proof: str
) -> None:
    database, file = fresh(), PepperFile(tmp_path / "pepper")
    opened = await KeyStore.open(database, file, clock)
    await opened.create("k", "x", READ)
    if proof == "used":
        # As a store of an earlier version has it, until a caller was let in.
        await tamper(opened, "DELETE FROM facts WHERE name = 'pepper'")
        await opened.mark_used({"k": 1})
    await opened.close()
    right = file.path.read_bytes()
    file.path.unlink()
    with pytest.raises(ConfigurationError, match=r"pepper_file is gone.*restore"):
        await KeyStore.open(database, file, clock)
    assert not file.path.exists()
    with pytest.raises(ConfigurationError, match=r"not the one.*restore"):
        await KeyStore.open(database, Pepper(b"f" * 32), clock)
    write_private(file.path, right)
    await (await KeyStore.open(database, file, clock)).close()


async def test_keys_without_a_known_pepper_are_not_given_a_new_one(
    fresh: Fresh, clock: ManualClock, tmp_path: Path
) -> None:
    database = fresh()
    opened = await KeyStore.open(database, PEPPER, clock)
    await opened.create("k", "x", READ)
    await tamper(opened, "DELETE FROM facts WHERE name = 'pepper'")
    await opened.close()
    with pytest.raises(ConfigurationError, match="pepper_file is gone"):
        await KeyStore.open(database, PepperFile(tmp_path / "pepper"), clock)


async def test_a_pepper_is_replaced_and_the_audits_chain_goes_on(
    fresh: Fresh, clock: ManualClock, tmp_path: Path
) -> None:
    database, file = fresh(), PepperFile(tmp_path / "pepper")
    opened = await KeyStore.open(database, file, clock)
    await opened.create("old", "x", READ)
    await opened.record(records(3))
    file.add()
    await opened.take_new_pepper()
    await opened.create("new", "x", READ)
    newest, older = await opened.pepper_uses()
    assert [(use.key_ids, use.is_newest) for use in (newest, older)] == [(("new",), True), (("old",), False)]
    await opened.rotate("old")
    file.retire(frozenset({older.pepper_id}))
    await opened.close()
    again = await KeyStore.open(database, file, clock)
    assert [use.key_ids for use in await again.pepper_uses()] == [("new", "old")]
    await again.record(records(2))
    report = await again.audit.verify()
    assert (report.findings, report.unchained) == ((), 0)
    await again.close()


async def test_a_start_without_a_pepper_that_keys_need_is_refused_and_can_be_mended(
    fresh: Fresh, clock: ManualClock, tmp_path: Path
) -> None:
    database, file = fresh(), PepperFile(tmp_path / "pepper")
    opened = await KeyStore.open(database, file, clock)
    for name in ("a", "b", "c"):
        await opened.create(name, "x", READ)
    await opened.revoke("c")
    file.add()
    await opened.take_new_pepper()
    await opened.close()
    lost = file.load()[1].pepper_id
    file.retire(frozenset({lost}))
    with pytest.raises(ConfigurationError, match=rf"pepper_file lacks the pepper {lost}.*\(a, b\).*rotate.*revoke"):
        await KeyStore.open(database, file, clock)
    mending = await KeyStore.open(database, file, clock, needs_all_peppers=False)
    await mending.rotate("a")
    await mending.revoke("b")
    await mending.close()
    await (await KeyStore.open(database, file, clock)).close()


async def test_a_newer_pepper_that_an_operator_puts_first_is_taken_up_at_the_start(
    fresh: Fresh, clock: ManualClock
) -> None:
    old, new = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
    database, environment = fresh(), {"P": old}
    source = PepperVariable("P", environment)
    opened = await KeyStore.open(database, source, clock)
    await opened.create("k", "x", READ)
    before = await opened.keys_version()
    environment["P"] = f"{new} {old}"
    await (await KeyStore.open(database, source, clock)).close()
    # Another gateway that runs already knows that keys may have changed, and has both from then on.
    assert await opened.keys_version() != before
    await opened.list_keys()
    assert len(list(opened.peppers)) == 2
    await opened.close()
    environment["P"] = new
    with pytest.raises(ConfigurationError, match="pepper_variable lacks the pepper"):
        await KeyStore.open(database, source, clock)


# ------------------------------------------------------------------------------------------------ the earlier version


async def test_a_store_of_version_1_goes_on(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "keys.db"
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);
            INSERT INTO schema_version VALUES (1);
            CREATE TABLE api_keys (key_id VARCHAR(64) NOT NULL PRIMARY KEY, display_name VARCHAR(200) NOT NULL,
                secret_hash BLOB NOT NULL, scopes JSON NOT NULL, constraints JSON NOT NULL, created_ns BIGINT NOT NULL,
                not_before_ns BIGINT, expires_ns BIGINT, last_used_ns BIGINT, revoked_ns BIGINT);
            CREATE TABLE audit (id INTEGER NOT NULL PRIMARY KEY, at_ns BIGINT NOT NULL, event VARCHAR(40) NOT NULL,
                key_id VARCHAR(64) NOT NULL, remote_address VARCHAR(100) NOT NULL, session_id VARCHAR(64) NOT NULL,
                correlation_id VARCHAR(200) NOT NULL, target VARCHAR(1100) NOT NULL, outcome VARCHAR(60) NOT NULL,
                details JSON NOT NULL);
            INSERT INTO audit VALUES (1, 1, 'write', 'k', '', '', '', 'T', 'accepted', '{}'),
                (2, 2, 'write', 'k', '', '', '', 'T', 'accepted', '{}');
            INSERT INTO api_keys VALUES ('k', 'x', x'00', '["invoke:read"]', '{}', 1, NULL, NULL, NULL, NULL);
            """
        )
    opened = await KeyStore.open(str(path), PEPPER, clock)
    await opened.record(records(3))
    report = await opened.audit.verify()
    assert (report.records, report.unchained, report.findings) == (5, 2, ())
    assert [record.key_id for record in await opened.read_audit()] == ["k"] * 5
    (key,) = await opened.list_keys()
    # Its scopes were chosen when there was one less.
    assert (key.key_id, key.newer_scopes) == ("k", (Scope.INVOKE_SUPERVISORY,))
    assert (await opened.change("k", scopes=READ)).newer_scopes == ()
    assert tables.CURRENT_VERSION == 5
    await opened.close()
