"""Single parts of the gateway, made of its settings; what begins and ends them is `app`."""

from __future__ import annotations

import asyncio

from mxgateway_contract.constants import ENVELOPE_BYTES
from mxgateway_protocol.clock import Clock
from mxgateway_server import __version__, wiring
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.peppers import PepperRing
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.alarms.galaxy_view import DeployedGalaxy
from mxgateway_server.alarms.link import AlarmLink
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.commands.gate import CommandGate
from mxgateway_server.config.settings import Settings
from mxgateway_server.counters import Counters
from mxgateway_server.galaxy import GalaxyComponent, SnapshotFile
from mxgateway_server.galaxy.tag_lookup import GalaxyLookup
from mxgateway_server.logs import get_logger
from mxgateway_server.workers.confinement import confinement, require
from mxgateway_server.workers.containment import Containment
from mxgateway_server.workers.launcher import Launcher, WorkerPlan

logger = get_logger(__name__)


def confine(settings: Settings, plan: WorkerPlan) -> None:
    """Tells what workers may do on this system.

    Raises:
        ConfigurationError: the settings want more than it has.
    """
    found = confinement(plan, wiring.worker_secrets(settings))
    require(found)
    told = {name.replace(" ", "_"): why for name, why in found.missing.items()}
    logger.info("worker_sandbox", mode=found.mode, in_force=[n for n, _, why in found.table if not why], **told)


async def keep_certificate(settings: Settings, clock: Clock) -> CertificateKeeper | None:
    """The certificate that the gateway shows; None without an endpoint that needs one."""
    source = wiring.certificate_source(settings)
    if source is None:
        return None
    return await asyncio.to_thread(
        CertificateKeeper, source, clock, settings.tls.expiry_warning_days, wiring.client_authorities(settings)
    )


def authenticator(settings: Settings, clock: Clock, store: KeyStore) -> Authenticator | None:
    """Who looks at keys; None where nobody needs one."""
    access = settings.authentication
    if access.mode == "disabled":
        logger.warning("authentication_is_disabled", remedy="set authentication.mode = api_key")
        return None
    return Authenticator(
        store=store,
        peppers=store.peppers,
        clock=clock,
        throttle=Throttle(access.failures_before_throttle, access.throttle_seconds),
        cache_seconds=access.cache_seconds,
    )


def launcher(settings: Settings, clock: Clock, containment: Containment, counters: Counters) -> Launcher:
    """Who starts workers."""
    return Launcher(
        wiring.worker_limits(settings),
        clock,
        containment,
        gateway_version=__version__,
        simultaneous_starts=settings.worker.simultaneous_starts,
        counters=counters,
    )


def gate(settings: Settings, galaxy: GalaxyComponent, audit: AuditLog) -> CommandGate:
    """What every command passes."""
    access = settings.authentication
    told = CommandAudit(audit, audits_writes=access.audit_writes, audits_values=access.audit_values)
    return CommandGate(
        GalaxyLookup(galaxy),
        told,
        allow_fault_injection=settings.allow_fault_injection,
        max_timeout=settings.sessions.max_command_timeout_seconds,
        is_read_only=settings.read_only,
        completes_array_names=settings.galaxy.complete_array_names,
        max_reply_bytes=settings.protocol.max_grpc_message_bytes - ENVELOPE_BYTES,
        max_request_bytes=settings.protocol.max_request_bytes,
    )


def galaxy(settings: Settings, clock: Clock, source: str, peppers: PepperRing) -> GalaxyComponent:
    """The Galaxy, as this source has it."""
    snapshot = wiring.snapshot_path(settings)
    keys = [pepper.derive("galaxy snapshot") for pepper in peppers]
    return GalaxyComponent(
        wiring.galaxy_source(settings, source),
        snapshots=None if snapshot is None else SnapshotFile(snapshot, keys),
        timing=wiring.galaxy_timing(settings),
        clock=clock,
    )


async def open_alarms(
    settings: Settings, clock: Clock, link: AlarmLink, galaxy: GalaxyComponent, audit: AuditLog
) -> AlarmComponent:
    """The alarms, told over this link."""
    return await AlarmComponent.open(
        settings.alarms,
        wiring.alarm_rules(settings),
        wiring.alarm_past(settings),
        link=link,
        galaxy=DeployedGalaxy(galaxy),
        lookup=GalaxyLookup(galaxy),
        audit=audit,
        clock=clock,
    )
