"""The gateway put together: the one place that knows all parts, and the order of their beginning and end."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_server import __version__
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.callers import current_call
from mxgateway_server.access.constraints import NoLookup, TagLookup
from mxgateway_server.access.keys import Pepper, load_pepper
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.commands.gate import CommandGate
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import SubscriberLimits
from mxgateway_server.galaxy import (
    GalaxyComponent,
    GalaxyRepositoryService,
    GalaxyTiming,
    SnapshotFile,
    SqlGalaxySource,
)
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.place import GalaxyPlace, find_galaxy
from mxgateway_server.galaxy.tag_lookup import GalaxyLookup
from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.guard import Guard
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.rpc.server import Endpoint, RpcServer
from mxgateway_server.rpc.servicer import SERVICE, GatewayServicer
from mxgateway_server.rpc.tls import ServerCertificate, host_names, load_certificate, self_signed
from mxgateway_server.sessions.manager import SessionManager, SessionOptions
from mxgateway_server.sessions.state import SessionLimits
from mxgateway_server.state import prepare_state
from mxgateway_server.telemetry.lag_log import log_loop_lag
from mxgateway_server.workers.client import WorkerLimits
from mxgateway_server.workers.containment import create_containment
from mxgateway_server.workers.launcher import Launcher, WorkerPlan
from mxgateway_server.workers.pool import WorkerPool
from mxgateway_server.workers.watchdog import StallGuard, WatchdogLimits

logger = get_logger(__name__)

_TICK_SECONDS = 1.0
_REVALIDATE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens."""

    endpoints: tuple[Endpoint, ...]
    galaxy: str
    manager: SessionManager = field(repr=False)
    pool: WorkerPool = field(repr=False)


class Gateway:
    """One gateway process.

    Args:
        settings: everything that can be set.
        clock: time, for tests.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._authenticator: Authenticator | None = None
        self._streams = LiveStreams()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    def request_stop(self) -> None:
        """Begins an orderly stop; asked for again, everything ends at once."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def run(self, on_running: Callable[[Running], None] = lambda _: None) -> None:
        """Serves until `request_stop`.

        Raises:
            ConfigurationError: something is not as the settings say.
        """
        settings = self._settings
        async with AsyncExitStack() as stack:
            prepare_state(settings.state_path)
            galaxy_place = await asyncio.to_thread(self._find_galaxy)
            certificate = self._certificate()
            pepper = load_pepper(_path(settings.authentication.pepper_file, settings, "pepper"))
            store = await KeyStore.open(
                settings.authentication.database or str(settings.state_path / "keys.db"),
                pepper,
                self._clock,
                migrate=settings.authentication.run_migrations_on_startup,
            )
            stack.push_async_callback(store.close)
            containment = create_containment()
            stack.callback(containment.close)
            audit = AuditLog(store, self._clock)
            authenticator = self._authenticator = self._make_authenticator(store, pepper)
            launcher = Launcher(
                self._worker_limits(), self._clock, containment, __version__, settings.worker.simultaneous_starts
            )
            plan = self._plan(galaxy_place)
            pool = WorkerPool(launcher, plan, settings.worker.pool_size)
            manager = SessionManager(launcher, pool, self._clock, self._session_options())
            galaxy = self._galaxy(galaxy_place)
            lookup: TagLookup = GalaxyLookup(galaxy) if galaxy is not None else NoLookup()
            gate = CommandGate(
                lookup,
                audit,
                allow_fault_injection=settings.allow_fault_injection,
                max_timeout=settings.sessions.max_command_timeout_seconds,
                audits_writes=settings.authentication.audit_writes,
            )
            servicer = GatewayServicer(
                manager, gate, settings, plan, self._clock, galaxy.settled if galaxy is not None else None
            )
            handlers: list[tuple[str, Any]] = [(SERVICE, servicer.handler())]
            if galaxy is not None:
                service = GalaxyRepositoryService(
                    galaxy, scope=lambda _: current_call().caller.constraints.browse_subtrees
                )
                handlers.append(("galaxy_repository.v1.GalaxyRepository", service.handlers()))
            server = RpcServer(settings, Guard(authenticator, audit, self._streams), handlers)
            await self._serve(
                server,
                certificate,
                launcher,
                manager,
                pool,
                audit,
                store,
                authenticator,
                galaxy,
                galaxy_place,
                on_running,
            )

    async def _serve(
        self,
        server: RpcServer,
        certificate: ServerCertificate | None,
        launcher: Launcher,
        manager: SessionManager,
        pool: WorkerPool,
        audit: AuditLog,
        store: KeyStore,
        authenticator: Authenticator | None,
        galaxy: GalaxyComponent | None,
        place: GalaxyPlace,
        on_running: Callable[[Running], None],
    ) -> None:
        grace = self._settings.protocol.shutdown_grace_seconds
        endpoints = await server.start(certificate)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(audit.run(), name="audit")
                group.create_task(manager.run(), name="sessions")
                group.create_task(pool.run(), name="pool")
                upkeep = group.create_task(self._upkeep(manager, pool, store, authenticator), name="upkeep")
                interval = self._settings.logging.loop_lag_interval_seconds
                lag = group.create_task(log_loop_lag(interval), name="loop-lag") if interval else None
                if galaxy is not None:
                    await galaxy.start(group)
                await server.serving()
                for endpoint in endpoints:
                    logger.info("listening", address=endpoint.address, tls=endpoint.is_tls)
                on_running(Running(tuple(endpoints), place.name, manager, pool))
                await self._stop.wait()
                logger.info("gateway_stopping", sessions=len(manager))
                await server.not_serving()
                manager.refuse_new()
                if galaxy is not None:
                    galaxy.end_watches()
                ending = group.create_task(self._end(server, manager, pool, grace), name="end")
                now = group.create_task(self._stop_now.wait(), name="stop-now")
                await asyncio.wait((ending, now), return_when=asyncio.FIRST_COMPLETED)
                if not ending.done():
                    logger.warning("gateway_stopping_now", workers=len(launcher))
                    # Whoever waits for a worker's orderly end sees it end now.
                    launcher.kill_all()
                    await server.stop(0)
                    await asyncio.wait((ending,))
                now.cancel()
                upkeep.cancel()
                if lag is not None:
                    lag.cancel()
                if galaxy is not None:
                    await galaxy.stop()
                if authenticator is not None:
                    await _save_used(store, authenticator)
                audit.close()
        finally:
            await server.stop(0)
        logger.info("gateway_stopped")

    async def _end(self, server: RpcServer, manager: SessionManager, pool: WorkerPool, grace: float) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(manager.stop())
            group.create_task(pool.stop())
        # Streams of commands have their last replies by now; nobody ends a watch by himself.
        self._streams.end_all()
        await server.stop(grace)

    async def revalidate_streams(self) -> None:
        """Ends the streams of keys and secrets that are not valid any more; done every few seconds."""
        authenticator, streams = self._authenticator, self._streams
        if authenticator is None:
            return
        for caller in streams.callers:
            if not await authenticator.is_still_valid(caller):
                authenticator.forget(caller.key_id)
                streams.end(caller)

    async def _upkeep(
        self,
        manager: SessionManager,
        pool: WorkerPool,
        store: KeyStore,
        authenticator: Authenticator | None,
    ) -> None:
        """Everything that happens because time passes."""
        sweep_at = validate_at = self._clock.monotonic()
        prune_at = sweep_at
        guard = StallGuard(_TICK_SECONDS, 2 * self._settings.worker.heartbeat_interval_seconds, sweep_at)
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = self._clock.monotonic()
            try:
                if guard.may_judge(now):
                    manager.check_workers()
                    pool.check()
                if now >= sweep_at:
                    sweep_at = now + self._settings.sessions.lease_sweep_interval_seconds
                    manager.sweep()
                if authenticator is not None and now >= validate_at:
                    validate_at = now + _REVALIDATE_SECONDS
                    await self.revalidate_streams()
                    await _save_used(store, authenticator)
                if now >= prune_at:
                    prune_at = now + 3600.0
                    days = self._settings.authentication.audit_retention_days
                    if days:
                        await store.prune_audit(self._clock.unix_ns() - days * 86_400 * 1_000_000_000)
            except (SQLAlchemyError, OSError) as error:
                # The next round tries again; calls go on meanwhile, and keys are checked for each.
                logger.warning("key_store_failed", error=error)
            except Exception:
                logger.exception("upkeep_failed")

    # --------------------------------------------------------------------------------------------------------- parts

    def _certificate(self) -> ServerCertificate | None:
        settings = self._settings
        if not settings.listen:
            return None
        now = datetime.datetime.now(datetime.UTC)
        tls = settings.tls
        if tls.certificate_file:
            certificate = load_certificate(tls.certificate_file, tls.key_file, now)
        else:
            certificate = self_signed(
                _path(tls.self_signed_directory, settings, "certs"),
                now,
                names=host_names(tls.additional_dns_names),
                validity_years=tls.validity_years,
                regenerate_if_expired=tls.regenerate_if_expired,
            )
        logger.info(
            "certificate",
            made_now=certificate.was_made,
            file=str(certificate.ca_file),
            sha256=certificate.thumbprint,
            names=list(certificate.names),
            not_after=f"{certificate.not_after:%Y-%m-%d}",
        )
        return certificate

    def _make_authenticator(self, store: KeyStore, pepper: Pepper) -> Authenticator | None:
        settings = self._settings.authentication
        if settings.mode == "disabled":
            logger.warning("authentication_is_disabled", remedy="set authentication.mode = api_key")
            return None
        throttle = Throttle(settings.failures_before_throttle, settings.throttle_seconds)
        return Authenticator(store, pepper, self._clock, throttle, settings.cache_seconds)

    def _worker_limits(self) -> WorkerLimits:
        worker = self._settings.worker
        return WorkerLimits(
            self._settings.sessions.max_pending_commands_per_session,
            worker.startup_timeout_seconds,
            worker.shutdown_timeout_seconds,
            worker.terminate_timeout_seconds,
            WatchdogLimits(worker.heartbeat_grace_seconds, worker.heartbeat_stuck_ceiling_seconds),
        )

    def _plan(self, place: GalaxyPlace) -> WorkerPlan:
        settings = self._settings
        worker = settings.worker
        options = dict(worker.backend_options)
        if worker.backend == "simulator" and place.file is not None:
            options.setdefault("galaxy", str(place.file))
            options.setdefault("board", str(place.board))
        arguments = [
            "--event-queue-capacity",
            str(settings.events.queue_capacity),
            "--heartbeat-interval",
            str(worker.heartbeat_interval_seconds),
            "--heartbeat-grace",
            str(worker.heartbeat_grace_seconds),
            "--stuck-ceiling",
            str(worker.heartbeat_stuck_ceiling_seconds),
            "--shutdown-grace",
            str(worker.shutdown_timeout_seconds),
        ]
        if settings.allow_fault_injection:
            arguments.append("--allow-fault-injection")
        return WorkerPlan(
            worker.backend,
            worker.command,
            options,
            tuple(arguments),
            worker.working_directory,
            worker.max_message_bytes,
        )

    def _session_options(self) -> SessionOptions:
        sessions, events = self._settings.sessions, self._settings.events
        return SessionOptions(
            sessions.max_sessions,
            sessions.max_sessions_per_key,
            SessionLimits(sessions.default_lease_seconds, sessions.detach_grace_seconds),
            RingLimits(
                events.replay_buffer_capacity,
                events.queue_capacity,
                events.replay_max_bytes,
                events.replay_retention_seconds,
            ),
            SubscriberLimits(events.queue_capacity, events.queue_max_bytes),
            events.policy,
            sessions.max_event_subscribers_per_session if sessions.allow_multiple_event_subscribers else 1,
            events.require_subscriber,
        )

    def _find_galaxy(self) -> GalaxyPlace:
        place = find_galaxy(self._settings.galaxy.connection_string, self._settings.state_path)
        if self._settings.worker.backend == "simulator" and place.file is None:
            options = self._settings.worker.backend_options
            if "galaxy" not in options:
                raise ConfigurationError(
                    "worker.backend = simulator needs a Galaxy in an SQLite file: set galaxy.connection_string"
                    " (--galaxy) to one, or worker.backend_options.galaxy"
                )
        return place

    def _galaxy(self, place: GalaxyPlace) -> GalaxyComponent | None:
        settings = self._settings.galaxy
        try:
            source = SqlGalaxySource(
                place.source,
                command_timeout=settings.command_timeout_seconds,
                probe_timeout=settings.test_connection_timeout_seconds,
            )
        except GalaxySourceError as error:
            raise ConfigurationError(f"galaxy.connection_string (--galaxy): {error}") from error
        snapshots = None
        if settings.persist_snapshot:
            snapshots = SnapshotFile(_path(settings.snapshot_cache_path, self._settings, "galaxy-snapshot.jsonl.gz"))
        timing = GalaxyTiming(
            poll_interval=settings.poll_interval_seconds,
            probe=settings.command_timeout_seconds,
            test_connection=settings.test_connection_timeout_seconds,
            longest_retry=settings.longest_read_retry_seconds,
        )
        return GalaxyComponent(source, snapshots=snapshots, timing=timing, clock=self._clock)


def _path(given: str, settings: Settings, name: str) -> Path:
    return Path(given).expanduser() if given else settings.state_path / name


async def _save_used(store: KeyStore, authenticator: Authenticator) -> None:
    used = authenticator.take_used()
    if used:
        try:
            await store.mark_used(used)
        except BaseException:
            authenticator.put_back_used(used)
            raise
