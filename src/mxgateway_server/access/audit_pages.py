"""The audit for people who look at it, on connections of its own: however much somebody asks for, no key waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from mxgateway_server.access.audit_store import read_records
from mxgateway_server.access.database import Database
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.errors import StoreError

PAGE_SECONDS = 2.0
"""How long one page may take; what takes longer asks for too much."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some records, the youngest first.

    Attributes:
        before_id: `AuditQuery.before_id` of the next page; None when this is the last.
    """

    records: tuple[AuditRecord, ...]
    before_id: int | None


class AuditPages:
    """Reads page by page: each begins where the one before it ended, also while records are added.

    Args:
        database: its own; closed by `close`.
        seconds: how long one page may take.
    """

    def __init__(self, database: Database, seconds: float = PAGE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds

    async def close(self) -> None:
        """Ends its connections."""
        await self._database.close()

    async def page(self, query: AuditQuery) -> AuditPage:
        """The youngest records that fit, `query.limit` of them at most.

        Raises:
            StoreError: it took too long; the text says what to narrow.
            SQLAlchemyError, OSError: the store cannot be read.
        """
        try:
            # Connecting is not broken off: half a connection would stay open.
            async with self._database.read() as connection, asyncio.timeout(self._seconds):
                found = await read_records(connection, replace(query, limit=query.limit + 1))
        except TimeoutError:
            raise StoreError(
                f"the audit has too many records to answer this within {self._seconds:g} s; ask for a shorter time, "
                "one key or one kind of event"
            ) from None
        records = tuple(reversed(found))[: query.limit]
        return AuditPage(records, records[-1].record_id if len(found) > query.limit else None)
