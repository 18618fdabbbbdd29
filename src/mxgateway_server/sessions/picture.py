"""One session as a frozen picture, with its streams of events and its worker."""

from __future__ import annotations

from dataclasses import dataclass

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_server.events.subscriber import Subscriber
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import state_name
from mxgateway_server.workers.client import WorkerClient


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
        heartbeat_age_seconds: since the last one, or since it was started.
        resident_bytes: memory that it uses; 0 when it does not know.
        cpu_seconds: processor time that it has used.
        call_age_seconds: how long the command that runs had been running then; 0 when none did.
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
    heartbeat_age_seconds: float
    resident_bytes: int
    cpu_seconds: float
    call_age_seconds: float
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
        kind: `events` or `batches`.
        key_id: the key that opened it.
        peer: the connection that it runs on, as gRPC names it.
        age_seconds: since it began.
        policy: what happens when it is slow, such as `fail_fast`.
        capacity: events that may wait.
        waiting_events: events that its reader has not taken.
        waiting_bytes: the same in bytes.
        delivered_events: events that it was sent.
        dropped_events: events that it lost so far, by policy.
    """

    kind: str
    key_id: str
    peer: str
    age_seconds: float
    policy: str
    capacity: int
    waiting_events: int
    waiting_bytes: int
    delivered_events: int
    dropped_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One session.

    Attributes:
        session_id: its id.
        owner_key_id: the key that opened it.
        peer: the connection that it began to be used over last, as gRPC names it.
        name: the name that its client gave it.
        state: such as `ready` or `faulted`.
        fault: why it is faulted, as a stable word such as `EVENT_QUEUE_OVERFLOW`; empty when it is not.
        opened_ns: when it was opened, nanoseconds since 1970 UTC.
        age_seconds: since then.
        idle_seconds: since its last call, or the beginning or end of a stream.
        lease_seconds: until it would be closed for nobody using it, if nothing comes.
        attached_streams: streams of commands and events that run on it.
        is_connected: whether a connection of its client is there, as far as can be told.
        is_kept: whether it stays while none is.
        is_apart: whether it takes no place of the others, because the gateway itself needs it.
        commands_under_way: commands that wait for their reply.
        commands_started: commands so far.
        events_received: events from its worker so far.
        event_bytes_received: the same in bytes.
        events_delivered: events that its streams were sent, those that have ended included.
        events_dropped: events that were lost: in the worker, by streams, or because nobody read.
        kept_events: events in its replay ring.
        items: item handles that it holds.
        event_streams: its streams of events.
        worker: its worker; None before there is one.
    """

    session_id: str
    owner_key_id: str
    peer: str
    name: str
    state: str
    fault: str
    opened_ns: int
    age_seconds: float
    idle_seconds: float
    lease_seconds: float
    attached_streams: int
    is_connected: bool
    is_kept: bool
    is_apart: bool
    commands_under_way: int
    commands_started: int
    events_received: int
    event_bytes_received: int
    events_delivered: int
    events_dropped: int
    kept_events: int
    items: int
    event_streams: tuple[EventStreamStatus, ...]
    worker: WorkerStatus | None


def session_status(session: Session, now: float) -> SessionStatus:
    """One session at a monotonic time in seconds."""
    record, hub = session.record, session.hub
    totals = hub.totals
    return SessionStatus(
        session_id=record.session_id,
        owner_key_id=record.owner_key_id,
        peer=record.last_peer,
        name=record.name,
        state=state_name(record.state),
        fault="" if record.fault is None else record.fault.reason,
        opened_ns=record.opened_ns,
        age_seconds=_seconds(now - record.opened_at),
        idle_seconds=_seconds(now - record.last_activity),
        lease_seconds=_seconds(record.last_activity + record.limits.lease - now),
        attached_streams=record.attached_streams,
        is_connected=record.is_connected,
        is_kept=record.is_kept,
        is_apart=record.is_apart,
        commands_under_way=record.calls_waiting,
        commands_started=session.commands_started,
        events_received=session.events_received,
        event_bytes_received=session.event_bytes_received,
        events_delivered=totals.delivered,
        events_dropped=session.events_dropped_by_worker + totals.dropped + totals.unread,
        kept_events=hub.ring.count,
        items=len(session.handles),
        event_streams=tuple(_stream(each, now) for each in hub.subscribers),
        worker=None if session.worker is None else worker_status(session.worker, now),
    )


def _stream(stream: Subscriber, now: float) -> EventStreamStatus:
    whose = stream.identity
    return EventStreamStatus(
        kind=whose.kind,
        key_id=whose.key_id,
        peer=whose.peer,
        age_seconds=_seconds(now - whose.since),
        policy=_word(pb.BackpressurePolicy.Name(stream.policy), "BACKPRESSURE_POLICY_"),
        capacity=stream.limits.max_events,
        waiting_events=stream.waiting,
        waiting_bytes=stream.waiting_bytes,
        delivered_events=stream.delivered,
        dropped_events=stream.total_dropped,
    )


def worker_status(worker: WorkerClient, now: float) -> WorkerStatus:
    """One worker at a monotonic time in seconds, with what its last heartbeat told."""
    beat = worker.last_heartbeat or wpb.WorkerHeartbeat()
    return WorkerStatus(
        pid=worker.pid,
        state=_word(wpb.WorkerState.Name(beat.state), "WORKER_STATE_") if worker.heartbeats else "",
        in_flight=worker.in_flight,
        late_replies=worker.late_replies,
        unknown_replies=worker.unknown_replies,
        heartbeats=worker.heartbeats,
        heartbeat_age_seconds=_seconds(worker.heartbeat_age(now)),
        resident_bytes=beat.resident_bytes,
        cpu_seconds=_seconds(beat.cpu_time.ToNanoseconds() / 1e9),
        call_age_seconds=_seconds(beat.current_command_age.ToNanoseconds() / 1e9),
        pending_commands=beat.pending_command_count,
        queued_events=beat.event_queue_depth,
        sent_events=beat.event_sequence,
        dropped_events=beat.dropped_events_total,
        refused_events=beat.refused_events_total,
        suppressed_lines=worker.suppressed_lines,
        unsent_bytes=worker.unsent_bytes,
    )


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)
