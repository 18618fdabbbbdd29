"""Traces as the gateway begins them: nothing of OpenTelemetry is loaded before the settings ask for it."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

from mxgateway_contract.installing import install_command
from mxgateway_server import __version__
from mxgateway_server.config.telemetry_section import TelemetrySettings, collector_place
from mxgateway_server.counters import Tally
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.telemetry.tracing import Tracing

_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.grpc")
_LOOK_SECONDS = 3.0


def open_tracing(settings: TelemetrySettings, counts: Tally, stack: AsyncExitStack) -> Tracing | None:
    """What makes spans; None when the settings want none. It asks the collector for nothing.

    Args:
        counts: where spans are counted.
        stack: ends what is opened here.

    Raises:
        ConfigurationError: what it needs is not installed, or the file of certificates cannot be read.
    """
    if not settings.enabled:
        return None
    roots = require_tracing(settings)
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    from mxgateway_server.telemetry.spans import SpanOptions, Spans

    credentials = grpc.ssl_channel_credentials(roots) if settings.endpoint.startswith("https:") else None
    exporter = OTLPSpanExporter(
        endpoint=settings.endpoint,
        insecure=credentials is None,
        credentials=credentials,
        timeout=settings.timeout_seconds,
    )
    options = SpanOptions(
        sample_ratio=settings.sample_ratio,
        call_ratio=settings.call_ratio,
        tags=settings.tags,
        most=settings.queue_spans,
    )
    resource = {"service.name": settings.service_name, "service.version": __version__}
    spans = Spans(exporter, options, resource, counts)
    stack.push_async_callback(spans.close)
    return spans


def require_tracing(settings: TelemetrySettings) -> bytes | None:
    """The certificates that the collector's is checked against; None for gRPC's own.

    Raises:
        ConfigurationError: see `open_tracing`.
    """
    missing = missing_package() if settings.enabled else ""
    if missing:
        raise ConfigurationError(
            f"telemetry.enabled needs {missing}, which is not installed: {install_command('otel')}, or set "
            "telemetry.enabled = false"
        )
    return _roots(settings.ca_file)


def missing_package() -> str:
    """The package of the extra `otel` that is not installed; empty when all are. It loads none of them."""
    for name in _NEEDED:
        try:
            is_there = find_spec(name) is not None
        except ModuleNotFoundError:
            is_there = False
        if not is_there:
            return name
    return ""


def why_no_collector(settings: TelemetrySettings) -> str:
    """Why traces would reach nobody, for `mxgateway doctor`; empty when something listens at the collector's address.

    It blocks for up to some seconds.
    """
    try:
        with socket.create_connection(collector_place(settings.endpoint), _LOOK_SECONDS):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _roots(ca_file: str) -> bytes | None:
    if not ca_file:
        return None
    path = Path(ca_file).expanduser()
    try:
        found = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"telemetry.ca_file: {path} cannot be read ({error.strerror or error}); write certificates there as PEM, "
            "or leave the setting out"
        ) from None
    if b"-----BEGIN CERTIFICATE-----" not in found:
        raise ConfigurationError(f"telemetry.ca_file: {path} holds no certificates; write them as PEM")
    return found
