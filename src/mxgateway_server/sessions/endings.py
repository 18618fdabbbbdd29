"""How sessions end: each once, whoever asks and however many do, in a task that outlives who asked."""

from __future__ import annotations

import asyncio

from mxgateway_protocol.clock import Clock
from mxgateway_server.errors import (
    GatewayError,
    GatewayStoppingError,
    SessionClosedError,
    WorkerError,
    WorkerShutdownTimeoutError,
)
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.history import MAX_TEXT, EndedSession, RecentFault, SessionCounters, SessionHistory
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CLOSED, CLOSING, CloseReason
from mxgateway_server.sessions.table import SessionTable

logger = get_logger(__name__)


class SessionEndings:
    """Ends sessions, and the workers of those that faulted; `run` owns the tasks.

    Attributes:
        is_running: whether sessions can be ended: while `run` runs, and they are not frozen.
        is_frozen: whether no ending begins by itself for a moment.
    """

    def __init__(
        self,
        sessions: dict[str, Session],
        table: SessionTable,
        counters: SessionCounters,
        history: SessionHistory,
        clock: Clock,
    ) -> None:
        """
        Args:
            sessions: those that are there, by id; what has ended is taken out, here and of the table.
        """
        self._history = history
        self._clock = clock
        self._sessions = sessions
        self._table = table
        self._counters = counters
        self._closing: dict[str, asyncio.Future[WorkerShutdownTimeoutError | None]] = {}
        self._faulted: asyncio.Queue[Session | None] = asyncio.Queue()
        self._group: asyncio.TaskGroup | None = None
        self.is_frozen = False

    @property
    def is_running(self) -> bool:
        return self._group is not None and not self.is_frozen

    async def run(self) -> None:
        """Ends the workers of faulted sessions as they occur, until `stop`.

        A faulted session stays known for a while, so that its owner learns why.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            while (session := await self._faulted.get()) is not None:
                if session.worker is not None:
                    group.create_task(session.worker.kill())

    def stop(self) -> None:
        """Lets `run` end, after the endings that are under way."""
        self._faulted.put_nowait(None)

    @property
    def under_way(self) -> int:
        """How many sessions are being ended."""
        return len(self._closing)

    def is_under_way(self, session: Session) -> bool:
        return session.session_id in self._closing

    def begin(self, session: Session, reason: CloseReason) -> None:
        """Begins to end a session, and does not wait; nothing while `run` does not run."""
        if self._group is not None:
            self._group.create_task(self.end(session, reason))

    async def end(
        self, session: Session, reason: CloseReason, *, by_force: bool = False
    ) -> WorkerShutdownTimeoutError | None:
        """Ends a session and waits for it; several calls at once share one ending.

        Args:
            by_force: kill its worker without asking it; one whose orderly end is under way too.

        Returns:
            what to tell a caller whose session is closed, but whose worker had to be killed.
        """
        under_way = self._closing.get(session.session_id)
        if under_way is not None:
            if by_force and session.worker is not None:
                # Whoever waits for its orderly end sees it end now.
                session.worker.kill_process()
            return await asyncio.shield(under_way)
        if session.session_id not in self._sessions:
            return None
        done: asyncio.Future[WorkerShutdownTimeoutError | None] = asyncio.get_running_loop().create_future()
        self._closing[session.session_id] = done
        if self._group is None:
            raise RuntimeError("sessions can be closed only while `run` runs")
        ending = self._group.create_task(self._end_once(session, reason, by_force, done))
        # The caller may give up; the ending goes on, and whoever asks next waits for the same one.
        return await asyncio.shield(ending)

    async def _end_once(
        self,
        session: Session,
        reason: CloseReason,
        by_force: bool,
        done: asyncio.Future[WorkerShutdownTimeoutError | None],
    ) -> WorkerShutdownTimeoutError | None:
        record = session.record
        problem = None
        try:
            record.close_reason = record.close_reason or reason
            was_faulted = record.fault is not None
            record.move(CLOSING)
            worker = session.worker
            if worker is not None:
                if by_force or was_faulted or worker.fault is not None:
                    self._killed("admin" if by_force else "fault")
                    await worker.kill()
                elif not await worker.shut_down(reason):
                    self._killed("shutdown_timeout")
                    problem = WorkerShutdownTimeoutError(
                        "the session is closed; its worker did not end in order within the time for it",
                        worker_pid=worker.pid,
                    )
        except Exception:
            logger.exception("session_close_failed", session_id=session.session_id)
            problem = WorkerShutdownTimeoutError("the session is closed; ending its worker failed")
        finally:
            session.hub.end(_end_error(reason))
            record.move(CLOSED)
            self._sessions.pop(session.session_id, None)
            self._table.remove(session.session_id)
            self._closing.pop(session.session_id, None)
            self._count(session, is_clean=problem is None)
            session.ended.set()
            done.set_result(problem)
        logger.info(
            "session_closed",
            session_id=session.session_id,
            worker_pid=session.worker_pid(),
            reason=str(record.close_reason),
            clean=problem is None,
            name=record.name,
            key_id=record.owner_key_id,
            seconds=round((self._clock.unix_ns() - record.opened_ns) / 1e9, 1) if record.opened_ns else None,
            commands=session.commands_started,
            events=session.events_received,
            dropped=session.hub.totals.dropped,
        )
        return problem

    def _killed(self, cause: str) -> None:
        self._counters.killed += 1
        self._counters.killed_by_cause[cause] += 1

    def _count(self, session: Session, *, is_clean: bool) -> None:
        counters, record, hub = self._counters, session.record, session.hub.totals
        reason = str(record.close_reason)
        counters.closed += 1
        counters.closed_by_reason[reason] += 1
        # From here on they are not among the open ones any more: no total ever falls.
        counters.commands_started += session.commands_started
        counters.events_received += session.events_received
        counters.event_bytes_received += session.event_bytes_received
        counters.dropped_by_worker += session.events_dropped_by_worker
        counters.dropped_by_stream += hub.dropped
        counters.dropped_unread += hub.unread
        counters.delivered += hub.delivered
        counters.overflows += hub.overflows
        self._history.add_ended(
            EndedSession(
                session_id=session.session_id,
                owner_key_id=record.owner_key_id,
                name=record.name,
                peer=record.last_peer,
                opened_ns=record.opened_ns,
                ended_ns=self._clock.unix_ns(),
                reason=reason,
                is_clean=is_clean,
                fault="" if record.fault is None else record.fault.reason,
                fault_text="" if record.fault is None else str(record.fault)[:MAX_TEXT],
                worker_pid=session.worker_pid(),
                commands_started=session.commands_started,
                events_received=session.events_received,
                events_delivered=hub.delivered,
                events_dropped=hub.dropped,
                items=len(session.handles),
            )
        )

    def take_fault(self, session: Session) -> None:
        """Notes that a session faulted; its worker is ended by `run`."""
        record = session.record
        self._counters.faulted += 1
        if record.fault is not None:
            self._counters.faulted_by_reason[record.fault.reason] += 1
            self._history.add_fault(
                RecentFault(
                    at_ns=self._clock.unix_ns(),
                    session_id=session.session_id,
                    owner_key_id=record.owner_key_id,
                    name=record.name,
                    worker_pid=session.worker_pid(),
                    reason=record.fault.reason,
                    text=str(record.fault)[:MAX_TEXT],
                )
            )
        record.close_reason = CloseReason.FAULT
        logger.error(
            "session_faulted",
            session_id=session.session_id,
            worker_pid=session.worker_pid(),
            reason=None if record.fault is None else record.fault.reason,
            error=record.fault,
            **_last_words(record.fault),
        )
        self._faulted.put_nowait(session)


def _last_words(fault: GatewayError | None) -> dict[str, str]:
    words = fault.last_words if isinstance(fault, WorkerError) else ""
    return {"last_words": words} if words else {}


def _end_error(reason: CloseReason) -> SessionClosedError | GatewayStoppingError | None:
    if reason is CloseReason.CLIENT:
        return None
    if reason is CloseReason.GATEWAY_SHUTDOWN:
        return GatewayStoppingError()
    return SessionClosedError(f"the session was closed: {reason}")
