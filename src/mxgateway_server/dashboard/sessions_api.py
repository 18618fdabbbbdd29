"""One session's page, and what may be done to sessions."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.dashboard.calls import Call, ProblemError, data
from mxgateway_server.dashboard.sampler import Sampler
from mxgateway_server.errors import WorkerShutdownTimeoutError
from mxgateway_server.sessions.history import EndedSession
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CloseReason
from mxgateway_server.status import StatusReader, to_json

MAX_TOGETHER = 50
MAX_REASON = 300


class SessionRoutes:
    """The routes under `/sessions`."""

    def __init__(self, sessions: SessionManager, status: StatusReader, sampler: Sampler, audit: AuditLog) -> None:
        self._sessions = sessions
        self._status = status
        self._sampler = sampler
        self._audit = audit

    async def history(self, call: Call) -> Response:
        """The gateway's figures over a span of time."""
        try:
            return data(self._sampler.history(call.query("span") or "5m"))
        except KeyError:
            raise ProblemError(400, "INVALID_REQUEST", "span: write 5m, 10m, 1h or 24h") from None

    async def one(self, call: Call) -> Response:
        """One session with its last five minutes."""
        session_id = call.path("session_id")
        picture = self._status.take()
        found = picture.session(session_id)
        if found is None:
            over = next((each for each in picture.ended_sessions if each.session_id == session_id), None)
            if over is not None:
                return data({"ended": _told(over), "series": {}})
            raise self._gone(session_id)
        return data({"series": self._sampler.session_history(session_id)})

    async def ended(self, _: Call) -> Response:
        """The last sessions that are over, the youngest first."""
        return data({"sessions": [_told(each) for each in reversed(self._status.take().ended_sessions)]})

    async def close(self, call: Call) -> Response:
        """Ends sessions in order, each told by itself: what ended meanwhile is no error of the others."""
        wanted = call.body.get("sessions")
        if not isinstance(wanted, list) or not 0 < len(wanted) <= MAX_TOGETHER:
            raise ProblemError(400, "INVALID_REQUEST", f"sessions: name 1 to {MAX_TOGETHER} of them")
        reason = call.text("reason", at_most=MAX_REASON)
        ids = list(dict.fromkeys(str(each)[:100] for each in wanted))
        self._require_audit()
        results = await asyncio.gather(*(self._close(call, session_id, reason) for session_id in ids))
        return data({"results": results})

    async def _close(self, call: Call, session_id: str, reason: str) -> dict[str, object]:
        session = self._find(session_id)
        if session is None:
            outcome, text = "gone", str(self._gone(session_id))
        else:
            try:
                await self._sessions.close(session, CloseReason.OPERATOR_CLOSE)
                outcome, text = "closed", "closed"
            except WorkerShutdownTimeoutError as error:
                outcome, text = "killed", str(error)
        self._record(call, "dashboard.session-close", session_id, session, outcome, reason)
        return {"id": session_id, "outcome": outcome, "detail": text}

    async def kill(self, call: Call) -> Response:
        """Ends a session and its worker at once; who does has to write the end of its id."""
        session_id = call.path("session_id")
        reason = call.text("reason", at_most=MAX_REASON, is_needed=True)
        if call.text("confirm") != session_id[-6:]:
            raise ProblemError(400, "CONFIRM", f"write {session_id[-6:]} to confirm")
        self._require_audit()
        session = self._find(session_id)
        if session is None:
            self._record(call, "dashboard.session-kill", session_id, None, "gone", reason)
            raise self._gone(session_id)
        await self._sessions.kill(session)
        self._record(call, "dashboard.session-kill", session_id, session, "killed", reason)
        return data({"results": [{"id": session_id, "outcome": "killed", "detail": "killed"}]})

    def _find(self, session_id: str) -> Session | None:
        return next((each for each in self._sessions.sessions if each.session_id == session_id), None)

    def _gone(self, session_id: str) -> ProblemError:
        why = self._sessions.end_of(session_id)
        if why:
            return ProblemError(409, "SESSION_GONE", f"this session is not there any more: {why}")
        return ProblemError(404, "SESSION_NOT_FOUND", "there is no such session")

    def _require_audit(self) -> None:
        if not self._audit.has_room:
            raise ProblemError(
                503,
                "AUDIT_UNAVAILABLE",
                "the audit cannot be written, so nothing is done that would have to be in it",
                "look at the audit check on the overview",
                retry_after=5.0,
            )

    def _record(
        self, call: Call, event: str, session_id: str, session: Session | None, outcome: str, reason: str
    ) -> None:
        details: dict[str, object] = {"role": call.role.word, "reason": reason}
        if session is not None:
            details |= {"owner": session.record.owner_key_id, "name": session.record.name[:200]}
        self._audit.add(
            AuditRecord(
                event=event,
                key_id=call.who.key_id,
                remote_address=call.address,
                session_id=session_id,
                correlation_id=call.correlation_id,
                outcome=outcome,
                details=details,
            )
        )


def _told(session: EndedSession) -> dict[str, object]:
    told: dict[str, object] = to_json(session)
    del told["openedNs"], told["endedNs"]
    return {**told, "opened": session.opened_ns // 1_000_000, "ended": session.ended_ns // 1_000_000}
