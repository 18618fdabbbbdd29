"""From settings to what the gateway's parts are made with. Nothing here opens, reads or starts anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from mxgateway_server.alarms.component import AlarmComponent, AlarmRules
from mxgateway_server.alarms.figures.computing import FigureRules
from mxgateway_server.alarms.figures.floods import FloodRules
from mxgateway_server.alarms.history.file import HistoryLimits
from mxgateway_server.alarms.past import PastRules
from mxgateway_server.certificates.automatic import AutomaticCertificate
from mxgateway_server.certificates.client_authorities import ClientAuthoritiesFile
from mxgateway_server.certificates.presented import CertificateSource, HostNames
from mxgateway_server.certificates.provided import ProvidedCertificate
from mxgateway_server.config.alarm_sections import AlarmHistorySettings, AlarmStatisticsSettings
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import SubscriberLimits
from mxgateway_server.galaxy.component import GalaxyTiming
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.place import GalaxyPlace
from mxgateway_server.galaxy.sql_source import SqlGalaxySource
from mxgateway_server.health import checks
from mxgateway_server.health.readiness import Problem
from mxgateway_server.open_files import ConnectionRoom, room_for_connections
from mxgateway_server.places import in_state
from mxgateway_server.rpc.surplus import ConnectionLimits
from mxgateway_server.sessions.options import SessionOptions
from mxgateway_server.sessions.state import SessionLimits
from mxgateway_server.sessions.table import MAX_APART
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_server.workers.terms import WorkerLimits
from mxgateway_server.workers.watchdog import WatchdogLimits

_FEWEST_STREAMS = 200


def certificate_source(settings: Settings) -> CertificateSource | None:
    """Where the TLS endpoint's certificate comes from: the operator's files when they are named, else its own.

    None without such an endpoint.
    """
    tls = settings.tls
    if not any(settings.tls_endpoints()) and not any(is_tls for _, _, is_tls in settings.http_endpoints()):
        return None
    if tls.certificate_file:
        return ProvidedCertificate(tls.certificate_file, tls.key_file)
    return automatic_certificate(settings)


def automatic_certificate(settings: Settings) -> AutomaticCertificate:
    """The certificate that the gateway makes and renews itself."""
    tls = settings.tls
    return AutomaticCertificate(
        in_state(settings, tls.self_signed_directory, "certs"),
        HostNames(tls.additional_dns_names),
        validity_years=tls.validity_years,
        renews=tls.regenerate_if_expired,
    )


def client_authorities(settings: Settings) -> ClientAuthoritiesFile | None:
    """Who may have signed the certificates of clients; None when no client is asked for one."""
    tls = settings.tls
    if tls.client_certificates == "off":
        return None
    if tls.client_ca_file:
        return ClientAuthoritiesFile(Path(tls.client_ca_file).expanduser())
    return ClientAuthoritiesFile(automatic_certificate(settings).ca_file)


def worker_limits(settings: Settings) -> WorkerLimits:
    """Bounds and times of each worker."""
    worker = settings.worker
    return WorkerLimits(
        max_pending=settings.sessions.max_pending_commands_per_session,
        startup=worker.startup_timeout_seconds,
        shutdown=worker.shutdown_timeout_seconds,
        terminate=worker.terminate_timeout_seconds,
        memory=worker.max_memory_bytes,
        watchdog=WatchdogLimits(worker.heartbeat_grace_seconds, worker.heartbeat_stuck_ceiling_seconds),
    )


def worker_plan(settings: Settings, place: GalaxyPlace) -> WorkerPlan:
    """How workers are started.

    Raises:
        ConfigurationError: the simulator has no Galaxy that it could simulate.
    """
    worker = settings.worker
    options = {name: dict(given) for name, given in worker.other_backend_options.items()}
    options[worker.backend] = dict(worker.backend_options)
    simulated = options.setdefault("simulator", {})
    if place.file is not None:
        simulated.setdefault("galaxy", str(place.file))
        simulated.setdefault("board", str(place.board))
    elif worker.backend == "simulator" and "galaxy" not in simulated:
        raise ConfigurationError(
            "worker.backend = simulator needs a Galaxy in an SQLite file: set galaxy.connection_string"
            " (--galaxy) to one, or worker.backend_options.galaxy"
        )
    # What a worker sends has to fit into what goes on to the caller.
    max_frame_bytes = min(worker.max_message_bytes, settings.protocol.max_grpc_message_bytes)
    arguments = {
        "--max-frame-bytes": max_frame_bytes,
        "--event-queue-capacity": settings.events.queue_capacity,
        "--max-items": settings.sessions.max_items_per_session,
        "--max-registrations": settings.sessions.max_registrations_per_session,
        "--heartbeat-interval": worker.heartbeat_interval_seconds,
        "--heartbeat-grace": worker.heartbeat_grace_seconds,
        "--stuck-ceiling": worker.heartbeat_stuck_ceiling_seconds,
        "--shutdown-grace": worker.shutdown_timeout_seconds,
    }
    flags = ["--allow-fault-injection"] if settings.allow_fault_injection else []
    return WorkerPlan(
        backend=worker.backend,
        command=worker.command,
        com_python=worker.com_python,
        com_packages=worker.com_packages,
        environment=worker.environment,
        sandbox=worker.sandbox,
        withheld=frozenset(filter(None, (settings.authentication.pepper_variable,))),
        options=options.pop(worker.backend),
        other_options=options,
        arguments=(*(part for name, value in arguments.items() for part in (name, str(value))), *flags),
        working_directory=worker.working_directory,
        max_frame_bytes=max_frame_bytes,
    )


def worker_secrets(settings: Settings) -> list[Path]:
    """Files and folders that no worker may see: whoever reads them is the gateway."""
    authentication, tls = settings.authentication, settings.tls
    named = [authentication.pepper_file, tls.key_file, tls.self_signed_directory]
    if "://" not in authentication.database:
        named.append(authentication.database)
    return [settings.state_path, *(Path(name).expanduser() for name in named if name)]


def alarm_rules(settings: Settings) -> AlarmRules:
    """What the settings of other parts mean for the alarms."""
    authentication = settings.authentication
    return AlarmRules(
        is_read_only=settings.read_only,
        audits=authentication.audit_writes,
        audits_texts=authentication.audit_values,
    )


def alarm_past(settings: Settings) -> PastRules:
    """What is kept of the alarms' past, and where."""
    return PastRules(
        file=_history_file(settings, settings.alarms.history),
        limits=_history_limits(settings.alarms.history),
        figures=_figure_rules(settings.alarms.statistics),
        positions=settings.alarms.positions,
    )


def _history_file(settings: Settings, history: AlarmHistorySettings) -> Path | None:
    return in_state(settings, history.path, "alarms.db") if history.enabled else None


def _history_limits(history: AlarmHistorySettings) -> HistoryLimits:
    return HistoryLimits(max_days=history.max_days, max_rows=history.max_rows, max_bytes=history.max_mib * 1024 * 1024)


def _figure_rules(statistics: AlarmStatisticsSettings) -> FigureRules:
    return FigureRules(
        floods=FloodRules(statistics.flood_begin, statistics.flood_end),
        fleeting_seconds=statistics.fleeting_seconds,
        bands=statistics.bands,
    )


def alarm_findings(alarms: AlarmComponent | None) -> Callable[[], Problem | None]:
    """What looks whether the alarm monitor is well; without one all is."""

    def look() -> Problem | None:
        if alarms is None:
            return None
        status = alarms.driver.monitor.status
        reason = status.text or status.reason.name.lower()
        return checks.alarms_problem(status.state.name.lower(), status.is_uncertain, reason)

    return look


def share_of_key(max_sessions: int) -> int:
    """Sessions that one key may have when nothing else is said: three quarters of all, so that others find room."""
    return math.ceil(max_sessions * 3 / 4)


def session_options(settings: Settings) -> SessionOptions:
    """Bounds of the gateway's sessions."""
    sessions, events = settings.sessions, settings.events
    return SessionOptions(
        max_sessions=sessions.max_sessions,
        max_sessions_per_key=sessions.max_sessions_per_key or share_of_key(sessions.max_sessions),
        limits=SessionLimits(lease=sessions.default_lease_seconds, detach_grace=sessions.detach_grace_seconds),
        ring=RingLimits(
            delivered_events=events.replay_buffer_capacity,
            undelivered_events=events.queue_capacity,
            max_bytes=events.replay_max_bytes,
            retention=events.replay_retention_seconds,
        ),
        subscriber=SubscriberLimits(max_events=events.queue_capacity, max_bytes=events.queue_max_bytes),
        policy=events.policy,
        max_subscribers=(
            sessions.max_event_subscribers_per_session if sessions.allow_multiple_event_subscribers else 1
        ),
        requires_subscriber=events.require_subscriber,
        recent_sessions=settings.operations.recent_session_limit,
        recent_faults=settings.operations.recent_fault_limit,
    )


def connection_room(settings: Settings, files: int | None) -> ConnectionRoom:
    """How many connections there may be.

    Args:
        files: open files that this process may have; None for any number.
    """
    return room_for_connections(
        files,
        settings.protocol.max_connections,
        workers=settings.sessions.max_sessions + MAX_APART + settings.worker.pool_size,
        operations=any(settings.http_endpoints()),
        starts=settings.worker.simultaneous_starts,
    )


def connection_limits(settings: Settings, room: ConnectionRoom) -> ConnectionLimits:
    """Shares of these connections."""
    per_address = min(settings.protocol.max_connections_per_address or math.ceil(room.kept / 2), room.kept)
    return ConnectionLimits(total=room.kept, per_address=per_address, strangers=math.ceil(per_address / 2))


def streams_per_connection(settings: Settings) -> int:
    """Calls and streams at once on one connection: a session has a stream for commands, some for events."""
    sessions = settings.sessions.max_sessions_per_key or share_of_key(settings.sessions.max_sessions)
    return settings.protocol.max_streams_per_connection or max(_FEWEST_STREAMS, 4 * sessions)


def streams_per_key(settings: Settings) -> int:
    """Streams that one key may have at once, over all of its connections."""
    return settings.protocol.max_streams_per_key or 2 * streams_per_connection(settings)


def galaxy_timing(settings: Settings) -> GalaxyTiming:
    """When the Galaxy is looked at, and how long its database may take."""
    galaxy = settings.galaxy
    return GalaxyTiming(
        poll_interval=galaxy.poll_interval_seconds,
        probe=galaxy.command_timeout_seconds,
        test_connection=galaxy.test_connection_timeout_seconds,
        longest_retry=galaxy.longest_read_retry_seconds,
    )


def galaxy_source(settings: Settings, source: str) -> SqlGalaxySource:
    """The Galaxy's database; it is opened at the first look.

    Raises:
        ConfigurationError: `source` cannot be understood.
    """
    galaxy = settings.galaxy
    try:
        return SqlGalaxySource(
            source,
            command_timeout=galaxy.command_timeout_seconds,
            connect_timeout=galaxy.connect_timeout_seconds,
            probe_timeout=galaxy.test_connection_timeout_seconds,
        )
    except GalaxySourceError as error:
        raise ConfigurationError(f"galaxy.connection_string (--galaxy): {error}") from error


def snapshot_path(settings: Settings) -> Path | None:
    """File of the last good hierarchy; None when none is kept."""
    galaxy = settings.galaxy
    if not galaxy.persist_snapshot:
        return None
    return in_state(settings, galaxy.snapshot_cache_path, "galaxy-snapshot.jsonl.gz")
