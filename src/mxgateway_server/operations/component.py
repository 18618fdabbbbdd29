"""The HTTP listener as the gateway begins it: nothing of HTTP is loaded before the settings ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mxgateway_contract.installing import install_command
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.health.watcher import HealthWatcher
from mxgateway_server.operations.metric_table import Reading
from mxgateway_server.status import StatusReader
from mxgateway_server.telemetry.lag_log import LoopLagLog

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from mxgateway_server.operations.server import OperationsServer


def open_operations(
    settings: Settings,
    *,
    health: HealthWatcher,
    status: StatusReader,
    lag: LoopLagLog,
    authenticator: Authenticator | None,
    certificate: CertificateKeeper | None,
    more: Sequence[BaseRoute] = (),
) -> OperationsServer | None:
    """The listener, not yet bound; None when the settings want none.

    Args:
        settings: the gateway's.
        health: who knows the verdict.
        status: takes the picture that metrics are made from.
        lag: how late the event loop runs.
        authenticator: who knows keys; None where nobody needs one.
        certificate: what endpoints with TLS present.
        more: routes of others, beside those for health and metrics.

    Raises:
        ConfigurationError: what HTTP needs is not installed.
    """
    endpoints = list(settings.http_endpoints())
    if not endpoints:
        return None
    try:
        from mxgateway_server.operations.app import health_routes, operations_app
        from mxgateway_server.operations.readers import MetricsReaders
        from mxgateway_server.operations.server import HttpEndpoint, OperationsServer
    except ModuleNotFoundError as error:
        if (error.name or "mxgateway").startswith("mxgateway"):
            raise
        raise ConfigurationError(
            f"operations.enabled needs {error.name}, which is not installed: {install_command('server')}, or set "
            "operations.enabled = false"
        ) from None
    basic = health_routes(health.status, health.is_alive)
    if settings.metrics.enabled:
        from mxgateway_server.operations.metrics import metrics_routes

        readers = MetricsReaders(authenticator, is_open=settings.metrics.access == "open")
        basic += metrics_routes(lambda: take_reading(status, lag, settings.worker.backend), readers.may_read)
    app, plain = operations_app([*basic, *more]), operations_app(basic)
    return OperationsServer(
        [
            HttpEndpoint(
                setting=setting,
                address=address,
                is_tls=is_tls,
                is_asked_for=is_asked_for(settings, setting),
                app=plain if setting == "metrics.listen_plaintext" else app,
            )
            for setting, address, is_tls in endpoints
        ],
        certificate,
    )


def is_asked_for(settings: Settings, name: str) -> bool:
    """Whether the operator named the address of this setting; a default is done without when another has it."""
    section, _, option = name.partition(".")
    return section == "metrics" or option in settings.operations.model_fields_set


def take_reading(status: StatusReader, lag: LoopLagLog, backend: str) -> Reading:
    """The numbers of this moment."""
    picture = status.take()
    assert picture.traffic is not None
    return Reading(status=picture, traffic=picture.traffic, counters=status.counters, lag=lag.recent, backend=backend)


def metrics_text(settings: Settings, status: StatusReader, lag: LoopLagLog) -> Callable[[], str] | None:
    """What makes the metrics as text, for the diagnostics bundle; None when they are off."""
    if not settings.metrics.enabled:
        return None

    def text() -> str:
        from mxgateway_server.operations.metrics import render

        return render(take_reading(status, lag, settings.worker.backend)).decode()

    return text
