"""Commands of the contract onto the backend's methods."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.backend import Backend, BackendInfo
from mxgateway_protocol.clock import Clock
from mxgateway_worker import __version__
from mxgateway_worker.executor import Executor
from mxgateway_worker.faults import WorkerFaults
from mxgateway_worker.replies import kind_name, refusal
from mxgateway_worker.sink import SessionSink

logger = logging.getLogger(__name__)


class Dispatcher:
    def __init__(
        self,
        backend: Backend,
        sink: SessionSink,
        executor: Executor,
        clock: Clock,
        *,
        session_id: str,
        default_read_timeout: float,
        faults: WorkerFaults | None,
        on_shutdown: Callable[[float], None],
    ) -> None:
        self._backend = backend
        self._executor = executor
        self._faults = faults
        self._on_shutdown = on_shutdown
        self.session_id = session_id

    @property
    def info(self) -> BackendInfo:
        return self._backend.info

    def inject(self, fault: str, parameters: Mapping[str, str]) -> None:
        if self._faults is None or not self._faults.inject(fault, parameters):
            self._backend.inject_fault(fault, parameters)

    def execute(self, correlation_id: str, command: pb.MxCommand, expires: float | None) -> bytes:
        """The serialised reply."""
        self._executor.check_thread()
        reply = pb.MxCommandReply(
            session_id=self.session_id,
            correlation_id=correlation_id,
            kind=command.kind,
            protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
        )
        kind = command.kind
        if kind == pb.MX_COMMAND_KIND_PING:
            reply.diagnostic_message = command.ping.message
        elif kind == pb.MX_COMMAND_KIND_GET_SESSION_STATE:
            reply.get_session_state.state = pb.SESSION_STATE_READY
        elif kind == pb.MX_COMMAND_KIND_GET_WORKER_INFO:
            info = self._backend.info
            reply.get_worker_info.worker_process_id = os.getpid()
            reply.get_worker_info.worker_version = __version__
            reply.get_worker_info.mxaccess_progid = info.prog_id
            reply.get_worker_info.mxaccess_clsid = info.class_id
            reply.get_worker_info.backend_name = info.name
        else:
            reply = refusal(
                self.session_id,
                correlation_id,
                kind,
                pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST,
                f"{kind_name(kind)} is not supported by this worker",
            )
        return reply.SerializeToString()
