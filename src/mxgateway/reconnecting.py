"""After which errors a subscription tries again, and when. Without I/O and clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from mxgateway.errors import (
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Container

FIRST_DELAY = 0.2
MAX_DELAY = 5.0
_MAX_DOUBLINGS = 10

_RETRIED = (MxGatewayConnectionError, MxGatewayTimeoutError)
_LOST = (MxGatewaySessionError, MxGatewayWorkerError)
# What proxies and a transport in trouble answer.
_TRANSIENT_CODES: Container[str] = ("INTERNAL", "UNKNOWN", "ABORTED", "DATA_LOSS")


def says_session_lost(error: MxGatewayError) -> bool:
    """Whether only another session can go on."""
    return isinstance(error, _LOST)


def is_transient(error: MxGatewayError) -> bool:
    """Whether the same session may be there again later."""
    if isinstance(error, MxGatewayResourceError):
        return error.retryable
    if isinstance(error, _RETRIED):
        return True
    status = error.protocol_status
    # Nobody here cancels a command: the gateway did, because it stops.
    if status is not None and status.code == pb.PROTOCOL_STATUS_CODE_CANCELED:
        return True
    return error.grpc_code is not None and error.grpc_code.name in _TRANSIENT_CODES


class Backoff:
    """The waits between attempts: none before the first, then doubled up to MAX_DELAY, with jitter."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._attempts = 0

    def delay(self, error: MxGatewayError) -> float:
        """Seconds to wait before the next attempt; at least what the gateway asks for."""
        attempt, self._attempts = self._attempts, self._attempts + 1
        longest = min(FIRST_DELAY * 2 ** min(attempt, _MAX_DOUBLINGS), MAX_DELAY) if attempt else 0.0
        return max(longest * (0.5 + self._jitter() / 2), error.retry_after or 0.0)

    def reset(self) -> None:
        """The connection has proved itself: the next attempt is a first one again."""
        self._attempts = 0
