"""The section of the settings for traces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mxgateway_server.config.conflict import Conflict
from mxgateway_server.config.sections import FilePath, Section

DEFAULT_PORT = 4317
_LOCAL = ("localhost", "127.0.0.1", "::1")


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not (is_url and parts.path in ("", "/") and "@" not in parts.netloc and not (parts.query or parts.fragment)):
        raise ValueError(
            "write the collector's address for OTLP over gRPC, such as http://localhost:4317; https:// for TLS"
        )
    return text.rstrip("/")


def collector_place(endpoint: str) -> tuple[str, int]:
    """Host and port of a collector's address."""
    parts = urlsplit(endpoint)
    return parts.hostname or "", parts.port or DEFAULT_PORT


class TelemetrySettings(Section):
    enabled: bool = False
    """Tells a collector of OpenTelemetry of calls and commands, as traces (extra `otel`). Off, nothing of it is
    loaded."""
    endpoint: Annotated[str, AfterValidator(_endpoint)] = f"http://localhost:{DEFAULT_PORT}"
    """Address of the collector, OTLP over gRPC; https:// for TLS."""
    ca_file: FilePath = ""
    """PEM certificates that the collector's certificate is checked against; empty for those that gRPC brings along."""
    service_name: str = Field(default="mxaccess-gateway", min_length=1, max_length=200)
    """Name of this gateway in the traces (`service.name`)."""
    call_ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of calls and streams that are traced, 0 to 1, where the caller's own trace (`traceparent`) does not decide
    it."""
    sample_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of the messages of traced command streams whose commands have spans, 0 to 1."""
    tags: bool = False
    """Names the tags that a command touches. Values and credentials are never told."""
    queue_spans: int = Field(default=2048, ge=1, le=100_000)
    """Spans that may wait for the collector; of more, the newest are dropped and counted."""
    timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    """How long the collector may take for one batch of spans. No call waits for it."""


def telemetry_conflicts(telemetry: TelemetrySettings) -> Iterator[Conflict]:
    """What does not go together, each with the remedy."""
    host, _ = collector_place(telemetry.endpoint)
    is_open = telemetry.endpoint.startswith("http:") and host not in _LOCAL
    if telemetry.enabled and telemetry.tags and is_open:
        yield Conflict(
            ("telemetry.tags", "telemetry.endpoint"),
            f"telemetry.tags = true would carry names of tags in clear to {host}; write https:// in "
            "telemetry.endpoint, use a collector on this machine, or leave telemetry.tags off",
        )
    if telemetry.ca_file and telemetry.endpoint.startswith("http:"):
        yield Conflict(
            ("telemetry.ca_file", "telemetry.endpoint"),
            "telemetry.ca_file does nothing while telemetry.endpoint is http://; write https://, or leave it out",
        )
