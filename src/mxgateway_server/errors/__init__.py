"""The gateway's errors: one tree, each with the codes that callers see and a stable reason word.

A class says all that goes over the wire; `rpc.errors` only writes it down. The errors of Galaxy browse are a branch of
this tree in `galaxy.errors`. Import from here; the modules are its branches.

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
        GatewayUpgradingError
    WatchLimitError, StreamLimitError, ConnectionLimitError
    StoreError
        SchemaVersionError, KeyExistsError, KeyNotFoundError, KeyStateError, KeyStoreUnavailableError

Texts never hold a credential, a nonce, or a value that was written.
"""

from __future__ import annotations

from mxgateway_server.errors.access import (
    AuthenticationError,
    ClientCertificateError,
    KeyExistsError,
    KeyNotFoundError,
    KeyRefusal,
    KeyStateError,
    KeyStoreUnavailableError,
    OwnerMismatchError,
    PermissionDeniedError,
    SchemaVersionError,
    StoreError,
)
from mxgateway_server.errors.alarms import (
    AlarmCountError,
    AlarmError,
    AlarmLagError,
    AlarmQuestionTooWideError,
    AlarmStreamLimitError,
    AlarmsUnavailableError,
    NoAlarmProviderError,
)
from mxgateway_server.errors.base import (
    ConfigurationError,
    GatewayError,
    GrpcStatus,
    InvalidRequestError,
    UnknownMethodError,
)
from mxgateway_server.errors.sessions import (
    AuditUnavailableError,
    CommandCanceledError,
    CommandError,
    CommandTimeoutError,
    ConnectionLimitError,
    EventError,
    EventQueueOverflowError,
    GatewayStoppingError,
    GatewayUpgradingError,
    MessageLimitError,
    PendingLimitError,
    SequenceUnknownError,
    SessionClosedError,
    SessionError,
    SessionFaultedError,
    SessionLimitError,
    SessionNotFoundError,
    SessionNotReadyError,
    SessionStartBusyError,
    StreamLimitError,
    SubscriberLimitError,
    WatchLimitError,
)
from mxgateway_server.errors.workers import (
    WorkerBackendError,
    WorkerEarlyExitError,
    WorkerError,
    WorkerExitedError,
    WorkerFaultedError,
    WorkerGarbageError,
    WorkerHungError,
    WorkerLaunchError,
    WorkerMemoryError,
    WorkerNeverReadyError,
    WorkerNonceError,
    WorkerOptionError,
    WorkerProtocolError,
    WorkerShutdownTimeoutError,
    WorkerStartError,
    WorkerVersionError,
)

__all__ = [
    "AlarmCountError",
    "AlarmError",
    "AlarmLagError",
    "AlarmQuestionTooWideError",
    "AlarmStreamLimitError",
    "AlarmsUnavailableError",
    "AuditUnavailableError",
    "AuthenticationError",
    "ClientCertificateError",
    "CommandCanceledError",
    "CommandError",
    "CommandTimeoutError",
    "ConfigurationError",
    "ConnectionLimitError",
    "EventError",
    "EventQueueOverflowError",
    "GatewayError",
    "GatewayStoppingError",
    "GatewayUpgradingError",
    "GrpcStatus",
    "InvalidRequestError",
    "KeyExistsError",
    "KeyNotFoundError",
    "KeyRefusal",
    "KeyStateError",
    "KeyStoreUnavailableError",
    "MessageLimitError",
    "NoAlarmProviderError",
    "OwnerMismatchError",
    "PendingLimitError",
    "PermissionDeniedError",
    "SchemaVersionError",
    "SequenceUnknownError",
    "SessionClosedError",
    "SessionError",
    "SessionFaultedError",
    "SessionLimitError",
    "SessionNotFoundError",
    "SessionNotReadyError",
    "SessionStartBusyError",
    "StoreError",
    "StreamLimitError",
    "SubscriberLimitError",
    "UnknownMethodError",
    "WatchLimitError",
    "WorkerBackendError",
    "WorkerEarlyExitError",
    "WorkerError",
    "WorkerExitedError",
    "WorkerFaultedError",
    "WorkerGarbageError",
    "WorkerHungError",
    "WorkerLaunchError",
    "WorkerMemoryError",
    "WorkerNeverReadyError",
    "WorkerNonceError",
    "WorkerOptionError",
    "WorkerProtocolError",
    "WorkerShutdownTimeoutError",
    "WorkerStartError",
    "WorkerVersionError",
]
