"""Errors by class, values both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mxgateway import (
    MxAccessError,
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayCommandError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayProtocolError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTransportError,
    MxGatewayWorkerError,
    from_mx_value,
    to_mx_value,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

VALUES: list[pb.MxValue] = [
    to_mx_value(True),
    to_mx_value(1),
    to_mx_value(1.5, data_type="float"),
    to_mx_value("text"),
    to_mx_value(datetime(2026, 1, 2, tzinfo=UTC)),
    to_mx_value(timedelta(seconds=2)),
    to_mx_value(b"\x01\x02"),
    to_mx_value([1, 2, 3], data_type="int32[]"),
    to_mx_value([["a", "b"], ["c", "d"]]),
    to_mx_value(None),
]


def number(value: pb.MxValue) -> float:
    plain = from_mx_value(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise TypeError(f"{plain!r} is no number")
    return plain


def remedy(error: MxGatewayError) -> str:
    match error:
        case MxGatewayConnectionError() | MxGatewayResourceError():
            return f"again in {error.retry_after or 1.0:g} s"
        case MxGatewayAuthenticationError() | MxGatewayAuthorizationError():
            return f"look at the key ({error.reason})"
        case MxAccessError(hresult=hresult, statuses=statuses):
            return f"{hresult}: {', '.join(status.diagnostic_text for status in statuses)}"
        case MxGatewayCommandError():
            return error.protocol_status.message if error.protocol_status else str(error)
        case MxGatewaySessionError() | MxGatewayWorkerError() | MxGatewayProtocolError():
            return f"a new session ({error.correlation_id})"
        case MxGatewayTransportError():
            return str(error.grpc_code)
        case _:
            return str(error)
