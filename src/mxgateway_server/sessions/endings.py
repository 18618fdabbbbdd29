"""How sessions end: each once, whoever asks and however many do, in a task that outlives who asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mxgateway_server.errors import (
    GatewayError,
    GatewayStoppingError,
    SessionClosedError,
    WorkerError,
    WorkerShutdownTimeoutError,
)
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CLOSED, CLOSING, CloseReason
from mxgateway_server.sessions.table import SessionTable

logger = get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class SessionCounters:
    """Totals since the gateway started."""

    opened: int = 0
    closed: int = 0
    faulted: int = 0
    killed: int = 0


class SessionEndings:
    """Ends sessions, and the workers of those that faulted; `run` owns the tasks.

    Attributes:
        is_running: whether sessions can be ended: while `run` runs.
    """

    def __init__(self, sessions: dict[str, Session], table: SessionTable, counters: SessionCounters) -> None:
        """
        Args:
            sessions: those that are there, by id; what has ended is taken out, here and of the table.
        """
        self._sessions = sessions
        self._table = table
        self._counters = counters
        self._closing: dict[str, asyncio.Future[WorkerShutdownTimeoutError | None]] = {}
        self._faulted: asyncio.Queue[Session | None] = asyncio.Queue()
        self._group: asyncio.TaskGroup | None = None

    @property
    def is_running(self) -> bool:
        return self._group is not None

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
                    self._counters.killed += 1
                    await worker.kill()
                elif not await worker.shut_down(reason):
                    self._counters.killed += 1
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
            self._counters.closed += 1
            session.ended.set()
            done.set_result(problem)
        logger.info(
            "session_closed",
            session_id=session.session_id,
            worker_pid=session.worker_pid(),
            reason=str(record.close_reason),
            clean=problem is None,
        )
        return problem

    def take_fault(self, session: Session) -> None:
        """Notes that a session faulted; its worker is ended by `run`."""
        self._counters.faulted += 1
        record = session.record
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
        return GatewayStoppingError("the gateway is stopping", retry_after=5.0)
    return SessionClosedError(f"the session was closed: {reason}")
