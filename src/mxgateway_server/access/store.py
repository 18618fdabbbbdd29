"""The key store: API keys and the audit, in SQLite or any database that SQLAlchemy knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mxgateway_protocol.clock import Clock
from mxgateway_server.access import tables
from mxgateway_server.access.constraints import FREE, Constraints
from mxgateway_server.access.keys import Pepper, check_key_id, format_key, new_secret
from mxgateway_server.access.scopes import Scope, parse_scopes
from mxgateway_server.errors import (
    ConfigurationError,
    KeyExistsError,
    KeyNotFoundError,
    KeyRefusal,
    KeyStateError,
    SchemaVersionError,
)
from mxgateway_server.logs import plain

BUSY_TIMEOUT_MS = 5000
_WRITES = "mxgateway_writes"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One key as it is stored; times in nanoseconds since 1970 UTC, None for never."""

    key_id: str
    display_name: str
    scopes: tuple[Scope, ...]
    constraints: Constraints
    created_ns: int
    not_before_ns: int | None
    expires_ns: int | None
    last_used_ns: int | None
    revoked_ns: int | None
    secret_hash: bytes = field(repr=False)

    def refusal(self, now_ns: int) -> KeyRefusal | None:
        """Why the key is not valid now, for the audit; None when it is."""
        if self.revoked_ns is not None:
            return KeyRefusal.REVOKED
        if self.not_before_ns is not None and now_ns < self.not_before_ns:
            return KeyRefusal.NOT_YET_VALID
        if self.expires_ns is not None and now_ns >= self.expires_ns:
            return KeyRefusal.EXPIRED
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Something that happened to a key, was refused, or was written to the plant. Never a value, never a secret."""

    event: str
    key_id: str = ""
    remote_address: str = ""
    session_id: str = ""
    correlation_id: str = ""
    target: str = ""
    outcome: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    at_ns: int = 0


class KeyStore:
    """Keys and audit; every method is one transaction."""

    def __init__(self, engine: AsyncEngine, pepper: Pepper, clock: Clock) -> None:
        self._engine = engine
        # Writers take the lock at once, so that none dies half-way of another's; readers never wait for it.
        self._writer = engine.execution_options(**{_WRITES: True})
        self._pepper = pepper
        self._clock = clock

    @classmethod
    async def open(cls, database: str, pepper: Pepper, clock: Clock, *, migrate: bool = True) -> KeyStore:
        """Connects and brings the schema to this version.

        Args:
            database: path of a SQLite file, or a SQLAlchemy URL.
            pepper: what keys are hashed with.
            clock: for the times of records.
            migrate: False to refuse an older schema instead.

        Raises:
            SchemaVersionError: the schema is newer, or older and may not be migrated.
            ConfigurationError: the database cannot be opened.
        """
        try:
            engine = _engine(database)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise ConfigurationError(
                f"authentication.database: {type(error).__name__}: not a database URL with an asynchronous driver that "
                "is installed, such as sqlite+aiosqlite or postgresql+asyncpg; correct the URL or install the driver"
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"authentication.database: {error.strerror}; choose a path that the gateway may write"
            ) from error
        store = cls(engine, pepper, clock)
        try:
            await store._prepare(migrate)
        except BaseException as error:
            await engine.dispose()
            if isinstance(error, (sa.exc.SQLAlchemyError, OSError)):
                raise ConfigurationError(
                    f"authentication.database: {type(error).__name__}: the key store cannot be opened; check that the "
                    "path or URL is right and that the gateway's user may write there"
                ) from error
            raise
        return store

    async def close(self) -> None:
        await self._engine.dispose()

    async def _prepare(self, migrate: bool) -> None:
        if not migrate:
            async with self._engine.connect() as connection:
                version = await connection.run_sync(tables.check_version)
            if version < tables.CURRENT_VERSION:
                raise SchemaVersionError(
                    f"the key store has schema version {version}, this program needs {tables.CURRENT_VERSION}; set "
                    "authentication.run_migrations_on_startup, or run mxgateway apikey list once"
                )
            return
        while True:
            async with self._writer.begin() as connection:
                if not await connection.run_sync(tables.migrate_one):
                    return

    # ---------------------------------------------------------------------------------------------------------- keys

    async def create(
        self,
        key_id: str,
        display_name: str,
        scopes: Sequence[str],
        constraints: Constraints = FREE,
        *,
        not_before_ns: int | None = None,
        expires_ns: int | None = None,
    ) -> str:
        """Makes a key and returns its raw form, which nobody can get again.

        Raises:
            ValueError: the id or a scope is not allowed, or there is no scope.
            KeyExistsError: the id is taken, be it by a revoked key.
        """
        check_key_id(key_id)
        held = parse_scopes(scopes)
        if not held:
            raise ValueError(f"a key needs at least one scope; there are: {', '.join(Scope)}")
        if expires_ns is not None and expires_ns <= (not_before_ns or 0):
            raise ValueError("the key would expire before it becomes valid")
        secret = new_secret()
        now = self._clock.unix_ns()
        try:
            async with self._writer.begin() as connection:
                await connection.execute(
                    sa.insert(tables.api_keys).values(
                        key_id=key_id,
                        display_name=display_name,
                        secret_hash=self._pepper.hash(secret),
                        scopes=[str(scope) for scope in held],
                        constraints=constraints.to_json(),
                        created_ns=now,
                        not_before_ns=not_before_ns,
                        expires_ns=expires_ns,
                    )
                )
                details = {"scopes": [str(scope) for scope in held]}
                await self._record(
                    connection, [AuditRecord(event="key-created", key_id=key_id, outcome="ok", details=details)]
                )
        except IntegrityError:
            raise KeyExistsError(f"there is a key {key_id!r} already; choose another id, or rotate that key") from None
        return format_key(key_id, secret)

    async def get(self, key_id: str) -> KeyRecord | None:
        """One key, revoked ones included."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(sa.select(tables.api_keys).where(tables.api_keys.c.key_id == key_id))
            ).one_or_none()
        return None if row is None else _key(row)

    async def list_keys(self) -> list[KeyRecord]:
        """All keys by id."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(sa.select(tables.api_keys).order_by(tables.api_keys.c.key_id))
            return [_key(row) for row in rows]

    async def revoke(self, key_id: str) -> bool:
        """Ends a key's validity for good; False when it was revoked before.

        Raises:
            KeyNotFoundError: no such key.
        """
        keys = tables.api_keys
        async with self._writer.begin() as connection:
            changed = await connection.execute(
                sa.update(keys)
                .where(keys.c.key_id == key_id, keys.c.revoked_ns.is_(None))
                .values(revoked_ns=self._clock.unix_ns())
            )
            if changed.rowcount == 0:
                await self._require(connection, key_id)
                return False
            await self._record(connection, [AuditRecord(event="key-revoked", key_id=key_id, outcome="ok")])
        return True

    async def rotate(self, key_id: str) -> str:
        """Gives a key a new secret and returns the raw key; the old one is void at once.

        Raises:
            KeyNotFoundError: no such key.
            KeyStateError: it is revoked: rotating must not bring it back to life.
        """
        secret = new_secret()
        keys = tables.api_keys
        async with self._writer.begin() as connection:
            changed = await connection.execute(
                sa.update(keys)
                .where(keys.c.key_id == key_id, keys.c.revoked_ns.is_(None))
                .values(secret_hash=self._pepper.hash(secret), last_used_ns=None)
            )
            if changed.rowcount == 0:
                await self._require(connection, key_id)
                raise KeyStateError(f"key {key_id!r} is revoked and stays so; make a new one")
            await self._record(connection, [AuditRecord(event="key-rotated", key_id=key_id, outcome="ok")])
        return format_key(key_id, secret)

    async def delete(self, key_id: str) -> None:
        """Removes a revoked key; its audit stays.

        Raises:
            KeyNotFoundError: no such key.
            KeyStateError: it is not revoked.
        """
        keys = tables.api_keys
        async with self._writer.begin() as connection:
            changed = await connection.execute(
                sa.delete(keys).where(keys.c.key_id == key_id, keys.c.revoked_ns.is_not(None))
            )
            if changed.rowcount == 0:
                await self._require(connection, key_id)
                raise KeyStateError(f"key {key_id!r} is in use; revoke it first")
            await self._record(connection, [AuditRecord(event="key-deleted", key_id=key_id, outcome="ok")])

    async def mark_used(self, used: dict[str, int]) -> None:
        """Notes when keys were last used; later times win."""
        keys = tables.api_keys
        async with self._writer.begin() as connection:
            for key_id, at_ns in used.items():
                await connection.execute(
                    sa.update(keys)
                    .where(keys.c.key_id == key_id, sa.or_(keys.c.last_used_ns.is_(None), keys.c.last_used_ns < at_ns))
                    .values(last_used_ns=at_ns)
                )

    async def _require(self, connection: AsyncConnection, key_id: str) -> None:
        keys = tables.api_keys
        found = await connection.execute(sa.select(keys.c.key_id).where(keys.c.key_id == key_id))
        if found.one_or_none() is None:
            raise KeyNotFoundError(f"there is no key {key_id!r}; see mxgateway apikey list")

    # --------------------------------------------------------------------------------------------------------- audit

    async def record(self, records: Sequence[AuditRecord]) -> None:
        """Appends to the audit, all or none."""
        if records:
            async with self._writer.begin() as connection:
                await self._record(connection, records)

    async def read_audit(
        self, *, key_id: str | None = None, event: str | None = None, since_ns: int = 0, limit: int = 100
    ) -> list[AuditRecord]:
        """The youngest records, oldest first."""
        table = tables.audit
        query = sa.select(table).where(table.c.at_ns >= since_ns).order_by(table.c.id.desc()).limit(limit)
        if key_id is not None:
            query = query.where(table.c.key_id == key_id)
        if event is not None:
            query = query.where(table.c.event == event)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            AuditRecord(
                event=row.event,
                key_id=row.key_id,
                remote_address=row.remote_address,
                session_id=row.session_id,
                correlation_id=row.correlation_id,
                target=row.target,
                outcome=row.outcome,
                details=row.details,
                at_ns=row.at_ns,
            )
            for row in reversed(rows)
        ]

    async def prune_audit(self, before_ns: int) -> int:
        """Removes older records; returns how many."""
        async with self._writer.begin() as connection:
            result = await connection.execute(sa.delete(tables.audit).where(tables.audit.c.at_ns < before_ns))
        return int(result.rowcount)

    async def _record(self, connection: AsyncConnection, records: Sequence[AuditRecord]) -> None:
        now = self._clock.unix_ns()
        await connection.execute(
            sa.insert(tables.audit),
            [
                {
                    "at_ns": record.at_ns or now,
                    "event": record.event,
                    "key_id": record.key_id[:64],
                    "remote_address": record.remote_address[:100],
                    "session_id": record.session_id[:64],
                    "correlation_id": record.correlation_id[:200],
                    # As callers sent it: PostgreSQL takes no NUL, and one such record would hold up all others.
                    "target": plain(record.target)[:1100],
                    "outcome": record.outcome[:60],
                    "details": record.details,
                }
                for record in records
            ],
        )


def _engine(database: str) -> AsyncEngine:
    if "://" in database:
        url = sa.make_url(database)
        if url.get_backend_name() == "sqlite" and "+" not in url.drivername:
            url = url.set(drivername="sqlite+aiosqlite")
    else:
        path = Path(database).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            path.touch(mode=0o600)
        url = sa.URL.create("sqlite+aiosqlite", database=str(path))
    options: dict[str, Any] = {}
    if _is_sqlite(url):
        options["connect_args"] = {"timeout": BUSY_TIMEOUT_MS / 1000}
        if url.database and url.database != ":memory:":
            # Each connection has a thread and three files of its own, and only one at a time can write.
            options |= {"pool_size": 2, "max_overflow": 0}
    engine = create_async_engine(url, **options)
    if _is_sqlite(url):
        sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
        sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _set_pragmas(connection: Any, _: Any) -> None:
    # The driver must not begin transactions by itself.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        # This statement alone does not wait for others, who are about the same: the mode is the file's, not ours.
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    is_writer = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


def _key(row: Any) -> KeyRecord:
    return KeyRecord(
        key_id=row.key_id,
        display_name=row.display_name,
        scopes=parse_scopes(row.scopes),
        constraints=Constraints.from_json(row.constraints),
        created_ns=row.created_ns,
        not_before_ns=row.not_before_ns,
        expires_ns=row.expires_ns,
        last_used_ns=row.last_used_ns,
        revoked_ns=row.revoked_ns,
        secret_hash=row.secret_hash,
    )
