"""Opening, finding, closing and sweeping sessions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.errors import (
    GatewayStoppingError,
    InvalidRequestError,
    OwnerMismatchError,
    SessionClosedError,
    SessionLimitError,
    SessionNotFoundError,
    WorkerError,
    WorkerOptionError,
    WorkerShutdownTimeoutError,
)
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import Policy, SubscriberLimits
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import (
    CLOSED,
    CLOSING,
    HANDSHAKING,
    INITIALIZING_WORKER,
    READY,
    STARTING_WORKER,
    WAITING_FOR_PIPE,
    CloseReason,
    SessionLimits,
    SessionRecord,
    State,
)
from mxgateway_server.sessions.table import SessionTable
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.launcher import Launcher, WorkerPlan
from mxgateway_server.workers.pool import WorkerPool

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Bounds of the gateway's sessions."""

    max_sessions: int = 64
    max_sessions_per_key: int = 0
    limits: SessionLimits = field(default_factory=SessionLimits)
    ring: RingLimits = field(default_factory=RingLimits)
    subscriber: SubscriberLimits = field(default_factory=SubscriberLimits)
    policy: Policy = pb.BACKPRESSURE_POLICY_FAIL_FAST
    max_subscribers: int = 8
    requires_subscriber: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """What a caller asked for.

    Attributes:
        is_kept: whether the session stays while nobody is connected, until its lease is over.
    """

    plan: WorkerPlan
    uses_default_plan: bool
    command_timeout: float
    name: str = ""
    policy: Policy = pb.BACKPRESSURE_POLICY_UNSPECIFIED
    options: dict[str, str] = field(default_factory=dict)
    is_kept: bool = False


@dataclass(slots=True, kw_only=True)
class SessionCounters:
    """Totals since the gateway started."""

    opened: int = 0
    closed: int = 0
    faulted: int = 0
    killed: int = 0


class SessionManager:
    """The sessions of one gateway. Ending a worker takes time, so `run` ends those of faulted sessions."""

    def __init__(self, launcher: Launcher, pool: WorkerPool, clock: Clock, options: SessionOptions) -> None:
        self._launcher = launcher
        self._pool = pool
        self._clock = clock
        self._options = options
        self._table = SessionTable(options.max_sessions, options.limits, options.max_sessions_per_key)
        self._sessions: dict[str, Session] = {}
        self._closing: dict[str, asyncio.Future[WorkerShutdownTimeoutError | None]] = {}
        self._faulted: asyncio.Queue[Session | None] = asyncio.Queue()
        self._group: asyncio.TaskGroup | None = None
        self._is_stopping = False
        self.counters = SessionCounters()

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
        if self._is_stopping:
            raise GatewayStoppingError(
                "the gateway is stopping; use another, or wait until it is back", retry_after=5.0
            )
        session_id = f"session-{secrets.token_hex(16)}"
        record = self._take_place(session_id, caller.key_id, wanted)
        record.owner_created_ns = caller.created_ns
        record.met(peer)
        options = self._options
        hub = EventHub(
            options.ring,
            options.subscriber,
            wanted.policy or options.policy,
            options.max_subscribers,
            requires_subscriber=options.requires_subscriber,
        )
        session = Session(
            record=record, hub=hub, clock=self._clock, command_timeout=wanted.command_timeout, on_fault=self._on_fault
        )
        self._sessions[session_id] = session
        worker: WorkerClient | None = None
        try:
            worker = await self._worker(session, wanted, deadline)
            if self._is_stopping or record.state == CLOSING:
                raise GatewayStoppingError("the gateway is stopping", retry_after=5.0)
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

    def _take_place(self, session_id: str, key_id: str, wanted: OpenOptions) -> SessionRecord:
        while True:
            now = self._clock.monotonic()
            try:
                return self._table.create(
                    session_id, key_id, now, wanted.name, is_kept=wanted.is_kept, opened_ns=self._clock.unix_ns()
                )
            except SessionLimitError:
                # Before a client is turned away, one of its key's own that is gone gives its place up.
                gone = self._table.abandoned(key_id, now)
                if gone is None or self._group is None:
                    raise
                gone.close_reason = CloseReason.MADE_ROOM
                session = self._sessions[gone.session_id]
                self._group.create_task(self._end(session, CloseReason.MADE_ROOM, by_force=False))

    async def _worker(self, session: Session, wanted: OpenOptions, deadline: float | None) -> WorkerClient:
        try:
            return await self._pooled_or_new(session, wanted, deadline)
        except WorkerOptionError as error:
            if not wanted.options:
                # Those of the gateway's own settings are no caller's mistake.
                raise
            raise InvalidRequestError(f"backend_options: {error.problem}") from error

    async def _pooled_or_new(self, session: Session, wanted: OpenOptions, deadline: float | None) -> WorkerClient:
        record = session.record
        policy = session.hub.policy
        while wanted.uses_default_plan:
            pooled = self._pool.take()
            if pooled is None:
                break
            record.move(INITIALIZING_WORKER)
            try:
                await pooled.assign(record.session_id, wanted.options, policy)
            except (WorkerError, SessionClosedError) as error:
                logger.warning("pool_worker_refused", session_id=record.session_id, worker_pid=pooled.pid, error=error)
                await asyncio.shield(pooled.kill())
                if wanted.options:
                    # The caller's own options may be what it does not take: another worker would not either.
                    raise
                continue
            except BaseException:
                await asyncio.shield(pooled.kill())
                raise
            return pooled
        record.move(STARTING_WORKER)
        policy_name = pb.BackpressurePolicy.Name(policy).removeprefix("BACKPRESSURE_POLICY_").lower()
        if policy_name == "disconnect_subscriber":
            # Which reader is slow is known here only; towards the gateway the worker's queue is fail-fast.
            policy_name = "fail_fast"
        plan = replace(
            wanted.plan,
            options={**wanted.plan.options, **wanted.options},
            arguments=(*wanted.plan.arguments, "--backpressure-policy", policy_name),
        )

        def started() -> None:
            record.move(WAITING_FOR_PIPE)
            record.move(HANDSHAKING)

        return await self._launcher.launch(
            plan,
            record.session_id,
            deadline=deadline,
            on_started=started,
            on_hello=lambda: _ignore(record.move(INITIALIZING_WORKER)),
        )

    # -------------------------------------------------------------------------------------------------------- find

    def find(self, session_id: str, caller: Caller) -> Session:
        """The caller's session.

        Raises:
            SessionNotFoundError, OwnerMismatchError
        """
        record = self._table.find(session_id, caller.key_id, caller.is_admin)
        if not (caller.is_admin or _is_owner(caller, record)):
            raise OwnerMismatchError(session_id)
        return self._sessions[record.session_id]

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
            closed = self._table.find_closed(session_id, caller.key_id, caller.is_admin)
            if closed is None:
                raise
            return closed.state
        await self.close(session, CloseReason.CLIENT)
        return session.record.state

    async def close(self, session: Session, reason: CloseReason) -> None:
        """Ends a session in order; several calls at once share one ending.

        Raises:
            WorkerShutdownTimeoutError: it is closed, but its worker had to be killed.
        """
        problem = await self._end(session, reason, by_force=False)
        if problem is not None:
            raise problem

    async def kill(self, session: Session) -> None:
        """Ends a session and its worker at once, without asking the worker."""
        await self._end(session, CloseReason.ADMIN_KILL, by_force=True)

    async def _end(self, session: Session, reason: CloseReason, *, by_force: bool) -> WorkerShutdownTimeoutError | None:
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
                    self.counters.killed += 1
                    await worker.kill()
                elif not await worker.shut_down(reason):
                    self.counters.killed += 1
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
            self.counters.closed += 1
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

    def _on_fault(self, session: Session) -> None:
        self.counters.faulted += 1
        record = session.record
        record.close_reason = CloseReason.FAULT
        logger.error(
            "session_faulted",
            session_id=session.session_id,
            worker_pid=session.worker_pid(),
            reason=None if record.fault is None else record.fault.reason,
            error=record.fault,
        )
        self._faulted.put_nowait(session)

    # ------------------------------------------------------------------------------------------------ upkeep and end

    async def run(self) -> None:
        """Ends the workers of faulted sessions as they occur, and owns the tasks that close sessions, until `stop`.

        A faulted session stays known for a while, so that its owner learns why.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            while (session := await self._faulted.get()) is not None:
                if session.worker is not None:
                    group.create_task(session.worker.kill())

    def check_workers(self) -> None:
        """Looks whether a worker hangs."""
        for session in self.sessions:
            if session.worker is not None:
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
            if not verdicts[key] and self._group is not None and session.session_id not in self._closing:
                logger.info("session_of_ended_key", session_id=session.session_id, key_id=record.owner_key_id)
                self._group.create_task(self._end(session, CloseReason.KEY_ENDED, by_force=False))

    def sweep(self) -> None:
        """Begins to close sessions whose lease or grace is over, and faulted ones that nobody closed for a while."""
        now = self._clock.monotonic()
        for session in self.sessions:
            session.hub.expire(now)
        self._end_expired(now, set(CloseReason))

    def _end_expired(self, now: float, reasons: Set[CloseReason]) -> None:
        for record, reason in self._table.expired(now):
            session = self._sessions.get(record.session_id)
            if session is None or reason not in reasons or self._group is None:
                continue
            logger.info("session_expired", session_id=record.session_id, reason=str(reason))
            self._group.create_task(self._end(session, reason, by_force=False))

    def refuse_new(self) -> None:
        """From now on no session opens, and every stream ends."""
        self._is_stopping = True
        error = GatewayStoppingError("the gateway is stopping", retry_after=5.0)
        for session in self.sessions:
            session.hub.end(error)

    async def stop(self) -> None:
        """Closes every session, all at once."""
        self.refuse_new()
        async with asyncio.TaskGroup() as group:
            for session in self.sessions:
                group.create_task(self._end(session, CloseReason.GATEWAY_SHUTDOWN, by_force=False))
        self._faulted.put_nowait(None)


def _is_owner(caller: Caller, record: SessionRecord) -> bool:
    return (record.owner_key_id, record.owner_created_ns) == (caller.key_id, caller.created_ns)


def _ignore(_: bool) -> None:
    return None


def _end_error(reason: CloseReason) -> SessionClosedError | GatewayStoppingError | None:
    if reason is CloseReason.CLIENT:
        return None
    if reason is CloseReason.GATEWAY_SHUTDOWN:
        return GatewayStoppingError("the gateway is stopping", retry_after=5.0)
    return SessionClosedError(f"the session was closed: {reason}")
