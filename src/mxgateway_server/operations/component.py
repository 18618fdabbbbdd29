"""The HTTP listener as the gateway begins it: nothing of HTTP is loaded before the settings ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mxgateway_contract.installing import install_command
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.health.watcher import HealthWatcher

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from mxgateway_server.operations.server import OperationsServer


def open_operations(
    settings: Settings,
    *,
    health: HealthWatcher,
    certificate: CertificateKeeper | None,
    more: Sequence[BaseRoute] = (),
) -> OperationsServer | None:
    """The listener, not yet bound; None when the settings want none.

    Args:
        settings: the gateway's.
        health: who knows the verdict.
        certificate: what endpoints with TLS present.
        more: routes of others, beside those for health.

    Raises:
        ConfigurationError: what HTTP needs is not installed.
    """
    endpoints = list(settings.http_endpoints())
    if not endpoints:
        return None
    try:
        from mxgateway_server.operations.app import health_routes, operations_app
        from mxgateway_server.operations.server import HttpEndpoint, OperationsServer
    except ModuleNotFoundError as error:
        if (error.name or "mxgateway").startswith("mxgateway"):
            raise
        raise ConfigurationError(
            f"operations.enabled needs {error.name}, which is not installed: {install_command('server')}, or set "
            "operations.enabled = false"
        ) from None
    app = operations_app([*health_routes(health.status, health.is_alive), *more])
    asked_for = settings.operations.model_fields_set
    return OperationsServer(
        [
            HttpEndpoint(
                setting=setting,
                address=address,
                is_tls=is_tls,
                is_asked_for=setting.rpartition(".")[2] in asked_for,
                app=app,
            )
            for setting, address, is_tls in endpoints
        ],
        certificate,
    )
