"""What is told of a worker process that ended by itself."""

from __future__ import annotations

from mxgateway_protocol.contract import WorkerExit
from mxgateway_server.errors import (
    WorkerEarlyExitError,
    WorkerError,
    WorkerExitedError,
    WorkerMemoryError,
    WorkerNonceError,
    WorkerVersionError,
)
from mxgateway_server.workers.exits import exit_text, is_out_of_memory

# A caller learns no more of this machine than he has to.
IN_LOG = "; the gateway's log has its last lines"


def early_exit(code: int | None, pid: int, last_words: str) -> WorkerError:
    """The error of one that ended before it was ready."""
    if code == WorkerExit.NONCE_REFUSED or code == WorkerExit.MISSING_NONCE:
        return WorkerNonceError(f"the worker refused the nonce ({exit_text(code)})", worker_pid=pid)
    if code == WorkerExit.INVALID_PROTOCOL_VERSION:
        return WorkerVersionError(f"the worker refused the protocol version ({exit_text(code)})", worker_pid=pid)
    return WorkerEarlyExitError(
        f"the worker ended while starting ({exit_text(code)}){IN_LOG}",
        exit_code=-1 if code is None else code,
        worker_pid=pid,
        last_words=last_words,
    )


def exited(code: int | None, pid: int, last_words: str, *, memory: int, ran_out_of_memory: bool) -> WorkerExitedError:
    """The error of one that was ready.

    Args:
        memory: bytes that it might have.
        ran_out_of_memory: whether the system ended it for want of memory.
    """
    if is_out_of_memory(code) or ran_out_of_memory:
        return WorkerMemoryError(
            f"the worker reached its memory limit of {memory >> 20} MiB (setting worker.max_memory_bytes) and ended: "
            "hold fewer items, or ask for less at once",
            exit_code=code,
            worker_pid=pid,
        )
    return WorkerExitedError(
        f"the worker process ended ({exit_text(code)}){IN_LOG}",
        exit_code=code,
        worker_pid=pid,
        last_words=last_words,
    )
