"""What went through the gateway since it started, as a frozen picture: numbers that never fall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mxgateway_server.counters import CommandCounts, Counters
from mxgateway_server.sessions.history import SessionCounters
from mxgateway_server.sessions.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStatus:
    """One command kind.

    Attributes:
        name: as the contract spells it, in small letters.
        started: sent to a worker.
        succeeded: answered well.
        mxaccess: refused or failed in MXAccess.
        refused: refused at a check of worker or gateway.
        timeout: given up at their limit.
        canceled: given up by their callers.
        worker: lost with their worker.
    """

    name: str
    started: int
    succeeded: int
    mxaccess: int
    refused: int
    timeout: int
    canceled: int
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficStatus:
    """Everything that was counted, open sessions included.

    Attributes:
        commands: each kind that was ever sent.
        commands_started, commands_succeeded, commands_failed: all kinds together.
        command_seconds: bounds that half, and 99 of 100, of all commands did not exceed, by group.
        events_received: events from workers; `event_bytes_received` in bytes.
        events_delivered: events that streams were sent.
        dropped_by_worker, dropped_by_stream, dropped_unread: events that were lost: in a worker's queue, in that of a
            slow stream, or because nobody read.
        overflows: streams that were ended because they were too slow.
        calls: ended calls by method and gRPC status code.
        stream_ends: ended streams by cause.
        auth_failures: refused keys by kind.
        denied: what keys were denied, by where.
        sessions_closed, sessions_faulted, workers_killed, workers_exited: by reason, cause or class of exit code.
        workers_hung: workers that were found to hang.
    """

    commands: tuple[CommandStatus, ...]
    commands_started: int
    commands_succeeded: int
    commands_failed: int
    command_seconds: Mapping[str, tuple[float, float]]
    events_received: int
    event_bytes_received: int
    events_delivered: int
    dropped_by_worker: int
    dropped_by_stream: int
    dropped_unread: int
    overflows: int
    workers_hung: int
    calls: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    stream_ends: Mapping[str, int] = field(default_factory=dict)
    auth_failures: Mapping[str, int] = field(default_factory=dict)
    denied: Mapping[str, int] = field(default_factory=dict)
    sessions_closed: Mapping[str, int] = field(default_factory=dict)
    sessions_faulted: Mapping[str, int] = field(default_factory=dict)
    workers_killed: Mapping[str, int] = field(default_factory=dict)
    workers_exited: Mapping[str, int] = field(default_factory=dict)


def traffic_status(counters: Counters, totals: SessionCounters, sessions: Iterable[Session]) -> TrafficStatus:
    """What was counted up to now."""
    live = [(session, session.hub.totals) for session in sessions]
    commands = counters.commands.all
    return TrafficStatus(
        commands=tuple(map(_command, commands)),
        commands_started=sum([each.started for each in commands]),
        commands_succeeded=sum([each.succeeded for each in commands]),
        commands_failed=sum([each.failed for each in commands]),
        command_seconds={
            group: (seconds.quantile(0.5), seconds.quantile(0.99))
            for group, seconds in counters.commands.seconds.items()
            if seconds.count
        },
        events_received=totals.events_received + sum([session.events_received for session, _ in live]),
        event_bytes_received=totals.event_bytes_received + sum([session.event_bytes_received for session, _ in live]),
        events_delivered=totals.delivered + sum([hub.delivered for _, hub in live]),
        dropped_by_worker=totals.dropped_by_worker + sum([session.events_dropped_by_worker for session, _ in live]),
        dropped_by_stream=totals.dropped_by_stream + sum([hub.dropped for _, hub in live]),
        dropped_unread=totals.dropped_unread + sum([hub.unread for _, hub in live]),
        overflows=totals.overflows + sum([hub.overflows for _, hub in live]),
        workers_hung=counters.hung,
        calls={method: dict(counts.codes) for method, counts in counters.rpcs.items()},
        stream_ends=dict(counters.stream_ends),
        auth_failures=dict(counters.auth_failures),
        denied=dict(counters.denied),
        sessions_closed=dict(totals.closed_by_reason),
        sessions_faulted=dict(totals.faulted_by_reason),
        workers_killed=dict(totals.killed_by_cause),
        workers_exited=dict(counters.workers_exited),
    )


def _command(counts: CommandCounts) -> CommandStatus:
    return CommandStatus(
        name=counts.name,
        started=counts.started,
        succeeded=counts.succeeded,
        mxaccess=counts.mxaccess,
        refused=counts.refused,
        timeout=counts.timeout,
        canceled=counts.canceled,
        worker=counts.worker,
    )
