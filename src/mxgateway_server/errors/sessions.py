"""Sessions, their events and commands, and the limits of calls and connections."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors.base import GatewayError


class SessionError(GatewayError):
    """Something about a session."""


class SessionNotFoundError(SessionError):
    """There is no such session, or not any more.

    Attributes:
        cause: why it was closed, such as `lease-expired`, or the reason of what it failed with; empty when not known.
    """

    grpc_status = "NOT_FOUND"
    protocol_code = pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND
    reason = "SESSION_NOT_FOUND"

    def __init__(self, message: str, *, cause: str = "") -> None:
        self.cause = cause
        super().__init__(message)


class SessionNotReadyError(SessionError):
    """The session is in a state that takes no commands or streams."""

    grpc_status = "FAILED_PRECONDITION"
    protocol_code = pb.PROTOCOL_STATUS_CODE_SESSION_NOT_READY
    reason = "SESSION_NOT_READY"


class SessionFaultedError(SessionNotReadyError):
    """The session has failed; only closing is left.

    Attributes:
        cause: the reason of what it failed with, such as `EVENT_QUEUE_OVERFLOW`; the text has it, too.
    """

    reason = "SESSION_FAULTED"

    def __init__(self, fault: GatewayError) -> None:
        self.cause = fault.reason
        super().__init__(f"the session has failed ({fault.reason}: {fault}); close it and open another")


class SessionClosedError(SessionError):
    """The session was closed while this command was under way."""

    grpc_status = "UNAVAILABLE"
    protocol_code = pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
    reason = "SESSION_CLOSED"


class SessionLimitError(SessionError):
    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "SESSION_LIMIT"


class SessionStartBusyError(SessionError):
    """So many sessions open at once that this one would not open before its caller gives up."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "SESSION_START_BUSY"


class SubscriberLimitError(SessionError):
    """The session has as many event streams as it may have."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "EVENT_SUBSCRIBER_ALREADY_ACTIVE"


class EventError(GatewayError):
    """Something about a stream of events."""


class EventQueueOverflowError(EventError):
    """A stream did not take its events fast enough and its policy does not allow a loss."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "EVENT_QUEUE_OVERFLOW"


class SequenceUnknownError(EventError):
    """after_worker_sequence lies beyond the session's last event."""

    grpc_status = "INVALID_ARGUMENT"
    protocol_code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
    reason = "SEQUENCE_UNKNOWN"


class CommandError(GatewayError):
    """Something about one command."""


class CommandTimeoutError(CommandError):
    """No reply in time. The call may still be running in the worker; the session stays usable."""

    grpc_status = "DEADLINE_EXCEEDED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_TIMEOUT
    reason = "COMMAND_TIMEOUT"


class CommandCanceledError(CommandError):
    grpc_status = "CANCELLED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_CANCELED
    reason = "COMMAND_CANCELED"


class PendingLimitError(CommandError):
    """The session has as many commands under way as it may have."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "PENDING_COMMAND_LIMIT"


class MessageLimitError(CommandError):
    """A command or its reply is longer than a message may be; the text names the limit."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "MESSAGE_LIMIT"


class AuditUnavailableError(CommandError):
    """The write could not be recorded, so it was not begun."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "AUDIT_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(
            "the gateway cannot record writes now, and writes nothing that it cannot record; its log says why "
            "(setting authentication.when_audit_fails)",
            retry_after=5.0,
        )


class GatewayStoppingError(GatewayError):
    """The gateway is going down and takes nothing new."""

    grpc_status = "UNAVAILABLE"
    protocol_code = pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
    reason = "GATEWAY_STOPPING"

    def __init__(self, message: str = "the gateway is stopping") -> None:
        # One that is begun again at once is back by then; who finds nobody waits longer each time by himself.
        super().__init__(message, retry_after=1.0)


class GatewayUpgradingError(GatewayStoppingError):
    """The gateway is being replaced by another version of itself. Sessions stay: the same call works in a second."""

    def __init__(self) -> None:
        super().__init__("the gateway is being upgraded and takes nothing for a moment; your session stays: try again")


class WatchLimitError(GatewayError):
    """There are as many watches as there may be."""

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "WATCH_LIMIT"


class StreamLimitError(GatewayError):
    """The key has as many streams as it may have."""

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "STREAM_LIMIT"


class ConnectionLimitError(GatewayError):
    """The address has more connections than it may have."""

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "CONNECTION_LIMIT"
