"""The gateway put together: the one place that knows all parts, and the order of their beginning and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_server import announcing, making, places, wiring
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.callers import current_call
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.shares import Shares
from mxgateway_server.access.store import KeyStore
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.alarms.link import AlarmLink, WorkerLink
from mxgateway_server.alarms.service import no_alarms_handler
from mxgateway_server.assembled import Parts, Running
from mxgateway_server.config.addresses import split_address
from mxgateway_server.config.settings import Settings
from mxgateway_server.control import control_doors
from mxgateway_server.controls import Controls, Drain
from mxgateway_server.counters import Counters
from mxgateway_server.dashboard.opening import open_dashboard
from mxgateway_server.dashboard.process import memory_bytes
from mxgateway_server.galaxy import GalaxyComponent, GalaxyRepositoryService
from mxgateway_server.galaxy.place import find_galaxy
from mxgateway_server.galaxy.service import SERVICE as GALAXY_SERVICE
from mxgateway_server.health import checks
from mxgateway_server.health.readiness import Judge
from mxgateway_server.health.watcher import HealthWatcher
from mxgateway_server.heap import TRIM_SECONDS, MemoryKeeper
from mxgateway_server.logs import get_logger
from mxgateway_server.operations.component import metrics_text, open_operations
from mxgateway_server.program import Program
from mxgateway_server.reloading import Reloading, Reloads
from mxgateway_server.rpc.connections import ConnectionWatch, system_sockets
from mxgateway_server.rpc.guard import Guard
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.rpc.server import RpcServer, ServerBounds
from mxgateway_server.rpc.servicer import SERVICE, GatewayServicer
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.state import hold_state, prepare_state
from mxgateway_server.status import StatusReader
from mxgateway_server.telemetry.lag_log import LoopLagLog
from mxgateway_server.telemetry.opening import open_tracing
from mxgateway_server.upgrade.adopting import Leftovers, adopt
from mxgateway_server.upgrade.handover import Handover
from mxgateway_server.upgrade.standstill import UpgradeParts
from mxgateway_server.upgrade.upgrading import Upgrading, tell_ignored
from mxgateway_server.upkeep import Duties, Duty, Upkeep, health_duties
from mxgateway_server.workers.containment import create_containment
from mxgateway_server.workers.launcher import Launcher, WorkerPlan
from mxgateway_server.workers.pool import WorkerPool
from mxgateway_server.workers.recordings import check_recordings

logger = get_logger(__name__)


class Gateway:
    """One gateway process.

    Args:
        settings: everything that can be set.
        clock: time, for tests.
        read_again: reads the settings anew, for a reload; without it only the certificate files are looked at.
        origin: where the setting of a dotted name comes from; empty for a default.
        handover: how this process becomes another program, and what one has left to it.

    Attributes:
        parts: what it consists of, from the moment on when it listens; for tests that make a part misbehave.
    """

    parts: Parts

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        read_again: Callable[[], Settings] | None = None,
        origin: Callable[[str], str] = lambda _: "",
        handover: Handover | None = None,
    ) -> None:
        self._handover = handover or Handover()
        self._origin = origin
        self._settings = settings
        self._read_again = read_again or (lambda: settings)
        self._reload_wanted = asyncio.Event()
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    def request_stop(self) -> None:
        """Begins an orderly stop; asked for again, everything ends at once."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    def reload(self) -> None:
        """Takes changed settings, as far as they can change, and looks at the certificate files."""
        self._reload_wanted.set()

    def drain(self, seconds: float) -> None:
        """Lets no session open any more, and stops when the last is over, or after so many seconds."""
        self.parts.drain.begin(seconds)

    def upgrade(self) -> None:
        """Becomes the program that is installed, if that can take over; sessions and workers stay."""
        if self.is_running:
            self.parts.upgrading.request()
        else:
            tell_ignored("the gateway is only just beginning")

    @property
    def is_running(self) -> bool:
        """Whether it consists of something already."""
        return hasattr(self, "parts")

    @property
    def is_alive(self) -> bool:
        """Whether what has to happen at its times does; while the gateway begins it is taken for granted."""
        return not self.is_running or self.parts.health.is_alive()

    async def run(self, on_running: Callable[[Running], None] = lambda _: None) -> None:
        """Serves until `request_stop`.

        Raises:
            ConfigurationError: something is not as the settings say.
        """
        async with AsyncExitStack() as stack:
            parts = self.parts = await self._assemble(stack)
            before = parts.program.addresses
            endpoints = await parts.server.start(parts.certificate, before)
            names = [name for name, _ in self._settings.addresses()]
            parts.program.addresses = dict(zip(names, [each.address for each in endpoints], strict=True))
            urls: Sequence[str] = ()
            if parts.operations is not None:
                urls = parts.operations.start(before)
                parts.program.addresses |= parts.operations.addresses
            parts.connections.listen_on(split_address(endpoint.address)[1] for endpoint in endpoints)
            try:
                async with asyncio.TaskGroup() as group:
                    for part in (*parts.background, parts.sessions, parts.pool):
                        group.create_task(part.run(), name=type(part).__name__)
                    await parts.server.serving()
                    for endpoint in endpoints:
                        logger.info("listening", address=endpoint.address, tls=endpoint.is_tls)
                    announcing.tell_of_simulation(self._settings.worker.backend, parts.galaxy_name)
                    on_running(Running(tuple(endpoints), parts.galaxy_name, parts.status.take, tuple(urls)))
                    await self._stop.wait()
                    await self._end(parts)
            finally:
                await parts.server.stop(0)
        logger.info("gateway_stopped")

    # --------------------------------------------------------------------------------------------------------- begin

    async def _assemble(self, stack: AsyncExitStack) -> Parts:
        settings, clock = self._settings, self._clock
        prepare_state(settings.state_path)
        shared = settings.allow_shared_state
        lock = stack.enter_context(hold_state(settings.state_path, shared=shared, held=self._handover.lock))
        place = await asyncio.to_thread(find_galaxy, settings.galaxy.connection_string, settings.state_path)
        plan = wiring.worker_plan(settings, place)
        await asyncio.to_thread(check_recordings, plan)
        making.confine(settings, plan)
        certificate = await making.keep_certificate(settings, clock)
        store = await KeyStore.open(
            places.key_store(settings),
            places.pepper_source(settings),
            clock,
            migrate=settings.authentication.run_migrations_on_startup,
        )
        stack.push_async_callback(store.close)
        await announcing.tell_of_newer_scopes(store)
        await announcing.tell_of_clock(store, clock)
        containment = create_containment(settings.worker.max_memory_bytes)
        stack.callback(containment.close)
        counters = Counters()
        tracing = open_tracing(settings.telemetry, counters.spans, stack)
        streams = LiveStreams(wiring.streams_per_key(settings), clock)
        refusals = RefusalLog(clock, counters)
        shares = Shares()
        room = announcing.connection_room(settings)
        connections = ConnectionWatch(system_sockets(), wiring.connection_limits(settings, room))
        audit = AuditLog(
            store, clock, denies=settings.authentication.when_audit_fails == "deny_writes", counters=counters
        )
        authenticator = making.authenticator(settings, clock, store)
        began = clock.unix_ns()
        program = Program(since_ns=began, begun_ns=began)
        launcher = making.launcher(settings, clock, containment, counters)
        pool = WorkerPool(launcher, plan, settings.worker.pool_size)
        sessions = SessionManager(launcher, pool, clock, wiring.session_options(settings))
        galaxy = making.galaxy(settings, clock, place.source, store.peppers)
        gate = making.gate(settings, galaxy, audit)
        alarms = await self._alarms(launcher, plan, galaxy, audit)
        servicer = GatewayServicer(
            sessions,
            gate,
            settings=settings,
            plan=plan,
            clock=clock,
            refusals=refusals,
            shares=shares,
            galaxy_settled=galaxy.settled,
            counters=counters,
        )
        browse = GalaxyRepositoryService(
            galaxy,
            scope=lambda _: current_call().caller.constraints.browse_subtrees,
            key_id=lambda: current_call().caller.key_id,
            max_watches=settings.galaxy.max_watches_per_key,
            turn=lambda: shares.of(current_call().caller.key_id).turn,
        )
        handlers: list[tuple[str, Any]] = [
            (SERVICE, servicer.handler()),
            (SERVICE, no_alarms_handler() if alarms is None else alarms.handler()),
            (GALAXY_SERVICE, browse.handler()),
        ]
        duties = Duties(
            settings,
            clock,
            sessions=sessions,
            pool=pool,
            store=store,
            authenticator=authenticator,
            streams=streams,
            connections=connections,
        )
        bounds = ServerBounds(connections=room.taken, streams=wiring.streams_per_connection(settings))
        guard = Guard(
            authenticator,
            audit,
            streams,
            refusals,
            connections,
            shares,
            max_request_bytes=settings.protocol.max_request_bytes,
            max_command_bytes=settings.protocol.max_grpc_message_bytes,
            counters=counters,
            tracing=tracing,
        )
        server = RpcServer(settings, bounds, guard, handlers)
        health = HealthWatcher(
            Judge(
                checks.rules(
                    galaxy_is_needed=settings.health.require_galaxy,
                    audit_is_needed=settings.authentication.when_audit_fails == "deny_writes",
                ),
                clock.monotonic(),
            ),
            clock,
            state=settings.state_path,
            authenticator=authenticator,
            pool=pool,
            sessions=sessions,
            galaxy=galaxy,
            audit=audit,
            certificate=certificate,
            certificate_days=settings.tls.expiry_warning_days,
            service=server,
            alarms=wiring.alarm_findings(alarms),
        )
        memory = MemoryKeeper(lambda: shares.large_bodies, memory_bytes)
        giving_back = Duty(name="give-memory-back", period=TRIM_SECONDS, work=memory.look)
        upkeep = Upkeep([*duties.all(), *health_duties(health), giving_back])
        keepers = () if certificate is None else (certificate,)
        lag_log = LoopLagLog(settings.logging.loop_lag_interval_seconds)
        status = StatusReader(
            clock,
            sessions=sessions,
            pool=pool,
            launcher=launcher,
            galaxy=galaxy,
            audit=audit,
            streams=streams,
            counters=counters,
            certificate=certificate,
            health=health.status,
            alarms=alarms,
            program=program,
        )
        reloading = Reloading(
            settings,
            self._read_again,
            sessions=sessions,
            authenticator=authenticator,
            certificate=certificate,
            counters=counters,
        )
        drain = Drain(sessions, health, self.request_stop)
        upgrading = Upgrading(
            UpgradeParts(
                sessions=sessions,
                launcher=launcher,
                streams=streams,
                guard=guard,
                records=gate.audit,
                audit=audit,
                lock=lock,
            ),
            self._handover,
            program,
            clock,
            self._stop,
        )
        controls = Controls(
            status=status,
            reloading=reloading,
            drain=drain,
            upgrading=upgrading,
            audit=audit,
            metrics=metrics_text(settings, status, lag_log),
        )
        stack.callback(controls.close)
        dashboard = await open_dashboard(
            settings,
            clock,
            stack,
            status=status,
            sessions=sessions,
            audit=audit,
            authenticator=authenticator,
            certificate=certificate,
            store=store,
            lag=lag_log,
            browse=browse,
            commands=gate,
            plan=plan,
            alarms=alarms,
            origin=self._origin,
            actions=controls.actions,
            in_force=lambda: reloading.settings,
        )
        if dashboard is not None:
            reloading.reconfigure_dashboard = dashboard.reconfigure
        pages = () if dashboard is None else dashboard.routes()
        operations = open_operations(
            settings,
            health=health,
            status=status,
            lag=lag_log,
            authenticator=authenticator,
            certificate=certificate,
            more=pages,
        )
        if operations is not None:
            stack.callback(operations.close)
        doors = control_doors(settings.state_path, controls.actions)
        reloads = Reloads(reloading, self._reload_wanted)
        left: tuple[int, ...] = ()
        if self._handover.inherited is not None:
            # The last step before callers are let in: what fails before it ends the process, and the workers with it.
            left = await adopt(
                self._handover.inherited,
                program,
                sessions=sessions,
                launcher=launcher,
                records=gate.audit,
                audit=audit,
            )
        leftovers = Leftovers(left, containment)
        optional = [part for part in (alarms, operations, dashboard, *doors) if part is not None]
        return Parts(
            server=server,
            certificate=certificate,
            sessions=sessions,
            pool=pool,
            launcher=launcher,
            galaxy=galaxy,
            galaxy_name=place.name,
            streams=streams,
            shares=shares,
            connections=connections,
            upkeep=upkeep,
            health=health,
            alarms=alarms,
            operations=operations,
            dashboard=dashboard,
            drain=drain,
            reloading=reloading,
            status=status,
            upgrading=upgrading,
            program=program,
            background=(audit, leftovers, galaxy, *optional, drain, upgrading, reloads, lag_log, upkeep, *keepers),
        )

    def _alarm_link(self, launcher: Launcher, plan: WorkerPlan) -> AlarmLink:
        return WorkerLink(launcher, plan)

    async def _alarms(
        self, launcher: Launcher, plan: WorkerPlan, galaxy: GalaxyComponent, audit: AuditLog
    ) -> AlarmComponent | None:
        if not self._settings.alarms.enabled:
            return None
        return await making.open_alarms(self._settings, self._clock, self._alarm_link(launcher, plan), galaxy, audit)

    # ----------------------------------------------------------------------------------------------------------- end

    async def _end(self, parts: Parts) -> None:
        logger.info("gateway_stopping", sessions=len(parts.sessions))
        await parts.server.not_serving()
        parts.sessions.refuse_new()
        parts.health.watch_end()
        parts.galaxy.end_watches()
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(self._end_in_order(parts))
            now = group.create_task(self._stop_now.wait())
            await asyncio.wait((ending, now), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                logger.warning("gateway_stopping_now", workers=len(parts.launcher))
                # Whoever waits for a worker's orderly end sees it end now.
                parts.launcher.kill_all()
                await parts.server.stop(0)
                await asyncio.wait((ending,))
            now.cancel()
        for part in reversed(parts.background):
            await part.stop()

    async def _end_in_order(self, parts: Parts) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.sessions.stop())
            group.create_task(parts.pool.stop())
        # Streams of commands have their last replies by now; a watch has no end of its own.
        parts.streams.end_all()
        await parts.server.stop(self._settings.protocol.shutdown_grace_seconds)
