"""The metrics: name, kind, labels, meaning, and where each number is read. Page, dashboard and alerts come from here.

Labels are words of closed sets: never a session, a tag, an address, or what a client chose.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeAlias

from mxgateway_server import __version__
from mxgateway_server.counters import FAILURES, Counters, Distribution
from mxgateway_server.sessions.picture import EventStreamStatus, WorkerStatus
from mxgateway_server.status import AlarmsStatus, GatewayStatus
from mxgateway_server.telemetry.lag import LagFigures
from mxgateway_server.traffic import TrafficStatus

GAUGE, COUNTER, HISTOGRAM = "gauge", "counter", "histogram"
GALAXY_STATES = ("healthy", "stale", "unavailable", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one scrape is made from, taken at one moment.

    Attributes:
        lag: lateness of the event loop in the last full span; None before there was one.
        backend: the gateway's default backend.
    """

    status: GatewayStatus
    traffic: TrafficStatus
    counters: Counters
    lag: LagFigures | None
    backend: str


Sample: TypeAlias = tuple[tuple[str, ...], float | Distribution]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: with the prefix, and `_total` for counters.
        kind: `gauge`, `counter` or `histogram`.
        labels: names of its labels, in the order of the samples' values.
        text: what it means, for its help line and the page.
        read: its samples.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str
    read: Callable[[Reading], Iterable[Sample]]


def _one(value: Callable[[Reading], float]) -> Callable[[Reading], Iterable[Sample]]:
    return lambda reading: (((), value(reading)),)


def _words(words: Callable[[Reading], Mapping[str, int]]) -> Callable[[Reading], Iterable[Sample]]:
    return lambda reading: [((word,), count) for word, count in sorted(words(reading).items())]


def _spread(values: Iterable[int]) -> list[Sample]:
    found = list(values)
    return [(("sum",), sum(found)), (("max",), max(found, default=0))]


def _info(reading: Reading) -> Iterator[Sample]:
    yield (__version__, platform.python_version(), version("grpcio"), reading.backend), 1


def _ready(reading: Reading) -> Iterator[Sample]:
    health = reading.status.health
    for check in health.checks:
        yield (check.name,), int(check.is_ok)
    yield ("all",), int(health.readiness != "not_ready")


def _workers(reading: Reading) -> list[WorkerStatus]:
    found = [each.worker for each in reading.status.sessions if each.worker is not None]
    return [*found, *reading.status.spare_workers]


def _streams(reading: Reading) -> list[EventStreamStatus]:
    return [stream for session in reading.status.sessions for stream in session.event_streams]


def _failures(reading: Reading) -> Iterator[Sample]:
    for command in reading.traffic.commands:
        for outcome in FAILURES:
            count = getattr(command, outcome)
            if count:
                yield (command.name, outcome), count


def _dropped(reading: Reading) -> Iterator[Sample]:
    traffic = reading.traffic
    yield ("worker",), traffic.dropped_by_worker
    yield ("stream",), traffic.dropped_by_stream
    yield ("ring",), traffic.dropped_unread


def _open_streams(reading: Reading) -> Iterator[Sample]:
    methods: dict[str, int] = {}
    for stream in reading.status.streams:
        methods[stream.method] = methods.get(stream.method, 0) + 1
    return (((method,), count) for method, count in sorted(methods.items()))


def _calls(reading: Reading) -> Iterator[Sample]:
    for method, codes in sorted(reading.traffic.calls.items()):
        for code, count in sorted(codes.items()):
            yield (method, code), count


def _call_seconds(reading: Reading) -> Iterator[Sample]:
    for method, counts in sorted(reading.counters.rpcs.items()):
        if counts.seconds.count:
            yield (method,), counts.seconds


def _galaxy_age(reading: Reading) -> Iterator[Sample]:
    looked = reading.status.galaxy.looked_ns
    if looked:
        yield (), (reading.status.taken_ns - looked) / 1e9


def _deployed(reading: Reading) -> Iterator[Sample]:
    deploy_time = reading.status.galaxy.deploy_time
    if deploy_time is not None:
        yield (), deploy_time.timestamp()


def _lag(reading: Reading) -> Iterator[Sample]:
    if reading.lag is not None:
        yield ("0.5",), reading.lag.p50
        yield ("0.99",), reading.lag.p99
        yield ("1",), reading.lag.longest


def _certificate(reading: Reading) -> Iterator[Sample]:
    certificate = reading.status.certificate
    if certificate is not None:
        yield (), certificate.not_after.timestamp()


def _alarms(reading: Reading) -> Iterator[Sample]:
    alarms = reading.status.alarms
    if alarms is not None:
        for mode in ("alarmmgr", "subtag", "none"):
            yield (mode,), int(alarms.provider == mode)


def _of_alarms(value: Callable[[AlarmsStatus], float]) -> Callable[[Reading], Iterator[Sample]]:
    """One number of the alarm monitor; none where the gateway keeps no alarms."""

    def samples(reading: Reading) -> Iterator[Sample]:
        if reading.status.alarms is not None:
            yield (), value(reading.status.alarms)

    return samples


def _each_of_alarms(
    values: Callable[[AlarmsStatus], Mapping[str, float] | Mapping[tuple[str, ...], float]],
) -> Callable[[Reading], Iterator[Sample]]:
    def samples(reading: Reading) -> Iterator[Sample]:
        if reading.status.alarms is not None:
            for names, value in values(reading.status.alarms).items():
                yield (names,) if isinstance(names, str) else names, value

    return samples


def _log(reading: Reading) -> Mapping[str, int]:
    return {} if reading.status.log is None else reading.status.log.records


def _log_dropped(reading: Reading) -> float:
    return 0 if reading.status.log is None else reading.status.log.dropped


def _metric(name: str, kind: str, text: str, read: Callable[[Reading], Iterable[Sample]], *labels: str) -> Metric:
    return Metric(name if name.startswith("rpc_server_") else f"mxgateway_{name}", kind, labels, text, read)


METRICS: tuple[Metric, ...] = (
    _metric("build_info", GAUGE, "Always 1.", _info, "version", "python", "grpc", "backend"),
    _metric("ready", GAUGE, "1 when the check is well; `all` is what `/health/ready` says.", _ready, "check"),
    _metric("uptime_seconds", GAUGE, "Since the start.", _one(lambda r: r.status.uptime_seconds)),
    _metric("upgrades_total", COUNTER, "The process became another program.",
            _one(lambda r: r.status.program.upgrades)),
    _metric("upgrades_refused_total", COUNTER, "An upgrade was refused.",
            _one(lambda r: r.status.program.refused_upgrades)),
    _metric("sessions_open", GAUGE, "Open sessions, without those of the dashboard.",
            _one(lambda r: r.status.open_sessions)),
    _metric("sessions_limit", GAUGE, "Sessions that there may be.", _one(lambda r: r.status.max_sessions)),
    _metric("sessions_opened_total", COUNTER, "Sessions opened.", _one(lambda r: r.status.session_totals.opened)),
    _metric("sessions_closed_total", COUNTER, "Sessions over.", _words(lambda r: r.traffic.sessions_closed), "reason"),
    _metric("faults_total", COUNTER, "Sessions faulted.", _words(lambda r: r.traffic.sessions_faulted), "reason"),
    _metric("workers_running", GAUGE, "Worker processes.", _one(lambda r: r.status.workers.alive)),
    _metric("workers_ready", GAUGE, "Workers kept ready.", _one(lambda r: r.status.workers.pooled)),
    _metric("workers_starting", GAUGE, "Workers starting.", _one(lambda r: r.status.workers.starting)),
    _metric(
        "workers_startup_duration_seconds", HISTOGRAM, "From start to ready.",
        lambda r: [((outcome,), seconds) for outcome, seconds in r.counters.worker_starts.items()], "outcome",
    ),
    _metric("workers_killed_total", COUNTER, "Ended by force.", _words(lambda r: r.traffic.workers_killed), "cause"),
    _metric("workers_exited_total", COUNTER, "Ended, by class of exit code.",
            _words(lambda r: r.traffic.workers_exited), "code"),
    _metric("heartbeats_failed_total", COUNTER, "Workers found to hang.", _one(lambda r: r.traffic.workers_hung)),
    _metric("worker_memory_bytes", GAUGE, "Memory of workers.",
            lambda r: _spread(each.resident_bytes for each in _workers(r)), "stat"),
    _metric("worker_cpu_seconds_total", COUNTER, "Processor time of all workers, ended ones included.",
            _one(lambda r: r.counters.ended_worker_cpu + sum(each.cpu_seconds for each in _workers(r)))),
    _metric("commands_started_total", COUNTER, "Commands sent to workers.",
            lambda r: [((each.name,), each.started) for each in r.traffic.commands], "kind"),
    _metric("commands_succeeded_total", COUNTER, "Commands answered well.",
            lambda r: [((each.name,), each.succeeded) for each in r.traffic.commands], "kind"),
    _metric("commands_failed_total", COUNTER, "Commands failed.", _failures, "kind", "outcome"),
    _metric(
        "commands_duration_seconds", HISTOGRAM, "From gateway to worker and back.",
        lambda r: [((group,), seconds) for group, seconds in r.counters.commands.seconds.items() if seconds.count],
        "group",
    ),
    _metric("commands_in_flight", GAUGE, "Commands that workers have not answered.",
            _one(lambda r: sum(each.in_flight for each in _workers(r)))),
    _metric("events_received_total", COUNTER, "Events from workers.", _one(lambda r: r.traffic.events_received)),
    _metric("events_received_bytes_total", COUNTER, "The same in bytes.",
            _one(lambda r: r.traffic.event_bytes_received)),
    _metric("events_delivered_total", COUNTER, "Events sent to streams.", _one(lambda r: r.traffic.events_delivered)),
    _metric("events_dropped_total", COUNTER, "Events lost: in a worker, by a slow stream, or unread in the ring.",
            _dropped, "where"),
    _metric("queues_overflows_total", COUNTER, "Streams ended because they were too slow.",
            _one(lambda r: r.traffic.overflows)),
    _metric("events_worker_queue_depth", GAUGE, "Events that wait in workers.",
            lambda r: _spread(each.queued_events for each in _workers(r)), "stat"),
    _metric("events_grpc_stream_queue_depth", GAUGE, "Events that wait for streams.",
            lambda r: _spread(each.waiting_events for each in _streams(r)), "stat"),
    _metric("events_grpc_stream_queue_fullness", GAUGE, "The fullest stream's share of its room, 0 to 1.",
            _one(lambda r: max((each.waiting_events / each.capacity for each in _streams(r)), default=0.0))),
    _metric("events_stream_send_duration_seconds", HISTOGRAM, "Sending one message of events: slow readers show here.",
            lambda r: [((), r.counters.sends)]),
    _metric("grpc_streams_open", GAUGE, "Calls that are streams.", _open_streams, "method"),
    _metric("grpc_streams_disconnected_total", COUNTER, "Streams ended.",
            _words(lambda r: r.traffic.stream_ends), "cause"),
    _metric("rpc_server_call_duration_seconds", HISTOGRAM, "Unary calls.", _call_seconds, "rpc_method"),
    _metric("rpc_calls_total", COUNTER, "Calls ended, streams included.", _calls, "rpc_method", "code"),
    _metric("retries_attempted_total", COUNTER, "Second and further attempts.",
            _words(lambda r: r.counters.retries), "area"),
    _metric("auth_failures_total", COUNTER, "Keys refused.", _words(lambda r: r.traffic.auth_failures), "kind"),
    _metric("auth_denied_total", COUNTER, "What keys were denied.", _words(lambda r: r.traffic.denied), "where"),
    _metric("audit_waiting", GAUGE, "Audit records not stored yet.", _one(lambda r: r.status.audit.waiting)),
    _metric("audit_lost_total", COUNTER, "Audit records lost.", _one(lambda r: r.status.audit.lost)),
    _metric("audit_write_duration_seconds", HISTOGRAM, "Storing audit records.",
            lambda r: [((), r.counters.audit_writes)]),
    _metric("galaxy_status", GAUGE, "1 for the state that it has.",
            lambda r: [((state,), int(r.status.galaxy.status == state)) for state in GALAXY_STATES], "status"),
    _metric("galaxy_objects", GAUGE, "Objects served.", _one(lambda r: r.status.galaxy.objects)),
    _metric("galaxy_attributes", GAUGE, "Attributes served.", _one(lambda r: r.status.galaxy.attributes)),
    _metric("galaxy_failures", GAUGE, "Looks that failed in a row.", _one(lambda r: r.status.galaxy.failures)),
    _metric("galaxy_age_seconds", GAUGE, "Since the last look that succeeded.", _galaxy_age),
    _metric("galaxy_last_deploy_timestamp_seconds", GAUGE, "Time of the deployment that is served.", _deployed),
    _metric("alarms_provider_mode", GAUGE, "1 for who tells the alarms.", _alarms, "mode"),
    _metric("alarms_uncertain", GAUGE, "1 while the list of alarms is the last known, or not whole.",
            _of_alarms(lambda a: int(a.is_uncertain))),
    _metric("alarms_manager_avoided", GAUGE, "1 while the alarm manager is left alone, since it ended its workers.",
            _of_alarms(lambda a: int(a.avoids_manager))),
    _metric("alarms_workers_reopened_total", COUNTER, "Workers of the alarm monitor that were started after the first.",
            _of_alarms(lambda a: a.reopened)),
    _metric("alarms_poll_seconds", GAUGE, "How long the last question to the alarm manager took.",
            _of_alarms(lambda a: a.poll_seconds)),
    _metric("alarms_provider_switches_total", COUNTER, "How often another one came to tell the alarms.",
            _each_of_alarms(lambda a: a.switches), "from", "to", "reason"),
    _metric("alarms_listed", GAUGE, "Alarms in the list, by band of priorities, too.",
            _each_of_alarms(lambda a: a.states), "state", "band"),
    _metric("alarms_changes_total", COUNTER, "Changes of the list, by band of priorities, too.",
            _each_of_alarms(lambda a: a.changes), "kind", "band"),
    _metric("alarms_rate", GAUGE, "Alarms that came up within the last ten minutes.",
            _each_of_alarms(lambda a: a.rates), "position"),
    _metric("alarms_flood", GAUGE, "1 while an operator's position is in a flood of alarms.",
            _each_of_alarms(lambda a: {name: int(name in a.floods) for name in a.rates}), "position"),
    _metric("alarms_streams", GAUGE, "Streams of alarms.", _of_alarms(lambda a: a.streams)),
    _metric("alarms_log_lag", GAUGE, "Changes that the slowest stream of alarms has not got yet.",
            _of_alarms(lambda a: a.lag)),
    _metric("alarms_history_waiting", GAUGE, "Changes that are not written to the history yet.",
            _of_alarms(lambda a: a.history_waiting)),
    _metric("alarms_history_lost_total", COUNTER, "Changes that could not be written to the history.",
            _of_alarms(lambda a: a.history_lost)),
    _metric("event_loop_lag_seconds", GAUGE, "How late the event loop ran in the last 15 s.", _lag, "quantile"),
    _metric("tls_certificate_expiry_timestamp_seconds", GAUGE, "End of the certificate that is presented.",
            _certificate),
    _metric("log_records_total", COUNTER, "Records of the log.", _words(_log), "level"),
    _metric("log_records_dropped_total", COUNTER, "Records too many to be written.", _one(_log_dropped)),
    _metric("trace_spans_total", COUNTER, "Spans of traces: taken by the collector, refused by it, or dropped before.",
            _words(lambda r: r.counters.spans), "outcome"),
    _metric("config_last_reload_success", GAUGE, "1 when the last reload was taken; 1 before the first.",
            _one(lambda r: int(r.counters.reload_ok))),
)  # fmt: skip
"""Every metric of the gateway's own, in the order of the page."""
