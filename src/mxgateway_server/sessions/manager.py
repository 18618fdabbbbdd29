"""Opening, finding, closing and sweeping sessions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Set

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.errors import (
    GatewayStoppingError,
    GatewayUpgradingError,
    SessionClosedError,
    SessionLimitError,
    SessionNotFoundError,
)
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.subscriber import Policy
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.endings import SessionEndings
from mxgateway_server.sessions.history import SessionCounters, SessionHistory
from mxgateway_server.sessions.keeping import kept_ends, resume_session, resumed_record
from mxgateway_server.sessions.kept import KeptEnd, KeptSession
from mxgateway_server.sessions.options import OpenOptions, SessionOptions
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CLOSED, CLOSING, FAULTED, READY, CloseReason, SessionRecord, State
from mxgateway_server.sessions.table import ClosedSession, SessionTable
from mxgateway_server.sessions.worker_supply import WorkerSupply
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.launcher import Launcher
from mxgateway_server.workers.pool import WorkerPool

logger = get_logger(__name__)


class SessionManager:
    """The sessions of one gateway. Ending a worker takes time, so `run` ends those of faulted sessions."""

    def __init__(self, launcher: Launcher, pool: WorkerPool, clock: Clock, options: SessionOptions) -> None:
        self._supply = WorkerSupply(launcher, pool)
        self._clock = clock
        self._options = options
        self._table = SessionTable(options.max_sessions, options.limits, options.max_sessions_per_key)
        self._sessions: dict[str, Session] = {}
        self._is_stopping = False
        self._is_draining = False
        self._is_frozen = False
        self.counters = SessionCounters()
        self.history = SessionHistory(options.recent_sessions, options.recent_faults)
        self._endings = SessionEndings(self._sessions, self._table, self.counters, self.history, clock)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def max_sessions(self) -> int:
        return self._options.max_sessions

    @property
    def max_sessions_per_key(self) -> int:
        """Sessions that one key may have; all of them when it has no limit of its own."""
        return self._options.max_sessions_per_key or self._options.max_sessions

    @property
    def is_stopping(self) -> bool:
        """Whether no session opens any more."""
        return self._is_stopping

    @property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(self._sessions.values())

    # -------------------------------------------------------------------------------------------------------- open

    async def open(self, caller: Caller, wanted: OpenOptions, peer: str = "", deadline: float | None = None) -> Session:
        """Opens a session for the caller.

        Args:
            peer: the connection that he uses.
            deadline: the clock's time at which he gives up; None when he waits.

        Raises:
            GatewayStoppingError, SessionLimitError, SessionStartBusyError, WorkerStartError
            InvalidRequestError: the backend does not take the caller's options.
        """
        self._require_thawed()
        if self._is_stopping or self._is_draining:
            raise GatewayStoppingError("the gateway is stopping; use another, or wait until it is back")
        session_id = f"session-{secrets.token_hex(16)}"
        record = self._take_place(session_id, caller.key_id, wanted)
        record.owner_created_ns = caller.created_ns
        record.met(peer)
        session = self._add(record, wanted.policy or self._options.policy, wanted.command_timeout)
        worker: WorkerClient | None = None
        try:
            worker = await self._supply.worker(session, wanted, deadline)
            if self._is_stopping or record.state == CLOSING:
                raise GatewayStoppingError()
            session.attach(worker)
            if worker.fault is not None:
                raise worker.fault
            if not record.move(READY):
                raise SessionClosedError("the session was closed while it opened")
            session.touch()
        except BaseException:
            self._sessions.pop(session_id, None)
            self._table.discard(session_id)
            if worker is not None:
                await asyncio.shield(worker.kill())
            record.move(CLOSED)
            session.ended.set()
            raise
        self.counters.opened += 1
        logger.info(
            "session_opened", session_id=session_id, worker_pid=worker.pid, key_id=caller.key_id, name=wanted.name
        )
        return session

    def _add(self, record: SessionRecord, policy: Policy, command_timeout: float) -> Session:
        options = self._options
        hub = EventHub(
            options.ring,
            options.subscriber,
            policy,
            options.max_subscribers,
            requires_subscriber=options.requires_subscriber,
        )
        session = Session(
            record=record,
            hub=hub,
            clock=self._clock,
            command_timeout=command_timeout,
            on_fault=self._endings.take_fault,
        )
        self._sessions[record.session_id] = session
        return session

    def _take_place(self, session_id: str, key_id: str, wanted: OpenOptions) -> SessionRecord:
        while True:
            now = self._clock.monotonic()
            try:
                return self._table.create(
                    session_id,
                    key_id,
                    now,
                    wanted.name,
                    is_kept=wanted.is_kept,
                    is_apart=wanted.is_apart,
                    opened_ns=self._clock.unix_ns(),
                )
            except SessionLimitError:
                if wanted.is_apart:
                    raise
                # Before a client is turned away, one of its key's own that is gone gives its place up.
                gone = self._table.abandoned(key_id, now)
                if gone is None or not self._endings.is_running:
                    raise
                gone.close_reason = CloseReason.MADE_ROOM
                self._endings.begin(self._sessions[gone.session_id], CloseReason.MADE_ROOM)

    def reconfigure(self, options: SessionOptions) -> None:
        """Takes other bounds, for sessions that open from now on; none that is open ends because of it."""
        self._options = options
        self._table.reconfigure(options.max_sessions, options.limits, options.max_sessions_per_key)

    # -------------------------------------------------------------------------------------------------------- find

    def find(self, session_id: str, caller: Caller) -> Session:
        """The caller's session.

        Raises:
            SessionNotFoundError, OwnerMismatchError
        """
        record = self._table.find(session_id, caller.key_id, caller.is_admin, caller.created_ns)
        return self._sessions[record.session_id]

    def holds(self, session: Session) -> bool:
        """Whether a session that `find` gave is still there, and so would be given to the same caller again."""
        return self._sessions.get(session.session_id) is session

    def end_of(self, session_id: str) -> str:
        """Why a session is not there any more, in words; empty for one that nobody remembers."""
        return self._table.end_of(session_id)

    def visible_to(self, caller: Caller) -> list[Session]:
        """The caller's own sessions, and all of them for an admin; the oldest first."""
        found = [session for session in self.sessions if caller.is_admin or _is_owner(caller, session.record)]
        return sorted(found, key=lambda session: (session.record.opened_ns, session.session_id))

    # ------------------------------------------------------------------------------------------------------- close

    async def close_for(self, session_id: str, caller: Caller) -> State:
        """Closes the caller's session; closing a closed one gives its final state again.

        Raises:
            SessionNotFoundError, OwnerMismatchError
            WorkerShutdownTimeoutError: it is closed, but its worker had to be killed.
        """
        try:
            session = self.find(session_id, caller)
        except SessionNotFoundError:
            closed = self._table.find_closed(session_id, caller.key_id, caller.is_admin, caller.created_ns)
            if closed is None:
                raise
            return closed.state
        await self.close(session, CloseReason.CLIENT)
        return session.record.state

    async def close(self, session: Session, reason: CloseReason) -> None:
        """Ends a session in order; several calls at once share one ending.

        Raises:
            WorkerShutdownTimeoutError: it is closed, but its worker had to be killed.
            GatewayUpgradingError: nothing is closed for a moment.
        """
        self._require_thawed()
        problem = await self._endings.end(session, reason)
        if problem is not None:
            raise problem

    async def kill(self, session: Session) -> None:
        """Ends a session and its worker at once, without asking the worker.

        Raises:
            GatewayUpgradingError: nothing is closed for a moment.
        """
        self._require_thawed()
        await self._endings.end(session, CloseReason.ADMIN_KILL, by_force=True)

    # --------------------------------------------------------------------------------------------------- handing on

    @property
    def is_frozen(self) -> bool:
        """Whether sessions take nothing for a moment."""
        return self._is_frozen

    def freeze(self) -> None:
        """Until `thaw` no session opens, closes or takes a command or stream; what is under way goes on."""
        self._set_frozen(True)

    def thaw(self) -> None:
        """All is as before."""
        self._set_frozen(False)

    def _set_frozen(self, is_frozen: bool) -> None:
        self._is_frozen = self._endings.is_frozen = is_frozen
        for session in self.sessions:
            session.record.is_frozen = is_frozen

    def _require_thawed(self) -> None:
        if self._is_frozen:
            raise GatewayUpgradingError

    @property
    def endings_under_way(self) -> int:
        """How many sessions are being closed."""
        return self._endings.under_way

    def keep_ends(self) -> tuple[KeptEnd, ...]:
        """What is remembered of sessions that are over, and of those that have failed: these are not handed on."""
        failed = [session.record for session in self.sessions if session.record.state == FAULTED]
        return kept_ends(self._table.ended, failed)

    def remember(self, ends: Iterable[KeptEnd]) -> None:
        """Remembers sessions that another program of this process has had."""
        for each in ends:
            closed = ClosedSession(each.owner_key_id, CLOSED, each.cause, each.text, each.owner_created_ns)
            self._table.remember(each.session_id, closed)

    def resume(self, kept: KeptSession, launcher: Launcher) -> Session:
        """A session that another program of this process has had, with its worker, from which nothing is read yet."""
        now = self._clock.monotonic()
        record = resumed_record(kept, now)
        self._table.resume(record)
        session = self._add(record, kept.hub.policy, kept.command_timeout)  # type: ignore[arg-type]
        resume_session(session, kept, self._options.ring, now)
        session.attach(launcher.resume(kept.session_id, kept.worker))
        return session

    # ------------------------------------------------------------------------------------------------ upkeep and end

    async def run(self) -> None:
        """Ends the workers of faulted sessions as they occur, and owns the tasks that close sessions, until `stop`.

        A faulted session stays known for a while, so that its owner learns why.
        """
        await self._endings.run()

    def check_workers(self) -> None:
        """Looks whether a worker hangs."""
        for session in self.sessions:
            # Nothing is read from workers of frozen ones.
            if session.worker is not None and not self._is_frozen:
                session.worker.check()

    def look_for_peers(self, is_open: Callable[[str], bool | None]) -> None:
        """Notes which clients are gone, and begins to close sessions whose grace is over.

        Args:
            is_open: whether a connection is there; None when that cannot be told.
        """
        now = self._clock.monotonic()
        for session in self.sessions:
            session.record.look_for_peers(now, is_open)
        self._end_expired(now, {CloseReason.DETACH_GRACE_EXPIRED})

    def end_of_keys(self, is_valid: Callable[[str, int], bool]) -> None:
        """Begins to close the sessions of keys that are not valid any more.

        Args:
            is_valid: whether the key of this id, made at this time, still is.
        """
        verdicts: dict[tuple[str, int], bool] = {}
        for session in self.sessions:
            record = session.record
            key = record.owner_key_id, record.owner_created_ns
            if key not in verdicts:
                verdicts[key] = is_valid(*key)
            if not verdicts[key] and self._endings.is_running and not self._endings.is_under_way(session):
                logger.info("session_of_ended_key", session_id=session.session_id, key_id=record.owner_key_id)
                self._endings.begin(session, CloseReason.KEY_ENDED)

    def sweep(self) -> None:
        """Begins to close sessions whose lease or grace is over, and faulted ones that nobody closed for a while."""
        now = self._clock.monotonic()
        for session in self.sessions:
            session.hub.expire(now)
        self._end_expired(now, set(CloseReason))

    def _end_expired(self, now: float, reasons: Set[CloseReason]) -> None:
        for record, reason in self._table.expired(now):
            session = self._sessions.get(record.session_id)
            if session is None or reason not in reasons or not self._endings.is_running:
                continue
            logger.info("session_expired", session_id=record.session_id, reason=str(reason))
            self._endings.begin(session, reason)

    @property
    def is_draining(self) -> bool:
        """Whether no session opens any more while those that are open go on."""
        return self._is_draining

    def drain(self) -> None:
        """From now on no session opens; those that are open go on."""
        self._is_draining = True

    def refuse_new(self) -> None:
        """From now on no session opens, and every stream ends."""
        self._is_stopping = True
        error = GatewayStoppingError()
        for session in self.sessions:
            session.hub.end(error)

    async def stop(self) -> None:
        """Closes every session, all at once."""
        self.refuse_new()
        async with asyncio.TaskGroup() as group:
            for session in self.sessions:
                group.create_task(self._endings.end(session, CloseReason.GATEWAY_SHUTDOWN))
        self._endings.stop()


def _is_owner(caller: Caller, record: SessionRecord) -> bool:
    return (record.owner_key_id, record.owner_created_ns) == (caller.key_id, caller.created_ns)
