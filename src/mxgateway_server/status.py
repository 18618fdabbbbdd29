"""How the gateway is doing: one frozen picture, taken when somebody asks.

Whoever wants to know reads this and nothing else. Taking it only looks at what its owners count anyway: it asks no
worker, no database and no disk, and the paths of commands and events know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Protocol

from mxgateway_protocol.clock import Clock
from mxgateway_server import logs
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.alarms.model import Kind, State
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.counters import Counters
from mxgateway_server.galaxy.component import GalaxyComponent
from mxgateway_server.health.readiness import HealthStatus
from mxgateway_server.program import Program, ProgramStatus
from mxgateway_server.sessions.history import EndedSession, RecentFault
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.picture import SessionStatus, WorkerStatus, session_status, worker_status
from mxgateway_server.traffic import TrafficStatus, traffic_status
from mxgateway_server.workers.launcher import Launcher
from mxgateway_server.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTotals:
    """Sessions since the gateway started; `killed` counts those whose worker had to be ended by force."""

    opened: int
    closed: int
    faulted: int
    killed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """One call that is a stream, of any kind.

    Attributes:
        method: full name of the method.
        key_id: whose it is; empty for the health service, which needs no key.
        peer: the connection that it runs on, as gRPC names it.
        age_seconds: since it began.
    """

    method: str
    key_id: str
    peer: str
    age_seconds: float


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
        looked_ns: when the database answered last, nanoseconds since 1970 UTC; 0 for never.
        is_restored: whether it comes from the snapshot and is not confirmed yet.
        failures: looks at the database that failed in a row.
        watches: streams of WatchDeployEvents.
    """

    status: str
    reason: str
    objects: int
    attributes: int
    deploy_time: datetime | None
    looked_ns: int
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
        avoids_manager: the alarm manager ended its workers, so the attributes speak in its place.
        poll_seconds: how long the last question to the alarm manager took.
        lag: changes that the slowest stream has not got yet.
        states: alarms in the list by state and band of priorities.
        changes: changes since the start, by kind and band of priorities.
        switches: how often another provider came to speak since the start, by the one before, the one after and why.
        rates: alarms that came up within ten minutes, by operator's position.
        floods: positions that are in a flood.
        history_waiting: changes that are not written yet.
        history_lost: changes since the start that could not be written.
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
    avoids_manager: bool
    poll_seconds: float
    lag: int
    states: Mapping[tuple[str, ...], int]
    changes: Mapping[tuple[str, ...], int]
    switches: Mapping[tuple[str, ...], int]
    rates: Mapping[str, int]
    floods: Collection[str]
    history_waiting: int
    history_lost: int


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
        streams: each of them.
        spare_workers: workers that no session has: pooled, starting or ending ones.
        traffic: what was counted since the start.
        ended_sessions: the last sessions that are over, the youngest last.
        faults: the last faults of sessions, the youngest last.
        log: the log of this process.
        certificate: None without a TLS endpoint.
        alarms: None when the gateway keeps none.
        program: which program the process is at the moment.
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
    streams: tuple[StreamStatus, ...] = ()
    spare_workers: tuple[WorkerStatus, ...] = ()
    traffic: TrafficStatus | None = None
    ended_sessions: tuple[EndedSession, ...] = ()
    faults: tuple[RecentFault, ...] = ()
    log: LogStatus | None = None
    program: ProgramStatus

    @property
    def open_sessions(self) -> int:
        """How many of the places for sessions are taken."""
        return sum(not each.is_apart for each in self.sessions)

    def session(self, session_id: str) -> SessionStatus | None:
        """The session of this id; None when it is not there any more."""
        return next((each for each in self.sessions if each.session_id == session_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """The log: its least `level`, `records` by level, those `dropped` because they were too many, and
    the number of the `newest`."""

    level: str
    records: Mapping[str, int]
    dropped: int
    newest: int


class LiveStream(Protocol):
    """A call that is a stream, as whoever keeps them has it."""

    @property
    def method(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def peer(self) -> str: ...
    @property
    def since(self) -> float: ...


class Streams(Protocol):
    """Whoever keeps the calls that are streams."""

    @property
    def streams(self) -> Sequence[LiveStream]: ...


class StatusReader:
    """Takes pictures."""

    def __init__(
        self,
        clock: Clock,
        *,
        sessions: SessionManager,
        pool: WorkerPool,
        launcher: Launcher,
        galaxy: GalaxyComponent,
        audit: AuditLog,
        streams: Streams,
        counters: Counters | None = None,
        certificate: CertificateKeeper | None = None,
        health: Callable[[], HealthStatus] = lambda: HealthStatus(readiness="ready", checks=()),
        alarms: AlarmComponent | None = None,
        program: Program | None = None,
    ) -> None:
        self._clock = clock
        self._program = program or Program()
        self._sessions = sessions
        self._pool = pool
        self._launcher = launcher
        self._galaxy = galaxy
        self._audit = audit
        self._streams = streams
        self._counters = counters or Counters()
        self._certificate = certificate
        self._health = health
        self._alarms = alarms
        self._began = clock.monotonic()

    @property
    def counters(self) -> Counters:
        """What is counted, for those who need more than the picture: distributions."""
        return self._counters

    def take(self) -> GatewayStatus:
        """How things are now."""
        now = self._clock.monotonic()
        totals = self._sessions.counters
        launcher, pool = self._launcher, self._pool
        sessions, streams = self._sessions.sessions, self._streams.streams
        owned = {id(session.worker) for session in sessions}
        return GatewayStatus(
            taken_ns=self._clock.unix_ns(),
            uptime_seconds=_seconds(now - self._began),
            is_stopping=self._sessions.is_stopping,
            health=self._health(),
            max_sessions=self._sessions.max_sessions,
            sessions=tuple(session_status(session, now) for session in sessions),
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
            live_streams=len(streams),
            streams=tuple(
                StreamStatus(
                    method=each.method, key_id=each.key_id, peer=each.peer, age_seconds=_seconds(now - each.since)
                )
                for each in streams
            ),
            spare_workers=tuple(worker_status(each, now) for each in launcher.alive if id(each) not in owned),
            traffic=traffic_status(self._counters, totals, sessions),
            ended_sessions=self._sessions.history.ended,
            faults=self._sessions.history.faults,
            log=log_status(),
            program=self._program.status,
            galaxy=galaxy_status(self._galaxy),
            audit=AuditStatus(waiting=self._audit.waiting, lost=self._audit.lost, failures=self._audit.failures),
            certificate=None if self._certificate is None else certificate_status(self._certificate),
            alarms=None if self._alarms is None else alarms_status(self._alarms),
        )


def log_status() -> LogStatus:
    """The log of this process as it is now."""
    ring = logs.recent
    return LogStatus(level=logs.level(), records=dict(ring.counts), dropped=ring.dropped, newest=ring.newest)


def alarms_status(alarms: AlarmComponent) -> AlarmsStatus:
    """The alarm monitor as it is now."""
    driver, past = alarms.driver, alarms.past
    monitor = driver.monitor
    status, book = monitor.status, monitor.book
    writer = None if past.history is None else past.history.writer
    return AlarmsStatus(
        state=status.state.name.lower(),
        provider=status.provider.name.lower(),
        reason=status.reason.name.lower(),
        is_uncertain=status.is_uncertain,
        alarms=len(book),
        newest_change=book.log.newest,
        kept_changes=len(book.log),
        streams=len(monitor.feed),
        filters=monitor.feed.groups,
        reopened=monitor.counters.reopened,
        worker_pid=driver.worker_pid,
        avoids_manager=monitor.trust.is_avoided,
        poll_seconds=driver.poll.last_duration.ToNanoseconds() / 1e9,
        lag=monitor.feed.lag,
        states={
            (state.name.lower(), band): book.states[state, band]
            for state in State
            if state.is_listed
            for band in book.bands.names
        },
        changes={
            (kind.name.lower(), band): book.counters.changes[kind, band]
            for kind in Kind
            if kind
            for band in book.bands.names
        },
        switches={
            (before.name.lower(), after.name.lower(), reason.name.lower()): count
            for (before, after, reason), count in monitor.counters.switches.items()
        },
        rates=past.figures.rates,
        floods=tuple(flood.position for flood in past.figures.floods),
        history_waiting=0 if writer is None else writer.waiting,
        history_lost=0 if writer is None else writer.lost,
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
        looked_ns=view.checked_ns,
        is_restored=entry is not None and entry.restored,
        failures=view.failures,
        watches=len(galaxy.notifier),
    )


def to_json(value: Any) -> Any:
    """A picture, or a part of one, as what `json.dumps` takes: names in camelCase, times in ISO 8601, in the order of
    the fields; keys of several words as one text."""
    kind: type = type(value)
    shape = _shape(kind)
    if shape is not None:
        told = dict(zip(shape.names, shape.values(value), strict=True))
        for name in shape.deep:
            inner = told[name]
            if inner is not None:
                told[name] = to_json(inner)
        return told
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    if isinstance(value, Mapping):
        # What is counted by several words has them in one name: JSON knows no others.
        return {" ".join(key) if isinstance(key, tuple) else key: to_json(each) for key, each in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a dataclass becomes an object: made once for each, since all sessions are told once a second.

    Attributes:
        names: of its fields, in camelCase.
        values: all their values.
        deep: those that are not numbers or texts.
    """

    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    deep: tuple[str, ...]


@cache
def _shape(kind: type) -> _Shape | None:
    """None for what is no dataclass."""
    if not is_dataclass(kind):
        return None
    known = fields(kind)
    names = tuple(_camel(field.name) for field in known)
    # attrgetter gives a lone value as it is, so a name that every class has makes a tuple of it.
    every = attrgetter(*(field.name for field in known), "__class__")
    deep = tuple(name for name, field in zip(names, known, strict=True) if field.type not in _FLAT)
    return _Shape(names, lambda value: every(value)[:-1], deep)


_FLAT = frozenset({"str", "int", "float", "bool"})
"""Types of fields, as they are written, whose values are in JSON what they are."""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)
