"""The root of the tree, and what is wrong with settings and requests."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

GrpcStatus: TypeAlias = Literal[
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
]
"""Names of the gRPC status codes that the gateway uses."""


class GatewayError(Exception):
    """Anything the gateway refuses or cannot do.

    Attributes:
        grpc_status: name of the gRPC code that ends a call with this error.
        protocol_code: what InvokeStream and replies carry; UNSPECIFIED for what is never the answer to a command.
        reason: stable upper-case word for programs (`google.rpc.ErrorInfo.reason`).
        retry_after: seconds after which a repetition may succeed; None when it will not by itself.
    """

    grpc_status: ClassVar[GrpcStatus] = "INTERNAL"
    protocol_code: ClassVar[pb.ProtocolStatusCode.ValueType] = pb.PROTOCOL_STATUS_CODE_UNSPECIFIED
    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ConfigurationError(GatewayError):
    """A setting is wrong; the text names it and the remedy."""

    reason = "CONFIGURATION"


class InvalidRequestError(GatewayError):
    """The request is malformed; repeating it cannot help."""

    grpc_status = "INVALID_ARGUMENT"
    protocol_code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
    reason = "INVALID_REQUEST"


class UnknownMethodError(GatewayError):
    """This gateway does not have the method."""

    grpc_status = "UNIMPLEMENTED"
    reason = "UNKNOWN_METHOD"
