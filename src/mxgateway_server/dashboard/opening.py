"""The dashboard as the gateway begins it: nothing of it is loaded before the settings ask for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mxgateway_contract.installing import install_command
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.status import StatusReader

if TYPE_CHECKING:
    from mxgateway_server.dashboard.component import DashboardPart


async def open_dashboard(
    settings: Settings,
    clock: Clock,
    *,
    status: StatusReader,
    sessions: SessionManager,
    audit: AuditLog,
    authenticator: Authenticator | None,
    certificate: CertificateKeeper | None,
) -> DashboardPart | None:
    """The dashboard; None when the settings want none, or nothing listens where it would be.

    Raises:
        ConfigurationError: what it needs is not installed.
    """
    if not settings.dashboard.enabled or not any(settings.http_endpoints()):
        return None
    try:
        from mxgateway_server.dashboard.component import DashboardPart
    except ModuleNotFoundError as error:
        if (error.name or "mxgateway").startswith("mxgateway"):
            raise
        raise ConfigurationError(
            f"dashboard.enabled needs {error.name}, which is not installed: {install_command('server')}, or set "
            "dashboard.enabled = false"
        ) from None
    return await asyncio.to_thread(
        DashboardPart,
        settings,
        clock,
        status=status,
        sessions=sessions,
        audit=audit,
        authenticator=authenticator,
        certificate=certificate,
    )
