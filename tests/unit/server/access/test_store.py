"""The key store: the life of a key, the schema, several processes at once, and what is told of a store out of order."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import sqlalchemy as sa
from tests.support.clock import ManualClock
from tests.support.key_store import PEPPER, READ

from mxgateway_server.access import tables
from mxgateway_server.access.constraints import Constraints
from mxgateway_server.access.database import Database, set_pragmas
from mxgateway_server.access.peppers import Pepper
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.store import KeyStore
from mxgateway_server.errors import (
    ConfigurationError,
    KeyExistsError,
    KeyNotFoundError,
    KeyStateError,
    SchemaVersionError,
)


async def test_the_raw_key_is_given_once_and_only_its_hash_is_stored(store: KeyStore, tmp_path: Path) -> None:
    raw = await store.create("demo", "Demo", ["invoke:read", "admin"])
    secret = raw.removeprefix("mxgw_demo_")
    record = await store.get("demo")
    assert record is not None
    assert record.scopes == (Scope.ADMIN, Scope.INVOKE_READ)
    assert PEPPER.verify(secret, record.secret_hash)
    assert not Pepper(b"q" * 32).verify(secret, record.secret_hash)
    assert repr(record.secret_hash) not in repr(record)
    stored = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.iterdir()])
    assert not [data for data in stored if secret.encode() in data]


@pytest.mark.parametrize("key_id", ["", "a_b", "a b", "-a", "a/b", "x" * 65, "ä"])
async def test_ids_that_cannot_stand_in_a_key_are_refused(store: KeyStore, key_id: str) -> None:
    with pytest.raises(ValueError, match="key id"):
        await store.create(key_id, "x", READ)


@pytest.mark.parametrize("scopes", [[], ["plant:own"], [""]])
async def test_no_scope_and_unknown_scopes_are_refused(store: KeyStore, scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scope"):
        await store.create("a", "x", scopes)
    assert await store.get("a") is None


async def test_an_id_is_taken_for_good_even_by_a_revoked_key(store: KeyStore) -> None:
    await store.create("a", "x", READ)
    await store.revoke("a")
    with pytest.raises(KeyExistsError):
        await store.create("a", "x", READ)


async def test_revoking_is_for_good_and_rotating_does_not_bring_a_key_back(store: KeyStore) -> None:
    await store.create("a", "x", READ)
    assert await store.revoke("a")
    assert not await store.revoke("a")
    with pytest.raises(KeyStateError, match="revoked"):
        await store.rotate("a")
    record = await store.get("a")
    assert record is not None
    assert record.refusal(0) == "KeyRevoked"


async def test_rotating_voids_the_old_secret_and_forgets_the_last_use(store: KeyStore) -> None:
    old = await store.create("a", "x", READ)
    await store.mark_used({"a": 5})
    new = await store.rotate("a")
    record = await store.get("a")
    assert record is not None
    assert not PEPPER.verify(old.removeprefix("mxgw_a_"), record.secret_hash)
    assert PEPPER.verify(new.removeprefix("mxgw_a_"), record.secret_hash)
    assert record.last_used_ns is None


async def test_only_a_revoked_key_can_be_deleted_and_its_audit_stays(store: KeyStore) -> None:
    await store.create("a", "x", READ)
    with pytest.raises(KeyStateError, match="revoke it first"):
        await store.delete("a")
    await store.revoke("a")
    await store.delete("a")
    assert await store.get("a") is None
    events = [record.event for record in await store.read_audit(key_id="a")]
    assert events == ["key-created", "key-revoked", "key-deleted"]


@pytest.mark.parametrize("action", ["revoke", "rotate", "delete"])
async def test_what_is_done_to_an_unknown_key_says_so(store: KeyStore, action: str) -> None:
    with pytest.raises(KeyNotFoundError):
        await getattr(store, action)("nobody")


async def test_validity_has_a_begin_and_an_end(store: KeyStore) -> None:
    await store.create("a", "x", READ, not_before_ns=10, expires_ns=20)
    record = await store.get("a")
    assert record is not None
    assert [record.refusal(now) for now in (9, 10, 19, 20)] == ["KeyNotYetValid", None, None, "KeyExpired"]
    with pytest.raises(ValueError, match="expire"):
        await store.create("b", "x", READ, not_before_ns=10, expires_ns=10)


async def test_constraints_are_kept_with_the_key(store: KeyStore) -> None:
    limits = Constraints(write_tag_globs=("A*",), max_write_classification=2)
    await store.create("a", "x", READ, limits)
    record = await store.get("a")
    assert record is not None
    assert record.constraints == limits


async def test_what_a_key_may_do_is_changed_and_its_secret_stays(store: KeyStore) -> None:
    raw = await store.create("a", "A", ["invoke:read"], Constraints(write_tag_globs=("Tank*.*",)))
    before, version = await store.get("a"), await store.keys_version()
    changed = await store.change(
        "a", scopes=["invoke:write", "invoke:read"], constraints=Constraints(read_only=True), expires_ns=2**62
    )
    after = await store.get("a")
    assert before is not None
    assert after == changed
    assert (changed.secret_hash, changed.created_ns) == (before.secret_hash, before.created_ns)
    assert changed.scopes == (Scope.INVOKE_READ, Scope.INVOKE_WRITE)
    assert (changed.constraints, changed.expires_ns) == (Constraints(read_only=True), 2**62)
    assert await store.keys_version() != version, "running gateways learn of it"
    (record,) = await store.read_audit(event="key-changed")
    assert record.details == {
        "scopes": ["invoke:read", "invoke:write"],
        "constraints": {"read_only": True},
        "expires_ns": 2**62,
    }
    assert raw.split("_", 2)[2] not in str(record)


async def test_a_change_that_makes_no_sense_changes_nothing(store: KeyStore) -> None:
    await store.create("a", "A", ["invoke:read"], not_before_ns=1_000)
    before = await store.get("a")
    for wrong in ({"scopes": []}, {"scopes": ["everything"]}, {"expires_ns": 1_000}):
        with pytest.raises(ValueError, match=r"scope|expire"):
            await store.change("a", **wrong)  # type: ignore[arg-type]
    assert await store.get("a") == before
    with pytest.raises(KeyNotFoundError):
        await store.change("b", display_name="B")
    await store.revoke("a")
    with pytest.raises(KeyStateError, match="revoked"):
        await store.change("a", display_name="B")


async def test_a_schema_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "keys.db"
    opened = await KeyStore.open(str(path), PEPPER, clock)
    await opened.close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.schema_version).values(version=tables.CURRENT_VERSION + 1))
    engine.dispose()
    with pytest.raises(SchemaVersionError, match="newer"):
        await KeyStore.open(str(path), PEPPER, clock)


async def test_an_older_schema_is_refused_when_migrations_are_off(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(SchemaVersionError, match="run_migrations_on_startup"):
        await KeyStore.open(str(tmp_path / "keys.db"), PEPPER, clock, migrate=False)


async def test_several_processes_may_open_an_empty_store_at_once(tmp_path: Path, clock: ManualClock) -> None:
    opened = await asyncio.gather(*(KeyStore.open(str(tmp_path / "keys.db"), PEPPER, clock) for _ in range(5)))
    await asyncio.gather(*(store.create(f"k{n}", "x", READ) for n, store in enumerate(opened)))
    assert len(await opened[0].list_keys()) == 5
    for store in opened:
        await store.close()


@pytest.mark.parametrize(("code", "passes"), [(sqlite3.SQLITE_BUSY, True), (sqlite3.SQLITE_IOERR, False)])
def test_whoever_changes_the_journals_mode_just_now_may_do_it(code: int, passes: bool) -> None:
    """Of two that start at once on an empty store SQLite may refuse one at once, without waiting for the other."""
    said: list[str] = []

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *_: object) -> Cursor:
            said.append(sql)
            if "journal_mode" in sql:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = code
                raise error
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, *_: object) -> Cursor:  # type: ignore[override]
            return Cursor(self)

    with (
        contextlib.closing(sqlite3.connect(":memory:", factory=Connection)) as connection,
        contextlib.nullcontext() if passes else pytest.raises(sqlite3.OperationalError),
    ):
        set_pragmas(connection, 100)
    assert ("PRAGMA foreign_keys=ON" in said) == passes


async def test_readers_and_writers_of_one_store_do_not_hinder_each_other(tmp_path: Path, clock: ManualClock) -> None:
    path = str(tmp_path / "keys.db")
    stores = [await KeyStore.open(path, PEPPER, clock) for _ in range(4)]
    for number, store in enumerate(stores):
        await store.create(f"k{number}", "k", ["invoke:read"])
    record = AuditRecord(event="write", key_id="k0", outcome="accepted")
    await asyncio.gather(
        *(store.record([record] * 10) for store in stores for _ in range(10)),
        *(store.rotate(f"k{number}") for number, store in enumerate(stores)),
        *(store.list_keys() for store in stores),
    )
    assert len(await stores[0].read_audit(event="write", limit=10_000)) == 400
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    for store in stores:
        await store.close()


async def test_a_file_that_is_no_database_is_told_by_setting(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "keys.db").write_bytes(b"this is not a database, not at all, but long enough to be read as one" * 20)
    with pytest.raises(ConfigurationError, match=r"authentication\.database"):
        await KeyStore.open(str(tmp_path / "keys.db"), PEPPER, clock)


@pytest.mark.parametrize(
    "database", ["nosuch://x", "postgresql+nosuch://user:hunter2@host/keys", "postgresql+psycopg2://host/keys", "://"]
)
async def test_a_database_url_that_cannot_be_used_is_told_by_setting(database: str, clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError, match=r"authentication\.database: .*; correct the URL or install") as caught:
        await KeyStore.open(database, PEPPER, clock)
    assert "hunter2" not in str(caught.value)


async def test_a_database_path_that_cannot_be_made_is_told_by_setting(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"authentication\.database: .*; choose a path"):
        await KeyStore.open(str(tmp_path / "file" / "keys.db"), PEPPER, clock)


async def test_whether_keys_have_changed_is_asked_past_the_pool_and_sees_what_others_did(
    store: KeyStore, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked four times a second: by way of the pool it would cost more than all else of an idle gateway."""
    other = await KeyStore.open(str(tmp_path / "keys.db"), PEPPER, clock)
    seen = [await store.keys_version()]
    for change in (lambda: other.create("b", "b", ["invoke:read"]), lambda: other.revoke("b")):
        await change()
        with monkeypatch.context() as without:
            without.setattr(Database, "read", None)
            seen.append(await store.keys_version())
            assert await store.keys_version() == seen[-1]
    await other.close()
    assert len(set(seen)) == 3


async def test_what_cannot_be_asked_past_the_pool_is_asked_by_way_of_it(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await store.keys_version()

    async def fails(*_: Any) -> Any:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", fails)
    assert await store.keys_version() == version
    monkeypatch.undo()
    assert await store.keys_version() == version
