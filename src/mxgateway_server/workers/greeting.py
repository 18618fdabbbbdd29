"""Whether who greets is the worker that was started, and speaks as the gateway does."""

from __future__ import annotations

import hmac

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_server.errors import WorkerNonceError, WorkerVersionError


def check_greeting(hello: wpb.WorkerHello, nonce: str, pid: int) -> None:
    """Refuses a worker that speaks another version, or does not know the nonce.

    Raises:
        WorkerVersionError, WorkerNonceError
    """
    if hello.protocol_version != WORKER_PROTOCOL_VERSION:
        raise WorkerVersionError(
            f"the worker speaks protocol version {hello.protocol_version}, the gateway {WORKER_PROTOCOL_VERSION}; "
            "install the same version of both",
            worker_pid=pid,
        )
    if not hmac.compare_digest(hello.nonce.encode(), nonce.encode()):
        raise WorkerNonceError("the worker does not know the nonce it was started with", worker_pid=pid)
