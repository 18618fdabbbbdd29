"""The audit as it is stored: appended to, read, followed link by link, and let go for its age. Nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mxgateway_contract.redaction import redact
from mxgateway_protocol.clock import Clock
from mxgateway_server.access import tables
from mxgateway_server.access.actors import Actor, current_actor
from mxgateway_server.access.chain import ChainCheck, ChainKey, Finding, Mark, contents_of
from mxgateway_server.access.database import Database
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.errors import StoreError
from mxgateway_server.logs import plain

_TOGETHER = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What following the chain found.

    Attributes:
        records: how many there are.
        unchained: of them, those of an earlier version, which nothing vouches for.
        head: link of the last one: noted elsewhere, it tells later whether the audit was put back.
        findings: what is wrong, in order; none when all is as it was written.
    """

    records: int
    unchained: int
    head: str
    findings: tuple[Finding, ...]


class AuditStore:
    """The table of the audit."""

    def __init__(self, database: Database, key: ChainKey, clock: Clock) -> None:
        self._database = database
        self._key = key
        self._clock = clock

    async def append(self, connection: AsyncConnection, records: Sequence[AuditRecord]) -> None:
        """Adds records at the end, inside the caller's transaction.

        Raises:
            StoreError: the note of the chain's end was changed by somebody: nothing may cover that up.
        """
        # Locked, so that of several gateways each continues the other's chain.
        sealed = await tables.read_fact(connection, tables.AUDIT_HEAD, lock=True)
        head = self._key.open(tables.AUDIT_HEAD, sealed or "")
        if head is None:
            raise StoreError(
                f"the key store {self._database.name}: the end of the audit was changed by another hand; see mxgateway "
                "audit verify, and restore the store from a backup"
            )
        if head == Mark():
            # Records of an earlier version have no links; the chain begins behind them.
            newest = (await connection.execute(sa.select(sa.func.max(tables.audit.c.id)))).scalar()
            record_id, link = newest or 0, head.link
        else:
            record_id, link = head.record_id, head.link
        now = self._clock.unix_ns()
        rows = []
        actor = current_actor()
        for record in records:
            row = _row(record, now, actor)
            record_id += 1
            link = self._key.link(link, record_id, contents_of(row))
            rows.append({**row, "id": record_id, "chain": link})
        await connection.execute(sa.insert(tables.audit), rows)
        end = self._key.seal(tables.AUDIT_HEAD, Mark(record_id, link, head.count + len(rows)))
        await tables.write_fact(connection, tables.AUDIT_HEAD, end)

    async def read(self, query: AuditQuery) -> list[AuditRecord]:
        """The youngest records that fit, oldest first."""
        async with self._database.read() as connection:
            return await read_records(connection, query)

    async def newest_ns(self) -> int:
        """Latest time of any record, nanoseconds since 1970 UTC; 0 when there is none."""
        async with self._database.read() as connection:
            return (await connection.execute(sa.select(sa.func.max(tables.audit.c.at_ns)))).scalar() or 0

    async def newest_id(self) -> int:
        """Id of the last record; 0 when there is none."""
        async with self._database.read() as connection:
            return (await connection.execute(sa.select(sa.func.max(tables.audit.c.id)))).scalar() or 0

    async def verify(self, noted_head: str = "") -> AuditReport:
        """Follows the chain through every record.

        Args:
            noted_head: `head` of an earlier report, to be found in the chain; '' for none.
        """
        table = tables.audit
        async with self._database.read() as connection:
            anchor = await tables.read_fact(connection, tables.AUDIT_ANCHOR)
            head = await tables.read_fact(connection, tables.AUDIT_HEAD)
            check = ChainCheck(
                self._key,
                self._key.open(tables.AUDIT_ANCHOR, anchor or ""),
                self._key.open(tables.AUDIT_HEAD, head or ""),
                noted_head,
            )
            after = 0
            while True:
                statement = sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(_TOGETHER)
                rows = (await connection.execute(statement)).mappings().all()
                for row in rows:
                    check.take(row["id"], contents_of(dict(row)), row["chain"])
                if len(rows) < _TOGETHER:
                    break
                after = rows[-1]["id"]
        findings = tuple(check.finish())
        return AuditReport(records=check.records, unchained=check.unchained, head=check.last.link, findings=findings)

    async def prune(self, connection: AsyncConnection, before_ns: int) -> int:
        """Lets the oldest records go, up to the first that is not older; returns how many."""
        table = tables.audit
        young = sa.select(sa.func.min(table.c.id)).where(table.c.at_ns >= before_ns)
        first_kept = (await connection.execute(young)).scalar()
        old = sa.true() if first_kept is None else table.c.id < first_kept
        newest_old = sa.select(table.c.id, table.c.chain).where(old).order_by(table.c.id.desc()).limit(1)
        last = (await connection.execute(newest_old)).one_or_none()
        if last is None:
            return 0
        anchor = self._key.open(tables.AUDIT_ANCHOR, await tables.read_fact(connection, tables.AUDIT_ANCHOR) or "")
        links = sa.select(sa.func.count(table.c.chain)).where(old)
        gone = (await connection.execute(links)).scalar() or 0
        if last.chain is not None and anchor is not None:
            mark = Mark(last.id, last.chain, anchor.count + gone)
            await tables.write_fact(connection, tables.AUDIT_ANCHOR, self._key.seal(tables.AUDIT_ANCHOR, mark))
        await tables.write_fact(connection, tables.AUDIT_PRUNED, str(last.id))
        result = await connection.execute(sa.delete(table).where(old))
        return int(result.rowcount)


async def read_records(connection: AsyncConnection, query: AuditQuery) -> list[AuditRecord]:
    """The youngest records that fit, oldest first."""
    table = tables.audit
    statement = sa.select(table).where(*_conditions(query)).order_by(table.c.id.desc()).limit(query.limit)
    rows = (await connection.execute(statement)).mappings().all()
    return [_record(dict(row)) for row in reversed(rows)]


def _row(record: AuditRecord, now: int, actor: Actor | None) -> dict[str, Any]:
    name, origin = record.actor, record.origin
    if not name and actor is not None:
        name, origin = actor.name, actor.origin
    elif not name and record.key_id:
        # Calls: who did it is whose key it was.
        name, origin = f"key:{record.key_id}", origin or "rpc"
    return {
        "at_ns": record.at_ns or now,
        "event": record.event,
        "key_id": record.key_id[:64],
        "remote_address": record.remote_address[:100],
        "session_id": record.session_id[:64],
        # A caller may have sent his key as correlation id.
        "correlation_id": redact(record.correlation_id)[:200],
        # As callers sent it: PostgreSQL takes no NUL, and one such record would hold up all others.
        "target": plain(record.target)[:1100],
        "outcome": record.outcome[:60],
        "details": json.loads(json.dumps(record.details)),
        "actor": plain(name)[:100],
        "origin": origin[:20],
    }


def _record(row: Mapping[str, Any]) -> AuditRecord:
    return AuditRecord(**contents_of(row), record_id=row["id"])


def _conditions(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    table = tables.audit
    found: list[sa.ColumnElement[bool]] = [table.c.at_ns >= query.since_ns, table.c.id > query.after_id]
    if query.until_ns is not None:
        found.append(table.c.at_ns < query.until_ns)
    if query.before_id is not None:
        found.append(table.c.id < query.before_id)
    equal = {
        table.c.actor: query.actor,
        table.c.origin: query.origin,
        table.c.target: query.target,
        table.c.key_id: query.key_id,
        table.c.event: query.event,
        table.c.session_id: query.session_id,
        table.c.outcome: query.outcome,
        table.c.correlation_id: query.correlation_id,
    }
    found.extend(column == value for column, value in equal.items() if value is not None)
    if query.tag is not None:
        pattern = query.tag.translate({ord(each): f"\\{each}" for each in "\\%_"}).replace("*", "%").replace("?", "_")
        found.append(sa.func.lower(table.c.target).like(pattern.lower(), escape="\\"))
    return found
