"""The gateway's errors as gRPC statuses: code, text, and google.rpc details for programs."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]
from grpc_status import rpc_status

from mxgateway_server import errors
from mxgateway_server.logs import redact

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

DOMAIN = "mxaccess-gateway"

_CODES: dict[type[errors.GatewayError], grpc.StatusCode] = {
    errors.InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.SequenceUnknownError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.AuthenticationError: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    errors.SessionNotFoundError: grpc.StatusCode.NOT_FOUND,
    errors.SessionNotReadyError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.SessionLimitError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.SubscriberLimitError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.EventQueueOverflowError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.PendingLimitError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.CommandTimeoutError: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.CommandCanceledError: grpc.StatusCode.CANCELLED,
    errors.WorkerShutdownTimeoutError: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.WorkerError: grpc.StatusCode.UNAVAILABLE,
    errors.GatewayStoppingError: grpc.StatusCode.UNAVAILABLE,
    errors.NoAlarmProviderError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.StoreError: grpc.StatusCode.UNAVAILABLE,
    errors.GatewayError: grpc.StatusCode.INTERNAL,
}


def status_code(error: errors.GatewayError) -> grpc.StatusCode:
    """The gRPC code of an error, by its nearest listed class."""
    for kind in type(error).__mro__:
        code = _CODES.get(kind)
        if code is not None:
            return code
    return grpc.StatusCode.INTERNAL


def to_status(error: errors.GatewayError, correlation_id: str = "") -> status_pb2.Status:
    """The error as google.rpc.Status with ErrorInfo and, when a repetition may help, RetryInfo."""
    number: int = status_code(error).value[0]
    status = status_pb2.Status(code=number, message=redact(str(error)))
    info = ErrorInfo(reason=error.reason, domain=DOMAIN)
    if correlation_id:
        info.metadata["correlation_id"] = correlation_id
    for name in ("worker_pid", "exit_code", "hresult"):
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


CORRELATION_KEY = "x-correlation-id"


async def abort(context: Context, error: errors.GatewayError, correlation_id: str = "") -> NoReturn:
    """Ends the call with the error."""
    status = rpc_status.to_status(to_status(error, correlation_id))
    trailing = tuple(status.trailing_metadata or ())
    if correlation_id:
        trailing = (*trailing, (CORRELATION_KEY, correlation_id))
    await context.abort(status.code, status.details, trailing)
    raise AssertionError("abort returned")
