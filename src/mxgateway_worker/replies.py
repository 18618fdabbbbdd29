"""Replies to commands."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


def refusal(
    session_id: str, correlation_id: str, kind: int, code: int, message: str, diagnostic: str = ""
) -> pb.MxCommandReply:
    """The reply to a command that MXAccess never saw."""
    return pb.MxCommandReply(
        session_id=session_id,
        correlation_id=correlation_id,
        kind=pb.MxCommandKind.ValueType(kind),
        protocol_status=pb.ProtocolStatus(code=pb.ProtocolStatusCode.ValueType(code), message=message),
        diagnostic_message=diagnostic,
    )
