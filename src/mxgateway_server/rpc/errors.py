"""The gateway's errors as gRPC statuses: code, text, and google.rpc details for programs."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]
from grpc_status import rpc_status

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.redaction import redact
from mxgateway_server import errors

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

DOMAIN = "mxaccess-gateway"


def status_code(error: errors.GatewayError) -> grpc.StatusCode:
    """The gRPC code that the error's class names."""
    return grpc.StatusCode[error.grpc_status]


def to_status(error: errors.GatewayError, correlation_id: str = "") -> status_pb2.Status:
    """The error as google.rpc.Status with ErrorInfo and, when a repetition may help, RetryInfo."""
    number: int = status_code(error).value[0]
    status = status_pb2.Status(code=number, message=redact(str(error)))
    info = ErrorInfo(reason=error.reason, domain=DOMAIN)
    if correlation_id:
        info.metadata["correlation_id"] = correlation_id
    for name in ("worker_pid", "exit_code", "hresult", "cause", "epoch", "sequence", "oldest", "count"):
        value = getattr(error, name, None)
        if value:
            info.metadata[name] = str(value)
    details = AnyMessage()
    details.Pack(info)
    status.details.append(details)
    if error.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after * 1e9))
        packed = AnyMessage()
        packed.Pack(retry)
        status.details.append(packed)
    return status


def to_protocol_status(error: errors.GatewayError) -> pb.ProtocolStatus:
    """The error within a reply, with the reason and the wait that a failed call has in its google.rpc details."""
    status = pb.ProtocolStatus(code=error.protocol_code, message=redact(str(error)), reason=error.reason)
    if error.retry_after is not None:
        status.retry_after.FromNanoseconds(int(error.retry_after * 1e9))
    return status


CORRELATION_KEY = "x-correlation-id"


async def abort(context: Context, error: errors.GatewayError, correlation_id: str = "") -> NoReturn:
    """Ends the call with the error."""
    status = rpc_status.to_status(to_status(error, correlation_id))
    trailing = tuple(status.trailing_metadata or ())
    if correlation_id:
        trailing = (*trailing, (CORRELATION_KEY, correlation_id))
    await context.abort(status.code, status.details, trailing)
    raise AssertionError("abort returned")
