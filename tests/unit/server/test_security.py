"""API keys and certificates: form, life, audit, and what is never told."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import sqlite3
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from tests.support.clock import ManualClock

from mxgateway_server.access import tables
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.constraints import Constraints
from mxgateway_server.access.keys import Pepper, load_pepper, parse_authorization, write_private
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.store import AuditRecord, KeyRecord, KeyStore, _set_pragmas
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.errors import (
    AuthenticationError,
    ConfigurationError,
    KeyExistsError,
    KeyNotFoundError,
    KeyStateError,
    SchemaVersionError,
)
from mxgateway_server.logs import redact
from mxgateway_server.rpc.tls import host_names, load_certificate, self_signed

PEPPER = Pepper(b"p" * 32)
READ = ["invoke:read"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[KeyStore]:
    opened = await KeyStore.open(str(tmp_path / "keys.db"), PEPPER, clock)
    yield opened
    await opened.close()


# --------------------------------------------------------------------------------------------------------------- form

SECRET = "s" * 43


@pytest.mark.parametrize("header", [f"Bearer mxgw_a-1.b_{SECRET}", f"bearer MXGW_a-1.b_{SECRET}"])
def test_a_key_is_read_from_its_header_without_regard_to_the_case_of_its_prefix(header: str) -> None:
    key = parse_authorization(header)
    assert key is not None
    assert (key.key_id, key.secret) == ("a-1.b", SECRET)
    assert SECRET not in repr(key)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Basic abc",
        f"mxgw_a_{SECRET}",
        f"Bearer other_a_{SECRET}",
        "Bearer mxgw_a",
        "Bearer mxgw__" + SECRET,
        "Bearer mxgw_a_short",
        f"Bearer mxgw_a/../b_{SECRET}",
        "Bearer mxgw_a_" + "s" * 500,
        f"Bearer mxgw_{'a' * 65}_{SECRET}",
        f"Bearer mxgw_a_{SECRET}é",
    ],
)
def test_headers_that_are_no_key_are_refused_before_the_store_is_asked(header: str) -> None:
    assert parse_authorization(header) is None


# --------------------------------------------------------------------------------------------------------------- life


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


# ------------------------------------------------------------------------------------------------------------- schema


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
        _set_pragmas(connection, None)
    assert ("PRAGMA foreign_keys=ON" in said) == passes


async def test_readers_and_writers_of_one_store_do_not_hinder_each_other(tmp_path: Path, clock: ManualClock) -> None:
    path = str(tmp_path / "keys.db")
    stores = [await KeyStore.open(path, PEPPER, clock) for _ in range(4)]
    for number, store in enumerate(stores):
        await store.create(f"k{number}", "k", ["invoke:read"])
    record = AuditRecord("write", "k0", outcome="accepted")
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


def test_the_pepper_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "pepper"
    first = load_pepper(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_pepper(path).hash("x") == first.hash("x")
    assert "Pepper(...)" in repr(first)


def test_a_damaged_pepper_is_refused_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    path.write_text("short")
    with pytest.raises(ConfigurationError, match="pepper_file"):
        load_pepper(path)
    assert path.read_text() == "short"


def test_a_private_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    with pytest.raises(FileExistsError):
        write_private(path, b"three", exclusive=True)
    assert os.listdir(tmp_path) == ["f"]


# ------------------------------------------------------------------------------------------------------ authenticator


def authenticator(store: KeyStore, clock: ManualClock, failures: int = 100) -> Authenticator:
    return Authenticator(store, PEPPER, clock, Throttle(failures, 5.0), cache_seconds=2.0)


def test_what_is_said_to_strangers_holds_nothing_that_looks_like_a_key() -> None:
    """Logs and clients take out what looks like one, and the sentence would lose a word."""
    text = str(AuthenticationError("MissingOrMalformedCredentials"))
    assert "Bearer" in text
    assert redact(text) == text


async def refused(checker: Authenticator, header: str) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        await checker.authenticate(header, "10.0.0.1")
    return caught.value


async def test_every_refusal_looks_the_same_to_the_caller_and_differs_for_the_audit(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = await store.create("a", "x", READ)
    await store.create("r", "x", READ)
    revoked = await store.rotate("r")
    await store.revoke("r")
    late = await store.create("l", "x", READ, expires_ns=clock.unix_ns())
    checker = authenticator(store, clock)
    errors = [
        await refused(checker, header)
        for header in (
            "",
            f"Bearer mxgw_nobody_{SECRET}",
            f"Bearer mxgw_a_{SECRET}",
            f"Bearer {revoked}",
            f"Bearer {late}",
        )
    ]
    assert len({str(error) for error in errors}) == 1
    assert [error.kind for error in errors] == [
        "MissingOrMalformedCredentials",
        "KeyNotFound",
        "SecretMismatch",
        "KeyRevoked",
        "KeyExpired",
    ]
    caller = await checker.authenticate(f"Bearer {raw}", "10.0.0.1")
    assert (caller.key_id, caller.is_admin) == ("a", False)


async def test_a_checked_key_is_trusted_for_a_moment_and_forgetting_it_ends_that_at_once(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    await store.revoke("a")
    await checker.authenticate(raw, "h")
    checker.forget("a")
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_a_revocation_by_another_process_is_seen_when_the_moment_is_over(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    await store.revoke("a")
    clock.advance(2.0)
    assert (await refused(checker, raw)).kind == "KeyRevoked"


async def test_a_rotated_secret_is_taken_at_once_although_the_old_one_is_remembered(
    store: KeyStore, clock: ManualClock
) -> None:
    await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await refused(checker, f"Bearer mxgw_a_{SECRET}")
    new = await store.rotate("a")
    await checker.authenticate(f"Bearer {new}", "other")


async def test_a_key_that_many_calls_show_at_once_is_looked_up_once(
    store: KeyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was revoked meanwhile: then each call is refused."""
    raw = f"Bearer {await store.create('many', 'x', READ)}"
    checker = authenticator(store, clock)
    await checker.authenticate(raw, "h")
    looked_up: list[str] = []
    get = store.get

    async def counted(key_id: str) -> KeyRecord | None:
        looked_up.append(key_id)
        return await get(key_id)

    monkeypatch.setattr(store, "get", counted)
    clock.advance(10)
    callers = await asyncio.gather(*(checker.authenticate(raw, "h") for _ in range(50)))
    assert {caller.key_id for caller in callers} == {"many"}
    assert looked_up == ["many"]
    assert checker._checking == {}
    await store.revoke("many")
    clock.advance(10)
    outcomes = await asyncio.gather(*(checker.authenticate(raw, "h") for _ in range(5)), return_exceptions=True)
    assert [getattr(outcome, "kind", outcome) for outcome in outcomes] == ["KeyRevoked"] * 5


async def test_a_remembered_key_opens_nothing_for_another_secret(store: KeyStore, clock: ManualClock) -> None:
    old = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {old}", "h")
    assert (await refused(checker, f"Bearer mxgw_a_{SECRET}")).kind == "SecretMismatch"
    new = await store.rotate("a")
    await checker.authenticate(f"Bearer {new}", "h")
    assert (await refused(checker, f"Bearer {old}")).kind == "SecretMismatch"


async def test_success_forgets_earlier_failures(store: KeyStore, clock: ManualClock) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    for _ in range(5):
        await refused(checker, f"Bearer mxgw_a_{SECRET}")
        await checker.authenticate(raw, "10.0.0.1")


async def test_who_fails_too_often_with_a_key_waits_even_with_the_right_one_and_others_do_not(
    store: KeyStore, clock: ManualClock
) -> None:
    raw = f"Bearer {await store.create('a', 'x', READ)}"
    checker = authenticator(store, clock, failures=2)
    for _ in range(2):
        await refused(checker, f"Bearer mxgw_a_{SECRET}")
    assert (await refused(checker, raw)).kind == "Throttled"
    await checker.authenticate(raw, "10.0.0.2")
    await checker.authenticate(f"Bearer {await store.create('b', 'x', READ)}", "10.0.0.1")
    clock.advance(5.1)
    await checker.authenticate(raw, "10.0.0.1")


async def test_the_last_use_is_collected_and_stored(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {raw}", "h")
    await store.mark_used(checker.take_used())
    record = await store.get("a")
    assert record is not None
    assert record.last_used_ns == clock.unix_ns()
    assert checker.take_used() == {}


# -------------------------------------------------------------------------------------------------------------- audit


async def test_audit_records_are_stored_together_in_order_and_before_the_end(
    store: KeyStore, clock: ManualClock
) -> None:
    log = AuditLog(store, clock)
    for number in range(1200):
        log.add(AuditRecord("write", "k", target=f"t{number}", details={"kind": "WRITE"}))
    log.close()
    await log.run()
    records = await store.read_audit(limit=2000)
    assert [record.target for record in records] == [f"t{number}" for number in range(1200)]
    assert records[0].at_ns == clock.unix_ns()


async def test_targets_are_kept_without_what_a_database_or_terminal_chokes_on(store: KeyStore) -> None:
    await store.record([AuditRecord("denied", "k", target="Tank\x00.PV\x1b[2J\nok" + "x" * 2000)])
    (kept,) = await store.read_audit()
    assert kept.target.startswith("Tank\\x00.PV\\x1b[2J\\nokxx")
    assert len(kept.target) == 1100


async def test_a_failing_store_loses_nothing_while_it_recovers(store: KeyStore, clock: ManualClock) -> None:
    class Failing:
        def __init__(self) -> None:
            self.failures = 1

        async def record(self, records: list[AuditRecord]) -> None:
            if self.failures:
                self.failures -= 1
                raise OSError(28, "no space left")
            await store.record(records)

    log = AuditLog(Failing(), clock)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run())
        log.add(AuditRecord("denied", "k"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.add(AuditRecord("denied", "l"))
        log.close()
    assert [record.key_id for record in await store.read_audit()] == ["k", "l"]


async def test_a_store_that_is_not_well_is_asked_once_in_a_while_however_many_records_come(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxgateway_server.access.audit.RETRY_SECONDS", 600.0)
    asked = []

    class Full:
        async def record(self, records: list[AuditRecord]) -> None:
            asked.append(len(records))
            raise OSError(28, "no space left")

    log = AuditLog(Full(), clock)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            group.create_task(log.run())
            for _ in range(200):
                log.add(AuditRecord("write", "k"))
                await asyncio.sleep(0)
            assert asked == [1]
            log.close()
    assert asked == [1, 200]
    assert [line["event"] for line in lines] == ["audit_store_failed", "audit_records_lost"]
    assert lines[-1]["lost"] == 200


async def test_a_storm_of_bad_keys_does_not_fill_the_audit(store: KeyStore, clock: ManualClock) -> None:
    log = AuditLog(store, clock)
    for _ in range(1000):
        log.add_failure(AuditRecord("authentication-failed", remote_address="10.0.0.1", details={"method": "m"}))
    clock.advance(1)
    log.add_failure(AuditRecord("authentication-failed", remote_address="10.0.0.1", details={"method": "m"}))
    log.close()
    await log.run()
    records = await store.read_audit(limit=2000)
    assert len(records) == 21
    assert records[-1].details == {"method": "m", "suppressed_before": 980}


async def test_uses_that_could_not_be_stored_are_stored_later(store: KeyStore, clock: ManualClock) -> None:
    raw = await store.create("a", "x", READ)
    checker = authenticator(store, clock)
    await checker.authenticate(f"Bearer {raw}", "h")
    used = checker.take_used()
    clock.advance(1)
    await checker.authenticate(f"Bearer {raw}", "h")
    later = clock.unix_ns()
    checker.put_back_used({**used, "b": 5})
    assert checker.take_used() == {"a": later, "b": 5}


async def test_old_audit_records_can_be_removed(store: KeyStore) -> None:
    await store.record([AuditRecord("write", "k", at_ns=5), AuditRecord("write", "k", at_ns=15)])
    assert await store.prune_audit(10) == 1
    assert [record.at_ns for record in await store.read_audit()] == [15]


# ------------------------------------------------------------------------------------------------------- certificates

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
NAMES = ("localhost", "127.0.0.1", "::1", "gateway.example")


def test_a_certificate_is_made_once_private_and_with_every_name(tmp_path: Path) -> None:
    made = self_signed(tmp_path / "certs", NOW, names=NAMES)
    assert made.was_made
    assert set(made.names) == set(NAMES)
    for file in (tmp_path / "certs").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = self_signed(tmp_path / "certs", NOW, names=NAMES)
    assert (again.was_made, again.thumbprint) == (False, made.thumbprint)
    assert "PRIVATE" not in repr(again)


def test_a_client_can_trust_the_certificate_file(tmp_path: Path) -> None:
    made = self_signed(tmp_path, NOW, names=NAMES)
    context = ssl.create_default_context(cafile=str(made.ca_file))
    assert context.get_ca_certs()


@pytest.mark.parametrize("damage", ["expired", "missing_key", "garbage", "other_key", "new_name"])
def test_a_certificate_that_cannot_serve_is_made_anew(tmp_path: Path, damage: str) -> None:
    made = self_signed(tmp_path, NOW, names=NAMES, validity_years=1)
    now, names = NOW, NAMES
    if damage == "expired":
        now = NOW + datetime.timedelta(days=366)
    elif damage == "missing_key":
        (tmp_path / "gateway.key").unlink()
    elif damage == "garbage":
        (tmp_path / "gateway.crt").write_bytes(b"x")
    elif damage == "other_key":
        other = self_signed(tmp_path / "other", NOW, names=NAMES)
        (tmp_path / "gateway.key").write_bytes(other.private_key)
    else:
        names = (*NAMES, "new.example")
    again = self_signed(tmp_path, now, names=names)
    assert again.was_made
    assert again.thumbprint != made.thumbprint


def test_an_expired_certificate_is_refused_when_it_may_not_be_renewed(tmp_path: Path) -> None:
    self_signed(tmp_path, NOW, names=NAMES, validity_years=1)
    with pytest.raises(ConfigurationError, match="regenerate_if_expired"):
        self_signed(tmp_path, NOW + datetime.timedelta(days=366), names=NAMES, regenerate_if_expired=False)


def test_a_directory_that_cannot_be_written_is_told_by_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="self_signed_directory"):
        self_signed(tmp_path / "file", NOW, names=NAMES)


def test_the_operators_certificate_is_checked(tmp_path: Path) -> None:
    made = self_signed(tmp_path, NOW, names=NAMES, validity_years=1)
    certificate, key = str(tmp_path / "gateway.crt"), str(tmp_path / "gateway.key")
    assert load_certificate(certificate, key, NOW).thumbprint == made.thumbprint
    other = self_signed(tmp_path / "other", NOW, names=NAMES)
    with pytest.raises(ConfigurationError, match="does not belong"):
        load_certificate(certificate, str(other.ca_file.with_name("gateway.key")), NOW)
    with pytest.raises(ConfigurationError, match="expired"):
        load_certificate(certificate, key, NOW + datetime.timedelta(days=366))
    with pytest.raises(ConfigurationError, match="not valid before"):
        load_certificate(certificate, key, NOW - datetime.timedelta(days=2))
    with pytest.raises(ConfigurationError, match=r"tls\.certificate_file"):
        load_certificate(str(tmp_path / "nothing"), key, NOW)
    with pytest.raises(ConfigurationError, match="PEM"):
        load_certificate(key, key, NOW)
    with pytest.raises(ConfigurationError, match=r"tls\.key_file"):
        load_certificate(certificate, certificate, NOW)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_an_operators_key_that_everybody_can_read_is_told_of(tmp_path: Path) -> None:
    self_signed(tmp_path, NOW, names=NAMES)
    certificate, key = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    for mode, expected in ((0o600, []), (0o640, []), (0o644, ["private_key_is_open"])):
        key.chmod(mode)
        with structlog.testing.capture_logs() as lines:
            load_certificate(str(certificate), str(key), NOW)
        assert [line["event"] for line in lines] == expected


def test_the_machines_names_come_once_each() -> None:
    names = host_names(("Gateway.Example", "localhost"))
    assert names[0] == "localhost"
    assert {"127.0.0.1", "::1", "gateway.example"} <= set(names)
    assert len(names) == len(set(names))
