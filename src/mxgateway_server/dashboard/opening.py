"""The dashboard as the gateway begins it: nothing of it is loaded before the settings ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from mxgateway_contract.installing import install_command
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.store import KeyStore
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.commands.gate import CommandGate
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.galaxy import GalaxyRepositoryService
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.options import OpenOptions
from mxgateway_server.status import StatusReader
from mxgateway_server.telemetry.lag_log import LoopLagLog
from mxgateway_server.workers.launcher import WorkerPlan

if TYPE_CHECKING:
    from mxgateway_server.dashboard.component import DashboardPart


async def open_dashboard(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    status: StatusReader,
    sessions: SessionManager,
    audit: AuditLog,
    authenticator: Authenticator | None,
    certificate: CertificateKeeper | None,
    store: KeyStore,
    lag: LoopLagLog,
    browse: GalaxyRepositoryService,
    commands: CommandGate,
    plan: WorkerPlan,
    alarms: AlarmComponent | None,
    actions: Mapping[str, Callable[[dict[str, Any]], Any]],
    in_force: Callable[[], Settings],
    origin: Callable[[str], str] = lambda _: "",
) -> DashboardPart | None:
    """The dashboard; None when the settings want none, or nothing listens where it would be.

    Args:
        stack: ends what is opened here, once nobody asks any more.
        in_force: the settings of now, where some may have been read again since.

    Raises:
        ConfigurationError: what it needs is not installed.
    """
    if not settings.dashboard.enabled or not any(settings.http_endpoints()):
        return None
    try:
        from mxgateway_server.dashboard.component import DashboardPart
        from mxgateway_server.dashboard.watching import WatchDesk
    except ModuleNotFoundError as error:
        if (error.name or "mxgateway").startswith("mxgateway"):
            raise
        raise ConfigurationError(
            f"dashboard.enabled needs {error.name}, which is not installed: {install_command('server')}, or set "
            "dashboard.enabled = false"
        ) from None
    pages = store.audit_pages()
    stack.push_async_callback(pages.close)
    timeout = settings.sessions.default_command_timeout_seconds
    wanted = OpenOptions(plan=plan, uses_default_plan=True, command_timeout=timeout)
    return await asyncio.to_thread(
        DashboardPart,
        settings,
        clock,
        status=status,
        sessions=sessions,
        audit=audit,
        authenticator=authenticator,
        certificate=certificate,
        store=store,
        audit_pages=pages,
        lag=lag,
        browse=browse,
        desk=WatchDesk(sessions, commands, clock, wanted),
        alarms=alarms,
        origin=origin,
        actions=actions,
        in_force=in_force,
    )
