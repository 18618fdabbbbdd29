"""How the gateway is doing: one frozen picture, taken when somebody asks.

Whoever wants to know reads this and nothing else. Taking it only looks at what its owners count anyway: it asks no
worker, no database and no disk, and the paths of commands and events know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.galaxy.component import GalaxyComponent
from mxgateway_server.health.readiness import HealthStatus
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import state_name
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.launcher import Launcher
from mxgateway_server.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One worker process. What it tells itself is as old as its last heartbeat; zero before the first.

    Attributes:
        pid: process id.
        state: what it says of itself, such as `ready` or `busy`; empty before the first heartbeat.
        in_flight: commands that it was given and has not answered.
        late_replies: replies to commands that nobody waited for any more.
        unknown_replies: replies to commands that it was never given.
        heartbeats: heartbeats so far.
        pending_commands: commands that wait inside the worker.
        queued_events: events that wait inside the worker.
        sent_events: sequence of the last event that left it.
        dropped_events: events that its queue dropped or replaced, by policy.
        refused_events: events that came after its queue had overflowed.
        suppressed_lines: lines of its log that were too many to be passed on.
        unsent_bytes: bytes that wait for it to read its input.
    """

    pid: int
    state: str
    in_flight: int
    late_replies: int
    unknown_replies: int
    heartbeats: int
    pending_commands: int
    queued_events: int
    sent_events: int
    dropped_events: int
    refused_events: int
    suppressed_lines: int
    unsent_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStreamStatus:
    """One stream of events of a session.

    Attributes:
        policy: what happens when it is slow, such as `fail_fast`.
        waiting_events: events that its reader has not taken.
        waiting_bytes: the same in bytes.
        dropped_events: events that it lost so far, by policy.
    """

    policy: str
    waiting_events: int
    waiting_bytes: int
    dropped_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One session.

    Attributes:
        session_id: its id.
        owner_key_id: the key that opened it.
        name: the name that its client gave it.
        state: such as `ready` or `faulted`.
        fault: why it is faulted, as a stable word such as `EVENT_QUEUE_OVERFLOW`; empty when it is not.
        age_seconds: since it was opened.
        idle_seconds: since its last call, or the beginning or end of a stream.
        attached_streams: streams of commands and events that run on it.
        is_connected: whether a connection of its client is there, as far as can be told.
        is_kept: whether it stays while none is.
        commands_under_way: commands that wait for their reply.
        commands_started: commands so far.
        events_received: events from its worker so far.
        kept_events: events in its replay ring.
        items: item handles that it holds.
        event_streams: its streams of events.
        worker: its worker; None before there is one.
    """

    session_id: str
    owner_key_id: str
    name: str
    state: str
    fault: str
    age_seconds: float
    idle_seconds: float
    attached_streams: int
    is_connected: bool
    is_kept: bool
    commands_under_way: int
    commands_started: int
    events_received: int
    kept_events: int
    items: int
    event_streams: tuple[EventStreamStatus, ...]
    worker: WorkerStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTotals:
    """Sessions since the gateway started; `killed` counts those whose worker had to be ended by force."""

    opened: int
    closed: int
    faulted: int
    killed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersStatus:
    """Worker processes: `alive` now, `starting` or waiting for their turn to, `pooled` ready and `pool_size` wanted so;
    the others since the start."""

    alive: int
    starting: int
    pooled: int
    pool_size: int
    started: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyStatus:
    """The Galaxy as it is served.

    Attributes:
        status: `healthy`, `stale`, `unavailable` or `unknown`.
        reason: why it is not healthy; empty when it is.
        objects: objects of the deployment that is served; 0 when there is none.
        attributes: its attributes.
        deploy_time: when it was deployed, as the database says, which knows no time zone.
        is_restored: whether it comes from the snapshot and is not confirmed yet.
        failures: looks at the database that failed in a row.
        watches: streams of WatchDeployEvents.
    """

    status: str
    reason: str
    objects: int
    attributes: int
    deploy_time: datetime | None
    is_restored: bool
    failures: int
    watches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStatus:
    """The audit: records that `waiting` to be stored, those `lost` since the start, and how often in a row storing
    failed."""

    waiting: int
    lost: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStatus:
    """The certificate that the TLS endpoint presents.

    Attributes:
        sha256: its thumbprint.
        names: names and addresses that it is for.
        not_after: end of its validity.
        problem: why the files that lie there now are not presented; empty when they are.
    """

    sha256: str
    names: tuple[str, ...]
    not_after: datetime
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmsStatus:
    """The alarm monitor.

    Attributes:
        state: such as `live`, `degraded` or `lost`.
        provider: `alarmmgr`, `subtag`, or `none` while nobody tells the alarms.
        reason: why it is so, in a word.
        is_uncertain: the list is the last known, or not whole.
        alarms: alarms in the list.
        newest_change: number of the last change.
        kept_changes: changes that streams can go on after.
        streams: streams of alarms.
        filters: different filters, times rights, among them.
        reopened: workers that were started after the first.
        worker_pid: process of its worker; 0 without one.
    """

    state: str
    provider: str
    reason: str
    is_uncertain: bool
    alarms: int
    newest_change: int
    kept_changes: int
    streams: int
    filters: int
    reopened: int
    worker_pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """The whole picture.

    Attributes:
        taken_ns: when it was taken, nanoseconds since 1970 UTC.
        uptime_seconds: since the gateway was put together.
        is_stopping: whether it takes nothing new any more.
        health: the verdict on what it depends on.
        max_sessions: sessions that there may be.
        live_streams: calls that are streams, of every kind, those of the health service included.
        certificate: None without a TLS endpoint.
        alarms: None when the gateway keeps none.
    """

    taken_ns: int
    uptime_seconds: float
    is_stopping: bool
    health: HealthStatus
    max_sessions: int
    sessions: tuple[SessionStatus, ...]
    session_totals: SessionTotals
    workers: WorkersStatus
    live_streams: int
    galaxy: GalaxyStatus
    audit: AuditStatus
    certificate: CertificateStatus | None
    alarms: AlarmsStatus | None = None

    def session(self, session_id: str) -> SessionStatus | None:
        """The session of this id; None when it is not there any more."""
        return next((each for each in self.sessions if each.session_id == session_id), None)


class StatusReader:
    """Takes pictures; `streams` is whatever counts the calls that are streams."""

    def __init__(
        self,
        clock: Clock,
        *,
        sessions: SessionManager,
        pool: WorkerPool,
        launcher: Launcher,
        galaxy: GalaxyComponent,
        audit: AuditLog,
        streams: Sized,
        certificate: CertificateKeeper | None = None,
        health: Callable[[], HealthStatus] = lambda: HealthStatus(readiness="ready", checks=()),
        alarms: AlarmDriver | None = None,
    ) -> None:
        self._clock = clock
        self._sessions = sessions
        self._pool = pool
        self._launcher = launcher
        self._galaxy = galaxy
        self._audit = audit
        self._streams = streams
        self._certificate = certificate
        self._health = health
        self._alarms = alarms
        self._began = clock.monotonic()

    def take(self) -> GatewayStatus:
        """How things are now."""
        now = self._clock.monotonic()
        totals = self._sessions.counters
        launcher, pool = self._launcher, self._pool
        return GatewayStatus(
            taken_ns=self._clock.unix_ns(),
            uptime_seconds=_seconds(now - self._began),
            is_stopping=self._sessions.is_stopping,
            health=self._health(),
            max_sessions=self._sessions.max_sessions,
            sessions=tuple(session_status(session, now) for session in self._sessions.sessions),
            session_totals=SessionTotals(
                opened=totals.opened, closed=totals.closed, faulted=totals.faulted, killed=totals.killed
            ),
            workers=WorkersStatus(
                alive=len(launcher),
                starting=launcher.starting,
                pooled=len(pool),
                pool_size=pool.size,
                started=launcher.started,
                failed=launcher.failed,
            ),
            live_streams=len(self._streams),
            galaxy=galaxy_status(self._galaxy),
            audit=AuditStatus(waiting=self._audit.waiting, lost=self._audit.lost, failures=self._audit.failures),
            certificate=None if self._certificate is None else certificate_status(self._certificate),
            alarms=None if self._alarms is None else alarms_status(self._alarms),
        )


def alarms_status(driver: AlarmDriver) -> AlarmsStatus:
    """The alarm monitor as it is now."""
    monitor = driver.monitor
    status = monitor.status
    return AlarmsStatus(
        state=status.state.name.lower(),
        provider=status.provider.name.lower(),
        reason=status.reason.name.lower(),
        is_uncertain=status.is_uncertain,
        alarms=len(monitor.book),
        newest_change=monitor.book.log.newest,
        kept_changes=len(monitor.book.log),
        streams=len(monitor.feed),
        filters=monitor.feed.groups,
        reopened=monitor.counters.reopened,
        worker_pid=driver.worker_pid,
    )


def session_status(session: Session, now: float) -> SessionStatus:
    """One session at a monotonic time in seconds."""
    record, hub = session.record, session.hub
    return SessionStatus(
        session_id=record.session_id,
        owner_key_id=record.owner_key_id,
        name=record.name,
        state=state_name(record.state),
        fault="" if record.fault is None else record.fault.reason,
        age_seconds=_seconds(now - record.opened_at),
        idle_seconds=_seconds(now - record.last_activity),
        attached_streams=record.attached_streams,
        is_connected=record.is_connected,
        is_kept=record.is_kept,
        commands_under_way=record.calls_waiting,
        commands_started=session.commands_started,
        events_received=session.events_received,
        kept_events=hub.ring.count,
        items=len(session.handles),
        event_streams=tuple(
            EventStreamStatus(
                policy=_word(pb.BackpressurePolicy.Name(stream.policy), "BACKPRESSURE_POLICY_"),
                waiting_events=stream.waiting,
                waiting_bytes=stream.waiting_bytes,
                dropped_events=stream.total_dropped,
            )
            for stream in hub.subscribers
        ),
        worker=None if session.worker is None else worker_status(session.worker),
    )


def worker_status(worker: WorkerClient) -> WorkerStatus:
    """One worker, with what its last heartbeat told."""
    beat = worker.last_heartbeat or wpb.WorkerHeartbeat()
    return WorkerStatus(
        pid=worker.pid,
        state=_word(wpb.WorkerState.Name(beat.state), "WORKER_STATE_") if worker.heartbeats else "",
        in_flight=worker.in_flight,
        late_replies=worker.late_replies,
        unknown_replies=worker.unknown_replies,
        heartbeats=worker.heartbeats,
        pending_commands=beat.pending_command_count,
        queued_events=beat.event_queue_depth,
        sent_events=beat.event_sequence,
        dropped_events=beat.dropped_events_total,
        refused_events=beat.refused_events_total,
        suppressed_lines=worker.suppressed_lines,
        unsent_bytes=worker.unsent_bytes,
    )


def certificate_status(keeper: CertificateKeeper) -> CertificateStatus:
    """The certificate that is presented now."""
    current = keeper.current
    return CertificateStatus(
        sha256=current.thumbprint, names=current.names, not_after=current.not_after, problem=keeper.problem
    )


def galaxy_status(galaxy: GalaxyComponent) -> GalaxyStatus:
    """The Galaxy as it is served now."""
    view = galaxy.view
    entry = view.entry
    return GalaxyStatus(
        status=view.status.value,
        reason=view.reason,
        objects=0 if entry is None else len(entry.index),
        attributes=0 if entry is None else entry.index.attribute_count,
        deploy_time=None if entry is None else entry.deploy_time,
        is_restored=entry is not None and entry.restored,
        failures=view.failures,
        watches=len(galaxy.notifier),
    )


def to_json(value: Any) -> Any:
    """A picture, or a part of one, as what `json.dumps` takes: names in camelCase, times in ISO 8601, in the order of
    the fields."""
    if is_dataclass(value):
        return {_camel(field.name): to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)
