"""The gateway's errors: one tree, each with the codes that callers see and a stable reason word.

A class says all that goes over the wire; `rpc.errors` only writes it down. The errors of Galaxy browse are a branch of
this tree in `galaxy.errors`.

GatewayError
    ConfigurationError
    InvalidRequestError
    UnknownMethodError
    AuthenticationError
    PermissionDeniedError
        OwnerMismatchError, ClientCertificateError
    SessionError
        SessionNotFoundError, SessionClosedError, SessionLimitError, SessionStartBusyError,
        SubscriberLimitError
        SessionNotReadyError
            SessionFaultedError
    EventError
        EventQueueOverflowError, SequenceUnknownError
    CommandError
        CommandTimeoutError, CommandCanceledError, PendingLimitError, AuditUnavailableError, MessageLimitError
    WorkerError
        WorkerStartError
            WorkerLaunchError, WorkerNeverReadyError, WorkerNonceError, WorkerVersionError, WorkerEarlyExitError,
            WorkerGarbageError, WorkerBackendError
                WorkerOptionError
        WorkerExitedError
            WorkerMemoryError
        WorkerProtocolError, WorkerHungError, WorkerFaultedError,
        WorkerShutdownTimeoutError
    NoAlarmProviderError
    AlarmError
        AlarmLagError, AlarmQuestionTooWideError, AlarmStreamLimitError, AlarmsUnavailableError, AlarmCountError
    GatewayStoppingError
    WatchLimitError, StreamLimitError, ConnectionLimitError
    StoreError
        SchemaVersionError, KeyExistsError, KeyNotFoundError, KeyStateError, KeyStoreUnavailableError

Texts never hold a credential, a nonce, or a value that was written.
"""

from __future__ import annotations

from enum import StrEnum
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


class KeyRefusal(StrEnum):
    """Why a key does not let its caller in: for audit and log only, never for the caller."""

    MISSING_OR_MALFORMED = "MissingOrMalformedCredentials"
    UNKNOWN = "KeyNotFound"
    SECRET_MISMATCH = "SecretMismatch"  # noqa: S105 — a word of the audit
    REVOKED = "KeyRevoked"
    NOT_YET_VALID = "KeyNotYetValid"
    EXPIRED = "KeyExpired"
    THROTTLED = "Throttled"


class AuthenticationError(GatewayError):
    """No valid API key. The text is the same whatever is wrong; the rest is for log and audit only.

    Attributes:
        kind: what is wrong.
        key_id: of the key that was shown; empty when it was none.
        waits: seconds of a wait that begins with this failure; 0 for none.
    """

    grpc_status = "UNAUTHENTICATED"
    reason = "UNAUTHENTICATED"

    def __init__(self, kind: KeyRefusal, key_id: str = "", *, waits: float = 0.0) -> None:
        self.kind = kind
        self.key_id = key_id
        self.waits = waits
        super().__init__("a valid API key is needed, in the metadata `authorization`: `Bearer`, a blank, the key")


class PermissionDeniedError(GatewayError):
    """The key is valid and may not do this."""

    grpc_status = "PERMISSION_DENIED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class OwnerMismatchError(PermissionDeniedError):
    """The session belongs to another key.

    Attributes:
        session_id: that session.
    """

    reason = "SESSION_OWNER_MISMATCH"

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__("the session belongs to another API key")


class ClientCertificateError(PermissionDeniedError):
    """The key is bound to a client certificate, and the connection showed none or another."""

    reason = "CLIENT_CERTIFICATE"


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


class WorkerError(GatewayError):
    """Something about a worker process.

    Attributes:
        worker_pid: process id, 0 when there was none.
        last_words: the worker's last log lines, which may say more of this machine than a caller should know: for log
            and operators only, and never in the text.
    """

    grpc_status: ClassVar[GrpcStatus] = "UNAVAILABLE"
    protocol_code = pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
    reason = "WORKER_UNAVAILABLE"

    def __init__(
        self, message: str, *, worker_pid: int = 0, retry_after: float | None = None, last_words: str = ""
    ) -> None:
        self.worker_pid = worker_pid
        self.last_words = last_words
        super().__init__(message, retry_after=retry_after)


class WorkerStartError(WorkerError):
    """A worker did not get ready; nothing of it is left."""

    reason = "WORKER_START_FAILED"


class WorkerLaunchError(WorkerStartError):
    """The process could not be started at all."""

    reason = "WORKER_LAUNCH_FAILED"


class WorkerNeverReadyError(WorkerStartError):
    """The start-up deadline passed."""

    reason = "WORKER_NEVER_READY"


class WorkerNonceError(WorkerStartError):
    """The process on the other end does not know the nonce."""

    reason = "WORKER_NONCE_REFUSED"


class WorkerVersionError(WorkerStartError):
    """The worker speaks another protocol version."""

    reason = "WORKER_VERSION_MISMATCH"


class WorkerEarlyExitError(WorkerStartError):
    """The process ended during start-up.

    Attributes:
        exit_code: its exit code; negative for a signal.
    """

    reason = "WORKER_EXITED_EARLY"

    def __init__(self, message: str, *, exit_code: int, worker_pid: int = 0, last_words: str = "") -> None:
        self.exit_code = exit_code
        super().__init__(message, worker_pid=worker_pid, last_words=last_words)


class WorkerGarbageError(WorkerStartError):
    """What came over the pipe during start-up is not the protocol."""

    reason = "WORKER_GARBAGE"


class WorkerBackendError(WorkerStartError):
    """The backend could not be created, for example because MXAccess is not installed.

    Attributes:
        hresult: HRESULT of the failed creation, None when there is none.
    """

    reason = "WORKER_BACKEND_FAILED"

    def __init__(self, message: str, *, hresult: int | None = None, worker_pid: int = 0) -> None:
        self.hresult = hresult
        super().__init__(message, worker_pid=worker_pid)


class WorkerOptionError(WorkerBackendError):
    """The backend does not have an option that it was given, or does not take its value.

    Attributes:
        problem: which one, and what it takes.
    """

    def __init__(self, problem: str, *, worker_pid: int = 0) -> None:
        self.problem = problem
        super().__init__(f"the backend cannot be created: {problem}", worker_pid=worker_pid)


class WorkerExitedError(WorkerError):
    """The process ended while its session was in use.

    Attributes:
        exit_code: its exit code; negative for a signal; None when unknown.
    """

    reason = "WORKER_EXITED"

    def __init__(self, message: str, *, exit_code: int | None, worker_pid: int = 0, last_words: str = "") -> None:
        self.exit_code = exit_code
        super().__init__(message, worker_pid=worker_pid, last_words=last_words)


class WorkerMemoryError(WorkerExitedError):
    """The worker reached its memory limit, which ends its session and nothing else."""

    reason = "WORKER_OUT_OF_MEMORY"


class WorkerProtocolError(WorkerError):
    """The worker broke the pipe's protocol and was ended."""

    protocol_code = pb.PROTOCOL_STATUS_CODE_PROTOCOL_VIOLATION
    reason = "WORKER_PROTOCOL_VIOLATION"


class WorkerHungError(WorkerError):
    """Heartbeats stopped, or one call ran beyond the ceiling; the worker was ended."""

    reason = "WORKER_HUNG"


class WorkerFaultedError(WorkerError):
    """The worker reported a fault of its own.

    Attributes:
        category: WorkerFaultCategory number.
    """

    reason = "WORKER_FAULTED"

    def __init__(self, message: str, *, category: int, worker_pid: int = 0) -> None:
        self.category = category
        super().__init__(message, worker_pid=worker_pid)


class WorkerShutdownTimeoutError(WorkerError):
    """The worker did not end in order when asked: it broke down meanwhile, or took too long and was killed."""

    grpc_status = "DEADLINE_EXCEEDED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_TIMEOUT
    reason = "WORKER_SHUTDOWN_TIMEOUT"


class NoAlarmProviderError(GatewayError):
    """Alarms are not configured on this gateway."""

    grpc_status = "FAILED_PRECONDITION"
    protocol_code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
    reason = "NO_ALARM_PROVIDER"


class AlarmError(GatewayError):
    """What the alarm calls refuse or cannot do."""


class AlarmLagError(AlarmError):
    """A stream of alarms took its changes too slowly, and asked to be ended then.

    Attributes:
        epoch: of the log.
        sequence: the last change that the stream had.
        oldest: the change after which the log still goes on.
    """

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "ALARM_STREAM_LAGGED"

    def __init__(self, epoch: str, sequence: int, oldest: int) -> None:
        self.epoch, self.sequence, self.oldest = epoch, sequence, oldest
        super().__init__(
            f"the stream is at change {sequence} of epoch {epoch}, and the log begins after {oldest}: read faster, "
            "filter more, or choose the lag policy RESYNC"
        )


class AlarmQuestionTooWideError(AlarmError):
    """A question to the history takes too long; the text says how to ask for less."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "ALARM_QUESTION_TOO_WIDE"


class AlarmStreamLimitError(AlarmError):
    """The key, or the gateway, has as many streams of alarms as it may have."""

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "ALARM_STREAM_LIMIT"


class AlarmsUnavailableError(AlarmError):
    """The monitor has no provider now, or no list yet; it comes back by itself."""

    grpc_status = "UNAVAILABLE"
    reason = "ALARMS_UNAVAILABLE"


class AlarmCountError(AlarmError):
    """A filter matches another number of alarms than the caller expected; nothing was done.

    Attributes:
        count: how many it matches.
    """

    grpc_status = "FAILED_PRECONDITION"
    reason = "ALARM_COUNT"

    def __init__(self, expected: int, count: int) -> None:
        self.count = count
        super().__init__(f"the filter matches {count} alarms and not {expected}; look at them, and send their number")


class GatewayStoppingError(GatewayError):
    """The gateway is going down and takes nothing new."""

    grpc_status = "UNAVAILABLE"
    protocol_code = pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
    reason = "GATEWAY_STOPPING"


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


class StoreError(GatewayError):
    """Something about the key store."""

    grpc_status = "UNAVAILABLE"
    reason = "STORE"


class SchemaVersionError(StoreError):
    """The database was written by a newer version of this program."""


class KeyExistsError(StoreError):
    """A key of that id is there already."""


class KeyNotFoundError(StoreError):
    """No key of that id."""


class KeyStateError(StoreError):
    """The key's state does not allow this, for example rotating a revoked key."""


class KeyStoreUnavailableError(StoreError):
    """Keys cannot be checked now, so nobody is let in."""

    reason = "KEY_STORE_UNAVAILABLE"
