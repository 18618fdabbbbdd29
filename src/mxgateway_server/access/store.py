"""The key store: API keys and the audit, in SQLite or any database that SQLAlchemy knows."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mxgateway_protocol.clock import Clock
from mxgateway_server.access import pepper_store, tables
from mxgateway_server.access.audit_pages import AuditPages
from mxgateway_server.access.audit_store import AuditStore
from mxgateway_server.access.certificates import parse_rule
from mxgateway_server.access.chain import ChainKey
from mxgateway_server.access.constraints import FREE, Constraints
from mxgateway_server.access.database import Database
from mxgateway_server.access.keys import check_key_id, format_key, new_secret
from mxgateway_server.access.pepper_store import PepperUse
from mxgateway_server.access.peppers import PepperRing, PepperSource
from mxgateway_server.access.records import AuditQuery, AuditRecord, KeyRecord, Rehashed
from mxgateway_server.access.scopes import CATALOGUE_VERSION, Scope, parse_scopes
from mxgateway_server.errors import (
    ConfigurationError,
    KeyExistsError,
    KeyNotFoundError,
    KeyStateError,
    SchemaVersionError,
)
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)


class KeyStore:
    """Keys and audit; every method is one transaction.

    Attributes:
        audit: the audit's records.
        peppers: what keys are hashed with.
    """

    def __init__(self, database: Database, peppers: PepperRing, chain_key: bytes, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._chain_key = chain_key
        self.peppers = peppers
        self.audit = AuditStore(database, ChainKey(chain_key), clock)

    @classmethod
    async def open(
        cls, database: str, pepper: PepperSource, clock: Clock, *, migrate: bool = True, needs_all_peppers: bool = True
    ) -> KeyStore:
        """Connects and brings the schema to this version.

        Args:
            database: path of a SQLite file, or a SQLAlchemy URL.
            pepper: what keys are hashed with; made when there is none and nothing was ever hashed.
            clock: for the times of records.
            migrate: False to refuse an older schema instead.
            needs_all_peppers: False to go on when the pepper of some keys is missing, to mend that.

        Raises:
            SchemaVersionError: the schema is newer, or older and may not be migrated.
            ConfigurationError: the database cannot be opened, or a pepper of its keys is missing.
        """
        connected = Database.connect(database)
        try:
            await _prepare(connected, migrate)
            await connected.prepare_glances()
            return cls(connected, *await pepper_store.settle(connected, pepper, needs_all=needs_all_peppers), clock)
        except BaseException as error:
            await connected.close()
            if isinstance(error, (sa.exc.SQLAlchemyError, OSError)):
                raise ConfigurationError(
                    f"authentication.database cannot be opened: {connected.problem(error)}"
                ) from error
            raise

    async def close(self) -> None:
        await self._database.close()

    @property
    def name(self) -> str:
        """File or URL, for people; without a password."""
        return self._database.name

    def problem(self, error: BaseException) -> str:
        """A failure of the database in one line, with the remedy where it is known."""
        return self._database.problem(error)

    def audit_pages(self) -> AuditPages:
        """The audit for people, on connections of its own; close it."""
        return AuditPages(self._database.again())

    async def keys_version(self) -> str:
        """Another text after each change of a key that matters to callers, by whatever process."""
        seen = await self._database.glance(tables.KEYS_VERSION_QUESTION)
        if seen is not None:
            return str(seen[0])
        async with self._database.read() as connection:
            return await tables.read_fact(connection, tables.KEYS_VERSION) or ""

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
        certificate: str = "",
    ) -> str:
        """Makes a key and returns its raw form, which nobody can get again.

        Args:
            certificate: rule of the client certificate without which the key is refused; '' for none.

        Raises:
            ValueError: the id, a scope or the rule is not allowed, or there is no scope.
            KeyExistsError: the id is taken, be it by a revoked key.
        """
        check_key_id(key_id)
        held = parse_scopes(scopes)
        if not held:
            raise ValueError(f"a key needs at least one scope; there are: {', '.join(Scope)}")
        if expires_ns is not None and expires_ns <= (not_before_ns or 0):
            raise ValueError("the key would expire before it becomes valid")
        rule = parse_rule(certificate) if certificate else ""
        secret = new_secret()
        now = self._clock.unix_ns()
        try:
            async with self._change() as connection:
                await connection.execute(
                    sa.insert(tables.api_keys).values(
                        key_id=key_id,
                        display_name=display_name,
                        **self._hashed(secret),
                        scopes=[str(scope) for scope in held],
                        scope_catalogue=CATALOGUE_VERSION,
                        constraints=constraints.to_json(),
                        created_ns=now,
                        not_before_ns=not_before_ns,
                        expires_ns=expires_ns,
                        certificate=rule,
                    )
                )
                details: dict[str, Any] = {"scopes": [str(scope) for scope in held]}
                if rule:
                    details["certificate"] = rule
                await self.audit.append(
                    connection, [AuditRecord(event="key-created", key_id=key_id, outcome="ok", details=details)]
                )
        except IntegrityError:
            raise KeyExistsError(f"there is a key {key_id!r} already; choose another id, or rotate that key") from None
        return format_key(key_id, secret)

    async def get(self, key_id: str) -> KeyRecord | None:
        """One key, revoked ones included."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(sa.select(tables.api_keys).where(tables.api_keys.c.key_id == key_id))
            ).one_or_none()
        return None if row is None else _key(row)

    async def list_keys(self) -> list[KeyRecord]:
        """All keys by id."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(tables.api_keys).order_by(tables.api_keys.c.key_id))
            newest = await tables.read_fact(connection, tables.PEPPER)
        if newest is not None and newest != self.peppers.newest.verifier:
            await self._look_for_peppers()
        return [_key(row) for row in rows]

    async def _look_for_peppers(self) -> None:
        # Another process has added one, and makes keys with it.
        try:
            await asyncio.to_thread(self.peppers.reload)
        except ConfigurationError as error:
            logger.warning("peppers_not_reloaded", problem=str(error))

    async def revoke(self, key_id: str) -> bool:
        """Ends a key's validity for good; False when it was revoked before.

        Raises:
            KeyNotFoundError: no such key.
        """
        keys = tables.api_keys
        async with self._change() as connection:
            changed = await connection.execute(
                sa.update(keys)
                .where(keys.c.key_id == key_id, keys.c.revoked_ns.is_(None))
                .values(revoked_ns=self._clock.unix_ns())
            )
            if changed.rowcount == 0:
                await self._require(connection, key_id)
                return False
            await self.audit.append(connection, [AuditRecord(event="key-revoked", key_id=key_id, outcome="ok")])
        return True

    async def rotate(self, key_id: str) -> str:
        """Gives a key a new secret and returns the raw key; the old one is void at once.

        Raises:
            KeyNotFoundError: no such key.
            KeyStateError: it is revoked: rotating must not bring it back to life.
        """
        secret = new_secret()
        keys = tables.api_keys
        async with self._change() as connection:
            changed = await connection.execute(
                sa.update(keys)
                .where(keys.c.key_id == key_id, keys.c.revoked_ns.is_(None))
                .values(**self._hashed(secret), last_used_ns=None)
            )
            if changed.rowcount == 0:
                await self._require(connection, key_id)
                raise KeyStateError(f"key {key_id!r} is revoked and stays so; make a new one")
            await self.audit.append(connection, [AuditRecord(event="key-rotated", key_id=key_id, outcome="ok")])
        return format_key(key_id, secret)

    async def change(
        self,
        key_id: str,
        *,
        scopes: Sequence[str] | None = None,
        constraints: Constraints | None = None,
        display_name: str | None = None,
        expires_ns: int | None = None,
        certificate: str | None = None,
    ) -> KeyRecord:
        """Changes what a key may do; its secret stays. Running gateways go by it within a second.

        Args:
            scopes: those that take the place of the present ones; None to leave them, and so for the others.
            certificate: rule of the client certificate that the key is bound to; '' for none any more.

        Raises:
            ValueError: a scope or the rule is not allowed, there would be no scope, or the end would come before the
                begin.
            KeyNotFoundError: no such key.
            KeyStateError: it is revoked.
        """
        values: dict[str, Any] = {}
        if scopes is not None:
            held = [str(scope) for scope in parse_scopes(scopes)]
            if not held:
                raise ValueError(f"a key needs at least one scope; there are: {', '.join(Scope)}")
            values |= {"scopes": held, "scope_catalogue": CATALOGUE_VERSION}
        if constraints is not None:
            values["constraints"] = constraints.to_json()
        if display_name is not None:
            values["display_name"] = display_name
        if expires_ns is not None:
            values["expires_ns"] = expires_ns
        if certificate is not None:
            values["certificate"] = parse_rule(certificate) if certificate else ""
        told = {name: value for name, value in values.items() if name != "scope_catalogue"}
        keys = tables.api_keys
        async with self._change() as connection:
            before = (await connection.execute(sa.select(keys).where(keys.c.key_id == key_id))).one_or_none()
            if before is None:
                await self._require(connection, key_id)
            elif before.revoked_ns is not None:
                raise KeyStateError(f"key {key_id!r} is revoked and stays so; make a new one")
            elif expires_ns is not None and expires_ns <= (before.not_before_ns or 0):
                raise ValueError("the key would expire before it becomes valid")
            await connection.execute(sa.update(keys).where(keys.c.key_id == key_id).values(**values))
            after = (await connection.execute(sa.select(keys).where(keys.c.key_id == key_id))).one()
            await self.audit.append(
                connection, [AuditRecord(event="key-changed", key_id=key_id, outcome="ok", details=told)]
            )
        return _key(after)

    async def delete(self, key_id: str) -> None:
        """Removes a revoked key; its audit stays.

        Raises:
            KeyNotFoundError: no such key.
            KeyStateError: it is not revoked.
        """
        keys = tables.api_keys
        async with self._change() as connection:
            changed = await connection.execute(
                sa.delete(keys).where(keys.c.key_id == key_id, keys.c.revoked_ns.is_not(None))
            )
            if changed.rowcount == 0:
                await self._require(connection, key_id)
                raise KeyStateError(f"key {key_id!r} is in use; revoke it first")
            await self.audit.append(connection, [AuditRecord(event="key-deleted", key_id=key_id, outcome="ok")])

    async def mark_used(self, used: dict[str, int]) -> None:
        """Notes when keys were last used; later times win."""
        keys = tables.api_keys
        async with self._database.write() as connection:
            for key_id, at_ns in used.items():
                await connection.execute(
                    sa.update(keys)
                    .where(keys.c.key_id == key_id, sa.or_(keys.c.last_used_ns.is_(None), keys.c.last_used_ns < at_ns))
                    .values(last_used_ns=at_ns)
                )
            # Callers were let in, so the pepper is right.
            await self._note_pepper(connection)

    async def _require(self, connection: AsyncConnection, key_id: str) -> None:
        keys = tables.api_keys
        found = await connection.execute(sa.select(keys.c.key_id).where(keys.c.key_id == key_id))
        if found.one_or_none() is None:
            raise KeyNotFoundError(f"there is no key {key_id!r}; see mxgateway apikey list")

    # --------------------------------------------------------------------------------------------------------- audit

    async def record(self, records: Sequence[AuditRecord]) -> None:
        """Appends to the audit, all or none."""
        if records:
            async with self._database.write() as connection:
                await self.audit.append(connection, records)

    async def read_audit(
        self, *, key_id: str | None = None, event: str | None = None, since_ns: int = 0, limit: int = 100
    ) -> list[AuditRecord]:
        """The youngest records, oldest first."""
        return await self.audit.read(AuditQuery(key_id=key_id, event=event, since_ns=since_ns, limit=limit))

    async def prune_audit(self, before_ns: int) -> int:
        """Removes older records; returns how many."""
        async with self._database.write() as connection:
            return await self.audit.prune(connection, before_ns)

    @contextlib.asynccontextmanager
    async def _change(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that changes keys: it counts, and the pepper is known to be theirs."""
        async with self._database.write() as connection:
            yield connection
            await tables.count_change(connection)
            await self._note_pepper(connection)

    async def _note_pepper(self, connection: AsyncConnection) -> None:
        if await tables.read_fact(connection, tables.PEPPER) is None:
            await tables.write_fact(connection, tables.PEPPER, self.peppers.newest.verifier)

    def _hashed(self, secret: str) -> dict[str, Any]:
        newest = self.peppers.newest
        return {
            "secret_hash": newest.hash(secret),
            "pepper": newest.pepper_id,
            "secret_id": secrets.token_hex(8),
        }

    # ------------------------------------------------------------------------------------------------------- peppers

    async def pepper_uses(self) -> list[PepperUse]:
        """Which keys were made with which pepper."""
        async with self._database.read() as connection:
            return await pepper_store.read_uses(connection, self.peppers)

    async def take_new_pepper(self) -> None:
        """Makes the newest pepper of the source the one that new keys are made with, here and in running gateways."""
        self.peppers.reload()
        async with self._database.write() as connection:
            await pepper_store.note_newest(connection, self.peppers, self._chain_key)
            details = {"pepper": self.peppers.newest.pepper_id}
            await self.audit.append(connection, [AuditRecord(event="pepper-added", outcome="ok", details=details)])

    async def note_retired(self, pepper_ids: Sequence[str]) -> None:
        """Records that these peppers were taken away."""
        await self.record([AuditRecord(event="pepper-retired", outcome="ok", details={"peppers": list(pepper_ids)})])

    async def rehash(self, rehashed: dict[str, Rehashed]) -> None:
        """Stores what keys are hashed to by the newest pepper, unless they have got another secret meanwhile."""
        keys = tables.api_keys
        async with self._change() as connection:
            for key_id, new in rehashed.items():
                changed = await connection.execute(
                    sa.update(keys)
                    .where(keys.c.key_id == key_id, keys.c.secret_hash == new.before)
                    .values(secret_hash=new.after, pepper=new.pepper_id)
                )
                if changed.rowcount:
                    details = {"pepper": new.pepper_id}
                    record = AuditRecord(event="key-rehashed", key_id=key_id, outcome="ok", details=details)
                    await self.audit.append(connection, [record])


async def _prepare(database: Database, migrate: bool) -> None:
    if migrate:
        while True:
            async with database.write() as connection:
                if not await connection.run_sync(tables.migrate_one):
                    return
    async with database.read() as connection:
        version = await connection.run_sync(tables.check_version)
    if version < tables.CURRENT_VERSION:
        raise SchemaVersionError(
            f"the key store has schema version {version}, this program needs {tables.CURRENT_VERSION}; set "
            "authentication.run_migrations_on_startup, or run mxgateway apikey list once"
        )


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
        pepper_id=row.pepper,
        secret_id=row.secret_id,
        certificate=row.certificate,
        scope_catalogue=row.scope_catalogue,
    )
