"""What a reply says: success, a failure of the gateway, or a failure of MXAccess."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import Message

from mxgateway.errors import (
    MxAccessError,
    MxGatewayAuthorizationError,
    MxGatewayCommandError,
    MxGatewayError,
    MxGatewayProtocolError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
)
from mxgateway.quality import is_status_failure
from mxgateway.reasons import class_of
from mxgateway_contract import constants, hresults
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import DETAIL_WORDS

PayloadT = TypeVar("PayloadT", bound=Message)

_Code = pb.ProtocolStatusCode

ERROR_OF_STATUS: dict[int, type[MxGatewayError]] = {
    pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST: MxGatewayCommandError,
    pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND: MxGatewaySessionError,
    pb.PROTOCOL_STATUS_CODE_SESSION_NOT_READY: MxGatewaySessionError,
    pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE: MxGatewayWorkerError,
    pb.PROTOCOL_STATUS_CODE_TIMEOUT: MxGatewayTimeoutError,
    pb.PROTOCOL_STATUS_CODE_CANCELED: MxGatewayCommandError,
    pb.PROTOCOL_STATUS_CODE_PROTOCOL_VIOLATION: MxGatewayWorkerError,
    pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED: MxGatewayAuthorizationError,
    pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED: MxGatewayResourceError,
}
"""Class of the error for each protocol status that is a failure of the gateway and not of MXAccess, where the reason
(see `mxgateway.reasons`) does not name one."""


_GATEWAY_DID_IT = frozenset((pb.PROTOCOL_STATUS_CODE_OK, pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE))


def status_text(status: pb.MxStatusProxy) -> str:
    """One MXSTATUS_PROXY in words: category, detail number, and what the number means (`diagnostic_text` first)."""
    category = pb.MxStatusCategory.Name(status.category) if status.category in pb.MxStatusCategory.values() else "?"
    text = f"{category.removeprefix('MX_STATUS_CATEGORY_')} detail {status.detail}"
    meaning = status.diagnostic_text or DETAIL_WORDS.get(status.detail)
    return f"{text} ({meaning})" if meaning else text


_NO_USER = "the server handle holds no authenticated user; call authenticate_user with it first"
_MEANINGS = {
    ("AuthenticateUser", hresults.E_INVALIDARG): (
        "the user's name or password is wrong, or this Galaxy has no such user"
    ),
    ("WriteSecured", hresults.E_SECURED_WRITE_REFUSED): _NO_USER,
    ("WriteSecured2", hresults.E_SECURED_WRITE_REFUSED): _NO_USER,
}
"""What an HRESULT of a method means to its caller, where the number alone does not say it."""


def check_protocol(reply: Any, what: str, correlation_id: str = "") -> None:
    """Raises when the gateway says that it could not do what was asked. A failure of MXAccess passes.

    Raises:
        MxGatewayError: the class that the reason or ERROR_OF_STATUS gives; MxGatewayProtocolError when the reply has no
            status.
    """
    status: pb.ProtocolStatus = reply.protocol_status
    if status.code in _GATEWAY_DID_IT:
        return
    error = class_of(status.reason) or ERROR_OF_STATUS.get(status.code)
    if error is None:
        raise MxGatewayProtocolError(
            f"{what}: the reply has no usable protocol status (code {status.code})",
            raw_reply=reply,
            protocol_status=status,
            correlation_id=correlation_id,
        )
    name = _Code.Name(status.code) if status.code in _Code.values() else f"status {status.code}"
    extra: dict[str, Any] = {"reason": status.reason}
    if status.HasField("retry_after"):
        extra["retry_after"] = status.retry_after.seconds + status.retry_after.nanos / 1e9
    if issubclass(error, MxGatewayCommandError) and isinstance(reply, pb.MxCommandReply):
        extra |= {"hresult": reply.hresult if reply.HasField("hresult") else None, "statuses": reply.statuses}
    raise error(
        f"{what}: {status.message or name.removeprefix('PROTOCOL_STATUS_CODE_').lower().replace('_', ' ')}",
        raw_reply=reply,
        protocol_status=status,
        correlation_id=correlation_id,
        **extra,
    )


def check_mxaccess(reply: pb.MxCommandReply, what: str) -> None:
    """Raises when MXAccess failed: by protocol status, by a negative HRESULT, or by a failed status entry.

    Raises:
        MxAccessError: with the HRESULT, the statuses and the whole reply.
    """
    hresult = reply.hresult if reply.HasField("hresult") else None
    statuses = reply.statuses
    failed = [status for status in statuses if is_status_failure(status)] if statuses else []
    by_status = reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
    if not by_status and not failed and (hresult is None or hresult >= 0):
        return
    parts = [f"{what} failed in MXAccess"]
    if hresult is not None and hresult != 0:
        parts.append(f"HRESULT {hresults.text(hresult)}")
    parts.extend(status_text(status) for status in failed)
    text = reply.diagnostic_message or reply.protocol_status.message
    if hresult is not None:
        # COM alone gives a number; what it means here is known.
        text = _MEANINGS.get((what, hresult), "" if text == hresults.text(hresult) else text)
    raise MxAccessError(
        ", ".join(parts) + (f": {text}" if text else ""),
        raw_reply=reply,
        hresult=hresult,
        statuses=reply.statuses,
        protocol_status=reply.protocol_status,
        correlation_id=reply.correlation_id,
    )


def payload(reply: pb.MxCommandReply, arm: str, kind: type[PayloadT]) -> PayloadT:
    """The payload that a successful reply has to carry.

    Raises:
        MxGatewayProtocolError: it is not there. A missing payload never becomes a handle 0 or an empty list.
    """
    if reply.WhichOneof("payload") != arm:
        raise MxGatewayProtocolError(
            f"the reply carries no {arm} payload ({kind.__name__}) although the command succeeded",
            raw_reply=reply,
            protocol_status=reply.protocol_status,
            correlation_id=reply.correlation_id,
        )
    found: PayloadT = getattr(reply, arm)
    return found


def check_versions(reply: pb.OpenSessionReply) -> None:
    """Raises when gateway and client do not speak the same contract.

    A gateway that names the oldest client it serves takes all from that one up to its own version; one that does not,
    only its own.

    Raises:
        MxGatewayProtocolError: the versions do not fit.
    """
    own, newest = constants.GATEWAY_PROTOCOL_VERSION, reply.gateway_protocol_version
    oldest = reply.minimum_client_protocol_version or newest
    if not oldest <= own <= newest:
        spoken = str(newest) if oldest == newest else f"{newest} and serves clients from {oldest} on"
        raise MxGatewayProtocolError(
            f"the gateway speaks protocol version {spoken}, this client {own}; install the client version that belongs "
            "to the gateway",
            raw_reply=reply,
            protocol_status=reply.protocol_status,
        )
