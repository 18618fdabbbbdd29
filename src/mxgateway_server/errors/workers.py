"""Worker processes."""

from __future__ import annotations

from typing import ClassVar

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors.base import GatewayError, GrpcStatus


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
