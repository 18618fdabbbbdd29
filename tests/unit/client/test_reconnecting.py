"""Which errors a subscription outlives, and how long it waits."""

from __future__ import annotations

import grpc
import pytest

from mxgateway import (
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayCommandError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayProtocolError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayWorkerError,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.reconnecting import MAX_DELAY, Backoff, is_transient, says_session_lost

CANCELED = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_CANCELED)
INVALID = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST)


@pytest.mark.parametrize(
    ("error", "transient", "lost"),
    [
        (MxGatewayConnectionError("x"), True, False),
        (MxGatewayTimeoutError("x"), True, False),
        (MxGatewayResourceError("x"), True, False),
        (MxGatewayTransportError("proxy", grpc_code=grpc.StatusCode.INTERNAL), True, False),
        (MxGatewayTransportError("proxy", grpc_code=grpc.StatusCode.UNKNOWN), True, False),
        (MxGatewayTransportError("no such call", grpc_code=grpc.StatusCode.UNIMPLEMENTED), False, False),
        (MxGatewayTransportError("the client was closed"), False, False),
        (MxGatewayCommandError("the gateway stops", protocol_status=CANCELED), True, False),
        (MxGatewayCommandError("wrong", protocol_status=INVALID), False, False),
        (MxGatewayAuthenticationError("x", grpc_code=grpc.StatusCode.UNAUTHENTICATED), False, False),
        (MxGatewayAuthorizationError("x", grpc_code=grpc.StatusCode.PERMISSION_DENIED), False, False),
        (MxGatewayProtocolError("x"), False, False),
        (MxGatewaySessionError("x"), False, True),
        (MxGatewayWorkerError("x"), False, True),
    ],
)
def test_what_an_error_means(error: MxGatewayError, transient: bool, lost: bool) -> None:
    """A key that is refused and a contract that does not fit are not outlived; a lost session needs another one."""
    assert (is_transient(error), says_session_lost(error)) == (transient, lost)


def test_waits_grow_to_a_bound_and_begin_anew() -> None:
    """None at first, then doubled, never longer than the bound; what the gateway asks for counts."""
    backoff = Backoff(jitter=lambda: 1.0)
    error = MxGatewayConnectionError("x")
    waits = [backoff.delay(error) for _ in range(30)]
    assert waits[:6] == [0.0, 0.4, 0.8, 1.6, 3.2, MAX_DELAY]
    assert set(waits[6:]) == {MAX_DELAY}
    assert backoff.delay(MxGatewayResourceError("x", retry_after=60.0)) == 60.0
    backoff.reset()
    assert (backoff.delay(error), backoff.delay(error)) == (0.0, 0.4)
