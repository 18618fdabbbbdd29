"""What a worker says is wrong with it, as the gateway's own error."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.redaction import redact
from mxgateway_server.errors import (
    WorkerBackendError,
    WorkerError,
    WorkerFaultedError,
    WorkerHungError,
    WorkerOptionError,
)


def fault_of(fault: wpb.WorkerFault, pid: int) -> WorkerError:
    """The error that a worker's last message stands for."""
    text = redact(fault.diagnostic_message or fault.exception_type or "no reason given")
    category = fault.category
    name = wpb.WorkerFaultCategory.Name(category).removeprefix("WORKER_FAULT_CATEGORY_").lower()
    if category == wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED:
        if fault.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST:
            return WorkerOptionError(text, worker_pid=pid)
        hresult = fault.hresult if fault.HasField("hresult") else None
        return WorkerBackendError(f"the backend cannot be created: {text}", hresult=hresult, worker_pid=pid)
    if category == wpb.WORKER_FAULT_CATEGORY_STA_HUNG:
        return WorkerHungError(f"the worker's executor hangs: {text}", worker_pid=pid)
    return WorkerFaultedError(f"the worker reported {name}: {text}", category=category, worker_pid=pid)
