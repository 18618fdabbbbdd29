"""Replies to commands."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

FRAME_ROOM = 4096
"""Bytes of a frame that are for what surrounds its reply or its event."""


def too_long(size: int, limit: int, *, at_least: bool = False) -> str:
    """What the caller is told of a reply of more bytes than it may have."""
    return (
        f"the reply has {'at least ' if at_least else ''}{size} bytes and may have {limit}: ask for less at once, or "
        "raise worker.max_message_bytes and protocol.max_grpc_message_bytes"
    )


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
