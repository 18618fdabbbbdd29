"""The worker process: puts reader, executor and writer together and decides when and how it ends.

Threads: the main thread waits for the end; `reader` takes frames from the gateway, but for those that an idle executor
takes itself; `executor` owns the backend; `writer` sends, but for a reply that the executor can send at once. Whatever
ends the worker is told to the main thread, and the first reason counts.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

# The `compare_digest` of `hmac`, which would load all of hashlib and OpenSSL for it.
from _operator import _compare_digest
from dataclasses import dataclass
from typing import Any

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_contract.filetime import NS_PER_SECOND
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.contract import WorkerExit
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.errors import (
    BackendOptionError,
    BodyError,
    MxComError,
    NonceError,
    PipeProtocolError,
    VersionMismatchError,
)
from mxgateway_protocol.frames import FrameDecoder
from mxgateway_worker import __version__, faults, memory, stdio, windows_process
from mxgateway_worker.arguments import WorkerSettings
from mxgateway_worker.backends import load_factory
from mxgateway_worker.calls import SessionLimits
from mxgateway_worker.dispatcher import Dispatcher
from mxgateway_worker.event_queue import EventQueue, Policy
from mxgateway_worker.executor import IDLE_TICK, Executor, Job
from mxgateway_worker.grace import grace_seconds
from mxgateway_worker.inbox import open_inbox
from mxgateway_worker.logs import KeyValueFormatter
from mxgateway_worker.pulse import WorkerPulse
from mxgateway_worker.replies import FRAME_ROOM, refusal, too_long
from mxgateway_worker.sink import SessionSink
from mxgateway_worker.watchdog import Watchdog
from mxgateway_worker.writer import SessionChange, Writer, reply_times

logger = logging.getLogger(__name__)

_LAST_WORDS_SECONDS = 1.0
_GATEWAY_GONE_SECONDS = 5.0
_LONGEST_TICK = 5.0

# Replies from which on waking the writer costs less than a system call for each.
_MANY = 4
_LONGEST_CORRELATION_ID = 256

_POLICIES = {
    pb.BACKPRESSURE_POLICY_FAIL_FAST: Policy.FAIL_FAST,
    # Which subscriber is slow is known at the gateway only; towards the gateway it is fail-fast.
    pb.BACKPRESSURE_POLICY_DISCONNECT_SUBSCRIBER: Policy.FAIL_FAST,
    pb.BACKPRESSURE_POLICY_DROP_OLDEST: Policy.DROP_OLDEST,
    pb.BACKPRESSURE_POLICY_CONFLATE: Policy.CONFLATE,
}


@dataclass(frozen=True, slots=True)
class End:
    """Why and how the worker ends."""

    exit_code: WorkerExit
    reason: str
    grace: float
    acknowledge: bool = False


class Worker:
    """One worker process.

    Args:
        read_fd, write_fd: the private descriptors of the pipe.
        formatter: the log's, to be told of a new session id.
    """

    def __init__(
        self, settings: WorkerSettings, read_fd: int, write_fd: int, clock: Clock, formatter: KeyValueFormatter
    ) -> None:
        self._settings = settings
        self._frames = FrameDecoder(settings.max_frame_bytes)
        self._clock = clock
        self._formatter = formatter
        self._session_id = settings.session_id
        self._envelopes = EnvelopeReader(settings.session_id)
        self._writer = Writer(
            write=lambda data: stdio.write_all(write_fd, data),
            envelopes=EnvelopeWriter(settings.session_id, max_bytes=settings.max_frame_bytes),
            clock=clock,
            on_broken=self._on_broken_pipe,
            **_ways_to_write_some(write_fd),
        )
        self._events = EventQueue(
            settings.policy,
            self._writer.events_waiting,
            self._on_overflow,
            settings.event_queue_capacity,
            is_adding=lambda: self._sink.is_adding(),
        )
        self._sink = SessionSink(self._events, clock, settings.session_id, settings.max_frame_bytes)
        self._inbox = open_inbox(read_fd, self._take)
        self._executor = Executor(
            clock,
            self._run_job,
            self._settle,
            self._on_backend_lost,
            doorbell=self._inbox.doorbell,
            # Three signs of life in the time after which it counts as hung, and none that nobody needs.
            idle_tick=max(IDLE_TICK, min(_LONGEST_TICK, settings.heartbeat_grace / 3)),
            outlet=self._writer,
            linger=windows_process.stay,
        )
        self._faults = faults.WorkerFaults(self._writer)
        self._dispatcher: Dispatcher | None = None
        self._options: dict[str, str] = {}
        self._opens_once = False
        self._is_greeted = self._is_ready = self._is_used = self._is_assigned = self._is_faulted = False
        self._end: End | None = None
        self._ended = threading.Event()
        self._end_lock = threading.Lock()
        self._reader = threading.Thread(target=self._inbox.read_all, name="worker-reader", daemon=True)
        self.threads_ended = False

    # ------------------------------------------------------------------------------------------------ life and death

    def run(self) -> WorkerExit:
        """Works until something ends it; returns the exit code."""
        self._writer.start()
        self._executor.start()
        self._reader.start()
        self._ended.wait()
        end = self._end
        assert end is not None
        logger.info("worker stops reason=%s", end.reason)
        stopped = self._executor.stop(end.grace)
        self._writer.stop_pulse()
        exit_code = end.exit_code
        if not stopped:
            logger.error("the executor did not stop within %g s", end.grace)
            if exit_code is WorkerExit.SUCCESS:
                exit_code = WorkerExit.SHUTDOWN_TIMEOUT
        is_lost = self._executor.is_lost
        if is_lost and exit_code is WorkerExit.SUCCESS:
            exit_code = WorkerExit.BACKEND_FAILED
        last = _shutdown_ack(self._missed(stopped)) if end.acknowledge else None
        written = self._writer.finish(last, max(_LAST_WORDS_SECONDS, end.grace if end.acknowledge else 0))
        self.threads_ended = stopped and written and not is_lost
        return exit_code

    def _missed(self, stopped: bool) -> str:
        """Why the backend is not closed as it should be; empty when it is."""
        if not stopped:
            return "the backend was not closed within the grace period"
        return "the backend broke down before it was closed" if self._executor.is_lost else ""

    def request_stop(self, reason: str) -> None:
        """Ends the worker in order, as a WorkerShutdown without an answer does."""
        self._finish(End(WorkerExit.SUCCESS, reason, self._settings.shutdown_grace))

    def _finish(self, end: End) -> None:
        with self._end_lock:
            if self._end is None:
                self._end = end
        self._ended.set()

    def _on_broken_pipe(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._finish(End(WorkerExit.GATEWAY_GONE, "the gateway does not read any more", _GATEWAY_GONE_SECONDS))
            return
        logger.error("the writer failed", exc_info=error)
        self._finish(End(WorkerExit.UNEXPECTED_FAILURE, "the writer failed", _LAST_WORDS_SECONDS))

    def _fault(self, category: int, message: str, error: BaseException | None = None) -> None:
        hresult = error.hresult if isinstance(error, MxComError) else None
        code = pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
        if category == wpb.WORKER_FAULT_CATEGORY_PROTOCOL_VIOLATION:
            code = pb.PROTOCOL_STATUS_CODE_PROTOCOL_VIOLATION
        elif isinstance(error, BackendOptionError) and not error.is_missing:
            code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        fault = wpb.WorkerFault(
            category=wpb.WorkerFaultCategory.ValueType(category),
            exception_type=type(error).__name__ if error is not None else "",
            diagnostic_message=message,
            protocol_status=pb.ProtocolStatus(code=code, message=message),
        )
        if hresult is not None:
            fault.hresult = hresult
        self._is_faulted = True
        self._writer.send(wpb.WorkerEnvelope(worker_fault=fault))

    def _on_overflow(self, reason: str) -> None:
        logger.error("%s", reason)
        self._fault(wpb.WORKER_FAULT_CATEGORY_QUEUE_OVERFLOW, reason)

    def _on_backend_lost(self, error: Exception) -> None:
        self._fault(wpb.WORKER_FAULT_CATEGORY_UNEXPECTED, f"the backend is lost: {error}", error)
        self._finish(End(WorkerExit.BACKEND_FAILED, "the backend is lost", _LAST_WORDS_SECONDS))

    # ------------------------------------------------------------------------------- reader thread, or the executor's

    def _take(self, data: bytes | OSError) -> bool:
        """Whether to go on reading."""
        if isinstance(data, OSError):
            logger.info("reading the pipe failed reason=%s", data)
        elif data:
            return self._take_data(data)
        self._finish(End(WorkerExit.GATEWAY_GONE, "the pipe ended", _GATEWAY_GONE_SECONDS))
        return False

    def _take_data(self, data: bytes) -> bool:
        try:
            for payload in self._frames.feed(data):
                self._receive(self._envelopes.parse(payload))
        except PipeProtocolError as error:
            self._refuse_gateway(error)
            return False
        except MemoryError:
            memory.end_out_of_memory()
        except Exception as error:
            logger.exception("the reader failed")
            self._fault(wpb.WORKER_FAULT_CATEGORY_UNEXPECTED, "the reader failed", error)
            self._finish(End(WorkerExit.UNEXPECTED_FAILURE, "the reader failed", _LAST_WORDS_SECONDS))
            return False
        return True

    def _refuse_gateway(self, error: PipeProtocolError) -> None:
        logger.error("the gateway broke the protocol error=%s: %s", type(error).__name__, error)
        self._fault(wpb.WORKER_FAULT_CATEGORY_PROTOCOL_VIOLATION, str(error), error)
        if isinstance(error, NonceError):
            code = WorkerExit.NONCE_REFUSED
        elif isinstance(error, VersionMismatchError):
            code = WorkerExit.INVALID_PROTOCOL_VERSION
        else:
            code = WorkerExit.PROTOCOL_VIOLATION
        self._finish(End(code, "protocol violation", _LAST_WORDS_SECONDS))

    def _receive(self, envelope: wpb.WorkerEnvelope) -> None:
        body = envelope.WhichOneof("body")
        if body == "worker_command" and self._is_ready:
            self._take_command(envelope.correlation_id, envelope.worker_command)
        elif body == "worker_cancel" and self._is_ready:
            self._executor.cancel(envelope.correlation_id, envelope.worker_cancel.reason)
        elif body == "gateway_hello" and not self._is_greeted:
            self._greet(envelope.gateway_hello)
        elif body == "worker_assign" and self._is_ready:
            self._take_assignment(envelope.worker_assign)
        elif body == "worker_shutdown" and self._is_greeted:
            shutdown = envelope.worker_shutdown
            grace = grace_seconds(shutdown.grace_period)
            reason = f"shutdown: {shutdown.reason}" if shutdown.reason else "shutdown"
            self._finish(End(WorkerExit.SUCCESS, reason, grace or self._settings.shutdown_grace, acknowledge=True))
        else:
            raise BodyError(f"{body} is not allowed here")

    def _greet(self, hello: wpb.GatewayHello) -> None:
        if hello.supported_protocol_version != WORKER_PROTOCOL_VERSION:
            raise VersionMismatchError(
                f"the gateway speaks version {hello.supported_protocol_version}, this worker {WORKER_PROTOCOL_VERSION}"
            )
        if not _compare_digest(hello.nonce.encode(), self._settings.nonce.encode()):
            raise NonceError("the gateway does not have this worker's nonce")
        self._is_greeted = True
        self._writer.send(
            wpb.WorkerEnvelope(
                worker_hello=wpb.WorkerHello(
                    protocol_version=WORKER_PROTOCOL_VERSION,
                    nonce=hello.nonce,
                    worker_process_id=os.getpid(),
                    worker_version=__version__,
                )
            )
        )
        self._executor.call(self._start_backend)

    def _take_command(self, correlation_id: str, command: wpb.WorkerCommand) -> None:
        if len(correlation_id) > _LONGEST_CORRELATION_ID:
            raise BodyError(f"a correlation id of {len(correlation_id)} characters")
        self._is_used = True
        expires = None
        if command.HasField("time_left"):
            left = command.time_left
            expires = self._clock.monotonic() + left.seconds + left.nanos / NS_PER_SECOND
        came = self._clock.monotonic() if command.wants_times else None
        self._executor.submit(Job(correlation_id, command.command, expires, came))

    def _take_assignment(self, assign: wpb.WorkerAssign) -> None:
        if self._is_assigned or self._is_used:
            refused = "this worker belongs to a session already"
        elif not assign.session_id:
            refused = "an assignment without a session id"
        elif "fault" in assign.backend_options and not self._settings.allow_fault_injection:
            refused = "the option fault needs a worker that allows fault injection"
        elif self._opens_once and {**self._settings.options, **assign.backend_options} != self._options:
            refused = (
                f"the backend {self._settings.backend} was opened ahead with other options, and opens once in a process"
            )
        else:
            self._is_assigned = True
            self._envelopes.session_id = assign.session_id
            self._executor.call(lambda: self._assign(assign))
            return
        self._writer.send(_assigned(pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST, refused))

    # ----------------------------------------------------------------------------------------------- executor thread

    def _start_backend(self) -> None:
        if not self._open_backend(dict(self._settings.options)):
            return
        assert self._dispatcher is not None
        info = self._dispatcher.info
        ready = wpb.WorkerReady(
            worker_process_id=os.getpid(),
            mxaccess_progid=info.prog_id,
            mxaccess_clsid=info.class_id,
            backend_name=info.name,
            mxaccess_interface_version=info.interface_version,
            mxaccess_server_path=info.server_path,
            mxaccess_server_version=info.server_version,
        )
        ready.ready_timestamp.FromNanoseconds(self._clock.unix_ns())
        # Before the gateway can know of it, so that its first command finds the worker ready.
        self._is_ready = True
        self._writer.send(wpb.WorkerEnvelope(worker_ready=ready))
        self._writer.start_events(self._events)
        settings = self._settings
        watchdog = Watchdog(settings.heartbeat_grace, settings.stuck_ceiling)
        self._writer.start_pulse(
            WorkerPulse(
                executor=self._executor,
                events=self._events,
                watchdog=watchdog,
                interval=settings.heartbeat_interval,
                now=self._clock.monotonic(),
                is_faulted=lambda: self._is_faulted,
            )
        )

    def _open_backend(self, options: dict[str, str]) -> bool:
        """Makes and opens the backend; on failure reports it and ends the worker."""
        settings = self._settings
        fault = options.pop("fault", "")
        try:
            backend = load_factory(settings.backend)(options)
            backend.open(self._sink)
            self._executor.attach(backend)
            self._dispatcher = Dispatcher(
                backend=backend,
                sink=self._sink,
                events=self._events,
                executor=self._executor,
                clock=self._clock,
                session_id=self._session_id,
                default_read_timeout=settings.read_timeout,
                limits=SessionLimits(settings.max_items, settings.max_registrations),
                max_frame_bytes=settings.max_frame_bytes,
                faults=self._faults if settings.allow_fault_injection else None,
                on_shutdown=self._on_shutdown_command,
            )
            if fault:
                self._inject(self._dispatcher, fault)
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, BackendOptionError):
                message = f"option of the backend {settings.backend}: {error}"
                logger.error("%s", message)  # noqa: TRY400 - where it was found out says nothing
            else:
                logger.exception("the backend cannot be opened backend=%s", settings.backend)
                message = f"backend {settings.backend} cannot be opened: {type(error).__name__}: {error}"
            self._fault(wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED, message, error)
            self._finish(End(WorkerExit.BACKEND_FAILED, "no backend", _LAST_WORDS_SECONDS))
            return False
        self._options = options
        self._opens_once = backend.opens_once
        return True

    @staticmethod
    def _inject(dispatcher: Dispatcher, fault: str) -> None:
        try:
            dispatcher.inject(*faults.parse(fault))
        except ValueError as error:
            raise BackendOptionError(f"fault: {error}") from error

    def _assign(self, assign: wpb.WorkerAssign) -> None:
        self._session_id = assign.session_id
        self._sink.session_id = assign.session_id
        policy = _POLICIES.get(assign.backpressure_policy)
        if policy is not None:
            self._events.use_policy(policy)
        options = {**self._settings.options, **assign.backend_options}
        if options != self._options:
            # The backend that was opened ahead has other options; another takes its place.
            opened_ahead = self._executor.detach()
            if opened_ahead is not None:
                opened_ahead.close()
            if not self._open_backend(options):
                self._writer.send(_assigned(pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, "the backend cannot be opened"))
                return
        assert self._dispatcher is not None
        self._dispatcher.session_id = assign.session_id
        self._formatter.session_id = assign.session_id
        self._writer.send(_assigned(pb.PROTOCOL_STATUS_CODE_OK, ""), SessionChange(assign.session_id))

    def _run_job(self, job: Job) -> None:
        dispatcher = self._dispatcher
        assert dispatcher is not None
        reply = dispatcher.execute(job.correlation_id, job.command, job.expires)
        limit = self._settings.max_frame_bytes - FRAME_ROOM
        if len(reply) > limit:
            self._settle(job, pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED, too_long(len(reply), limit))
            return
        self._writer.reply(
            job.correlation_id,
            reply,
            dispatcher.code,
            more_follow=self._executor.pending >= _MANY,
            times=b"" if job.came is None else self._times(job.came),
        )

    def _times(self, came: float) -> bytes:
        running = self._executor.running
        began = came if running is None else running.started
        return reply_times(began - came, self._clock.monotonic() - began)

    def _settle(self, job: Job, code: int, message: str) -> None:
        reply = refusal(self._session_id, job.correlation_id, job.command.kind, code, message)
        self._writer.reply(job.correlation_id, reply.SerializeToString(), code)

    def _on_shutdown_command(self, grace: float) -> None:
        self._finish(
            End(WorkerExit.SUCCESS, "shutdown command", grace or self._settings.shutdown_grace, acknowledge=True)
        )


def _ways_to_write_some(write_fd: int) -> dict[str, Any]:
    """How the executor's thread writes what it has, and whether the writer's thread keeps out of its way."""
    if stdio.make_nonblocking(write_fd):
        return {"write_some": lambda data: stdio.write_some(write_fd, data)}
    if sys.platform == "win32":
        return {"write_some": lambda data: stdio.write_short(write_fd, data), "is_paced": True}
    return {}


def _assigned(code: int, message: str) -> wpb.WorkerEnvelope:
    status = pb.ProtocolStatus(code=pb.ProtocolStatusCode.ValueType(code), message=message)
    return wpb.WorkerEnvelope(worker_assigned=wpb.WorkerAssigned(status=status))


def _shutdown_ack(missed: str) -> wpb.WorkerEnvelope:
    code = pb.PROTOCOL_STATUS_CODE_TIMEOUT if missed else pb.PROTOCOL_STATUS_CODE_OK
    status = pb.ProtocolStatus(code=code, message=missed)
    return wpb.WorkerEnvelope(worker_shutdown_ack=wpb.WorkerShutdownAck(status=status))
