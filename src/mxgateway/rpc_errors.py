"""gRPC failures as errors of this library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import grpc

from mxgateway.errors import (
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayCommandError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayNotFoundError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
)
from mxgateway.reasons import class_of
from mxgateway_contract.redaction import redact

_DETAILS_KEY = "grpc-status-details-bin"

_BY_CODE: dict[grpc.StatusCode, type[MxGatewayError]] = {
    grpc.StatusCode.UNAUTHENTICATED: MxGatewayAuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: MxGatewayAuthorizationError,
    grpc.StatusCode.DEADLINE_EXCEEDED: MxGatewayTimeoutError,
    grpc.StatusCode.UNAVAILABLE: MxGatewayConnectionError,
    # A caller who cancels gets CancelledError, so this is the gateway's doing: it stops, and its patience is over.
    grpc.StatusCode.CANCELLED: MxGatewayConnectionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: MxGatewayResourceError,
}

# What grpc.aio says when a message is to be sent over a connection that has just gone.
_CONNECTION_GONE = "Internal error from Core"

# Codes that mean different things in the gateway service and in the Galaxy service.
_OF_SESSIONS: dict[grpc.StatusCode, type[MxGatewayError]] = {
    grpc.StatusCode.NOT_FOUND: MxGatewaySessionError,
    grpc.StatusCode.FAILED_PRECONDITION: MxGatewaySessionError,
    grpc.StatusCode.INVALID_ARGUMENT: MxGatewayCommandError,
}
_OF_GALAXY: dict[grpc.StatusCode, type[MxGatewayError]] = {grpc.StatusCode.NOT_FOUND: MxGatewayNotFoundError}

# What gRPC says on either side of the line.
_TOO_LARGE = "larger than max"


class _Hint(NamedTuple):
    """What a text of gRPC's means: a machine-readable reason where the gateway sent none, and what to do."""

    sign: str
    reason: str
    remedy: str


_HINTS = (
    _Hint(
        "certificate has expired",
        "CERTIFICATE_EXPIRED",
        "the gateway's certificate has ended, or this machine's clock is wrong: compare the date here and on the "
        "gateway's machine; there, mxgateway cert show tells the end",
    ),
    _Hint(
        "certificate is not yet valid",
        "CERTIFICATE_NOT_YET_VALID",
        "this machine's clock is behind, or the gateway's was ahead when it made its certificate: compare the date "
        "here and on the gateway's machine",
    ),
    _Hint(
        "CERTIFICATE_VERIFY_FAILED",
        "CERTIFICATE_NOT_TRUSTED",
        "ca_file (--ca-file) has to be the authority that signed this gateway's certificate: its own gateway-ca.pem, "
        "which mxgateway cert show names, or your company's",
    ),
    _Hint(
        "CERTIFICATE_REQUIRED",
        "CLIENT_CERTIFICATE_REQUIRED",
        "this gateway wants a client certificate: client_certificate_file and client_key_file (--client-cert, "
        "--client-key), signed by an authority that it knows",
    ),
    _Hint(
        "WRONG_VERSION_NUMBER",
        "NOT_TLS",
        "the port does not speak TLS; ask for plaintext by name (plaintext=True, --plaintext)",
    ),
    _Hint(
        _TOO_LARGE,
        "MESSAGE_TOO_LARGE",
        "the limit of a message: ask for less at once, or raise max_message_bytes here and in the gateway",
    ),
    _Hint(
        "Connection refused",
        "CONNECTION_REFUSED",
        "nothing listens there; is the gateway running, and is this its port?",
    ),
    _Hint(
        "Hostname Verification",
        "CERTIFICATE_FOR_ANOTHER_NAME",
        "the certificate is for another name; use that name or server_name_override",
    ),
    _Hint(
        "Peer name",
        "CERTIFICATE_FOR_ANOTHER_NAME",
        "the certificate is for another name; use that name or server_name_override",
    ),
)
_MAYBE_TLS = _Hint(
    "Socket closed",
    "TLS_EXPECTED",
    "the port may speak TLS: leave out plaintext (--plaintext) and give ca_file (--ca-file)",
)
# By TLS 1.3 a client learns only by the end of the connection that its certificate was missed, or not liked.
_MAYBE_CERTIFICATE = _Hint(
    "Socket closed",
    "CLIENT_CERTIFICATE_EXPECTED",
    "the port may want a client certificate, or not know the authority of the one that was shown: "
    "client_certificate_file and client_key_file (--client-cert, --client-key)",
)


_NO_KEY = "no key was sent; give api_key (--api-key-env, or mxgw-py login)"
_KEY_REFUSED = "a key was sent, but this gateway does not know it, or it was revoked or is not valid now"


def map_rpc_error(
    error: grpc.RpcError,
    what: str,
    *,
    sessions: bool = True,
    correlation_id: str = "",
    secrets: Iterable[str | None] = (),
    without_tls: bool = False,
) -> MxGatewayError:
    """The error of this library for a failed gRPC call.

    Args:
        error: what gRPC raised.
        what: the call, for the text.
        sessions: whether NOT_FOUND and FAILED_PRECONDITION speak of a session (gateway service) or not (Galaxy).
        correlation_id: id that the call was sent with.
        secrets: texts to keep out of the message.
        without_tls: whether the connection was tried in plaintext.
    """
    code = _attribute(error, "code") or grpc.StatusCode.UNKNOWN
    details = redact(str(_attribute(error, "details") or ""), *secrets)
    reason, retry_after = _rich_details(_attribute(error, "trailing_metadata") or ())
    kind = _kind(code, reason, sessions)
    if code is grpc.StatusCode.INTERNAL and details.startswith(_CONNECTION_GONE):
        kind = MxGatewayConnectionError
    hint = _hint(details, without_tls)
    text = f"{what}: {code.name}" + (f" ({hint.remedy})" if hint else "") + (f": {details}" if details else "")
    if code is grpc.StatusCode.UNAUTHENTICATED:
        text += f" ({_KEY_REFUSED if any(secrets) else _NO_KEY})"
    # Too large once is too large always.
    retryable = False if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details else None
    return kind(
        text,
        correlation_id=correlation_id,
        grpc_code=code,
        retryable=retryable,
        retry_after=retry_after,
        reason=reason or (hint.reason if hint else ""),
    )


def _kind(code: grpc.StatusCode, reason: str, sessions: bool) -> type[MxGatewayError]:
    by_service = _OF_SESSIONS if sessions else _OF_GALAXY
    return class_of(reason) or _BY_CODE.get(code) or by_service.get(code) or MxGatewayTransportError


def _hint(details: str, without_tls: bool) -> _Hint | None:
    """What is known about a failure that did not come from the gateway's own code."""
    hints = (*_HINTS, _MAYBE_TLS) if without_tls else _HINTS
    found = next((hint for hint in hints if hint.sign.lower() in details.lower()), None)
    if found is None and "failed to connect" in details and _MAYBE_CERTIFICATE.sign in details:
        return _MAYBE_CERTIFICATE
    return found


def _attribute(error: grpc.RpcError, name: str) -> Any:
    # The synchronous and the asyncio errors offer methods; errors that tests raise may offer nothing.
    member = getattr(error, name, None)
    return member() if callable(member) else member


def _rich_details(metadata: Iterable[Any]) -> tuple[str, float | None]:
    """Reason (ErrorInfo) and wait (RetryInfo) from google.rpc.Status in the trailers; nothing without that package."""
    blob = next((value for key, value in metadata if key == _DETAILS_KEY), None)
    if not isinstance(blob, bytes):
        return "", None
    try:
        from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
    except ImportError:
        return "", None
    from google.protobuf.message import DecodeError

    status = status_pb2.Status()
    reason, retry_after = "", None
    try:
        status.ParseFromString(blob)
        for detail in status.details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(retry):
                retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    except DecodeError:
        return "", None
    return reason, retry_after
