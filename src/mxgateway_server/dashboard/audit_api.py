"""The audit, page by page, the youngest first, and as a file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from starlette.responses import Response

from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.audit_pages import AuditPage, AuditPages
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.dashboard.calls import NO_STORE, Call, ProblemError, data
from mxgateway_server.errors import StoreError

PAGE = 100
MAX_EXPORTED = 10_000
_TEXTS = ("key", "event", "session", "correlation", "outcome", "tag")
_COLUMNS = ("event", "key", "actor", "origin", "address", "session", "correlation", "target", "outcome")
_MAX_ID = 2**62


class AuditRoutes:
    """The routes under `/audit`."""

    def __init__(self, pages: AuditPages, audit: AuditLog) -> None:
        self._pages = pages
        self._audit = audit

    async def listed(self, call: Call) -> Response:
        """One page; `next` leads to the one before it."""
        found = await self._read(call, PAGE)
        return data({"records": [_shown(each) for each in found.records], "next": found.before_id})

    async def exported(self, call: Call) -> Response:
        """What fits as CSV; looking at so much at once is recorded itself."""
        found = (await self._read(call, MAX_EXPORTED)).records
        self._audit.add(
            AuditRecord(
                event="dashboard.audit-export",
                key_id=call.who.key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                outcome="ok",
                details={"records": len(found)},
            )
        )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(["id", "time", *_COLUMNS, "details"])
        for each in found:
            shown = _shown(each)
            at = datetime.fromtimestamp(each.at_ns / 1e9, UTC).isoformat(timespec="milliseconds")
            cells = [shown[name] for name in _COLUMNS]
            writer.writerow([each.record_id, at, *(_cell(str(cell)) for cell in cells), _cell(str(each.details or ""))])
        headers = {**NO_STORE, "content-disposition": 'attachment; filename="audit.csv"'}
        return Response(text.getvalue(), 200, headers, "text/csv")

    async def _read(self, call: Call, limit: int) -> AuditPage:
        key, event, session, correlation, outcome, tag = (call.query(name, at_most=300) or None for name in _TEXTS)
        query = AuditQuery(
            key_id=key,
            event=event,
            session_id=session,
            correlation_id=correlation,
            outcome=outcome,
            tag=tag if tag is None or "*" in tag or "?" in tag else f"*{tag}*",
            since_ns=call.number("since", 0, at_most=_MAX_ID) * 1_000_000,
            before_id=call.number("before", 0, at_most=_MAX_ID) or None,
            limit=limit,
        )
        try:
            return await self._pages.page(query)
        except StoreError as error:
            raise ProblemError(503, "TOO_WIDE", *str(error).split("; ", 1)) from None


def _shown(record: AuditRecord) -> dict[str, object]:
    return {
        "id": record.record_id,
        "at": record.at_ns // 1_000_000,
        "event": record.event,
        "key": record.key_id,
        "actor": record.actor,
        "origin": record.origin,
        "address": record.remote_address,
        "session": record.session_id,
        "correlation": record.correlation_id,
        "target": record.target,
        "outcome": record.outcome,
        "details": record.details,
    }


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
