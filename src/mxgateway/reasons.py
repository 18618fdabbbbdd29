"""The gateway's word for a cause, and the class of the error that it makes: of failed calls and of replies alike."""

from __future__ import annotations

from mxgateway.errors import (
    MxGatewayCommandError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayNotFoundError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
)

BY_REASON: dict[str, type[MxGatewayError]] = {
    "SESSION_NOT_FOUND": MxGatewaySessionError,
    "SESSION_NOT_READY": MxGatewaySessionError,
    "SESSION_FAULTED": MxGatewaySessionError,
    "SESSION_CLOSED": MxGatewaySessionError,
    "NO_ALARM_PROVIDER": MxGatewayCommandError,
    "ALARM_COUNT": MxGatewayCommandError,
    "COMMAND_TIMEOUT": MxGatewayTimeoutError,
    "COMMAND_CANCELED": MxGatewayCommandError,
    "GALAXY_NOT_FOUND": MxGatewayNotFoundError,
    "GATEWAY_STOPPING": MxGatewayConnectionError,
}
"""Reasons that tell apart what shares one status code."""

WORKER_REASONS = "WORKER_"
"""How every reason begins that speaks of a worker."""


def class_of(reason: str) -> type[MxGatewayError] | None:
    """The class that a reason names; None when it leaves the choice to the status code."""
    return MxGatewayWorkerError if reason.startswith(WORKER_REASONS) else BY_REASON.get(reason)
