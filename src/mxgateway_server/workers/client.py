"""The gateway's end of one worker: handshake, commands and replies, events, heartbeats, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from google.protobuf.duration_pb2 import Duration

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.redaction import redact
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.errors import PipeProtocolError, SessionMismatchError, VersionMismatchError
from mxgateway_server.counters import Counters
from mxgateway_server.errors import (
    GatewayError,
    SessionClosedError,
    WorkerBackendError,
    WorkerError,
    WorkerExitedError,
    WorkerGarbageError,
    WorkerHungError,
    WorkerNeverReadyError,
    WorkerProtocolError,
    WorkerVersionError,
)
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.logs import get_logger
from mxgateway_server.workers.command_table import CommandTable, ReplyFuture
from mxgateway_server.workers.containment import Containment
from mxgateway_server.workers.exit_errors import IN_LOG, early_exit, exited
from mxgateway_server.workers.faults import fault_of
from mxgateway_server.workers.forced_end import ForcedEnd
from mxgateway_server.workers.greeting import check_greeting
from mxgateway_server.workers.handing_on import HandingOn
from mxgateway_server.workers.kept import KeptWorker
from mxgateway_server.workers.process import WorkerProcess
from mxgateway_server.workers.terms import WorkerIdentity, WorkerLimits
from mxgateway_server.workers.watchdog import Watchdog

logger = get_logger(__name__)


class WorkerClient:
    """One worker process, used by one session.

    Everything runs on the event loop; frames are handled in the pipe's callback, without a task in between.

    Attributes:
        handing_on: hands it on to another program of the gateway's process, or takes it over from one.
    """

    def __init__(
        self,
        process: WorkerProcess,
        nonce: str,
        limits: WorkerLimits,
        clock: Clock,
        containment: Containment,
        counters: Counters | None = None,
        kept: KeptWorker | None = None,
    ):
        """
        Args:
            kept: what another program of this process has kept of it, whose worker is ready already.
        """
        self._counters = counters or Counters()
        self._heard_at = clock.monotonic()
        self._process = process
        self._nonce = nonce
        self._limits = limits
        self._clock = clock
        self._containment = containment
        self._writer = EnvelopeWriter(
            process.session_id,
            max_bytes=process.max_frame_bytes,
            sequence=0 if kept is None else kept.sent_envelopes,
        )
        self._reader = EnvelopeReader(process.session_id, sequence=0 if kept is None else kept.seen_envelopes)
        self._commands = CommandTable(
            limit=limits.max_pending,
            envelopes=self._writer,
            write=process.write,
            send_cancel=self._send_cancel,
            clock=clock,
            counters=self._counters.commands,
            first=1 if kept is None else kept.next_command,
            late_replies=0 if kept is None else kept.late_replies,
            unknown_replies=0 if kept is None else kept.unknown_replies,
        )
        self._end = ForcedEnd(process, containment, limits.terminate)
        self._watchdog = Watchdog(limits.watchdog, clock.monotonic())
        self._loop = asyncio.get_running_loop()
        self._hello: wpb.WorkerHello | None = None
        self._ready: asyncio.Future[wpb.WorkerReady] = self._loop.create_future()
        self._assigned: asyncio.Future[wpb.WorkerAssigned] | None = None
        self._next_session_id = ""
        # Whether the worker acknowledged that it ends in order.
        self._ack: asyncio.Future[bool] = self._loop.create_future()
        self._is_closing = False
        self.identity: WorkerIdentity | None = None
        self.fault: WorkerError | None = None
        self.heartbeats = 0
        self.last_heartbeat: wpb.WorkerHeartbeat | None = None
        self.on_events: Callable[[EventChunk], None] = lambda _: None
        self.on_fault: Callable[[WorkerError], None] = lambda _: None
        process.on_frame = self._on_frame
        process.on_broken = self._on_broken
        process.on_end = self._on_end
        self.handing_on = HandingOn(self, process, self._writer, self._reader, self._commands)
        if kept is not None:
            self._ready.set_result(wpb.WorkerReady())
            self.handing_on.resume(kept)

    # ---------------------------------------------------------------------------------------------------- properties

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def session_id(self) -> str:
        return self._writer.session_id

    @property
    def in_flight(self) -> int:
        """Commands that the worker was given and has not answered."""
        return self._commands.in_flight

    @property
    def late_replies(self) -> int:
        return self._commands.late_replies

    @property
    def unknown_replies(self) -> int:
        return self._commands.unknown_replies

    def heartbeat_age(self, now: float) -> float:
        """Seconds since its last heartbeat, or since it was started when none has come."""
        return max(0.0, now - self._heard_at)

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it had used at its last heartbeat."""
        beat = self.last_heartbeat
        return 0.0 if beat is None else beat.cpu_time.ToNanoseconds() / 1e9

    @property
    def suppressed_lines(self) -> int:
        """Lines of its log that were not passed on, because there were too many at once."""
        return self._process.suppressed_lines

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait for it to read its input."""
        return self._process.unsent_bytes

    @property
    def is_usable(self) -> bool:
        """Whether it is ready and nothing has happened to it."""
        return self.identity is not None and self.fault is None and not self._is_closing

    # -------------------------------------------------------------------------------------------------------- start

    async def handshake(self, gateway_version: str, on_hello: Callable[[], None] = lambda: None) -> WorkerIdentity:
        """Greets the worker and waits until it is ready.

        Raises:
            WorkerStartError: by cause, see its subclasses. The caller must then `kill` the worker.
        """
        self._on_hello = on_hello
        hello = wpb.GatewayHello(
            supported_protocol_version=WORKER_PROTOCOL_VERSION, nonce=self._nonce, gateway_version=gateway_version
        )
        self._send(wpb.WorkerEnvelope(gateway_hello=hello))
        try:
            async with asyncio.timeout(self._limits.startup):
                ready = await self._ready
        except TimeoutError:
            step = "did not answer the hello" if self._hello is None else "greeted but did not get ready"
            raise WorkerNeverReadyError(
                f"the worker {step} within {self._limits.startup:g} s (setting worker.startup_timeout_seconds){IN_LOG}",
                worker_pid=self.pid,
                last_words=self._last_words(),
            ) from None
        assert self._hello is not None
        self.identity = WorkerIdentity(
            pid=self.pid,
            version=self._hello.worker_version,
            backend_name=ready.backend_name,
            prog_id=ready.mxaccess_progid,
            class_id=ready.mxaccess_clsid,
        )
        self._watchdog.seen(self._clock.monotonic())
        return self.identity

    async def assign(self, session_id: str, options: dict[str, str], policy: pb.BackpressurePolicy.ValueType) -> None:
        """Gives this worker to a session.

        Raises:
            WorkerError: it refused or ended.
            SessionClosedError: it was ended meanwhile.
        """
        self._assigned = self._loop.create_future()
        self._next_session_id = session_id
        assign = wpb.WorkerAssign(session_id=session_id, backend_options=options, backpressure_policy=policy)
        self._send(wpb.WorkerEnvelope(worker_assign=assign))
        self._writer.session_id = session_id
        try:
            async with asyncio.timeout(self._limits.startup):
                assigned = await self._assigned
        except TimeoutError:
            raise WorkerNeverReadyError("the pooled worker did not take the session", worker_pid=self.pid) from None
        finally:
            self._assigned = None
        if assigned.status.code != pb.PROTOCOL_STATUS_CODE_OK:
            raise WorkerBackendError(
                f"the worker refused the session: {redact(assigned.status.message)}", worker_pid=self.pid
            )
        self._process.session_id = session_id

    # ------------------------------------------------------------------------------------------------------ commands

    def submit(
        self, command: pb.MxCommand, timeout: float, data: bytes | None = None, *, wants_times: bool = False
    ) -> ReplyFuture:
        """Sends a command now; the future gets its reply.

        Commands run in the order of the calls. Canceling the future takes the command out of the worker's queue if it
        has not begun; a call that runs is never aborted.

        Args:
            timeout: seconds until the future gives up.
            data: the command as protobuf serialises it, when that was done already.

        Raises:
            PendingLimitError: too many are under way.
            WorkerError: the worker is gone.
            SessionClosedError: it was ended because its session is closed.
            InvalidRequestError: the command does not fit into a frame.
        """
        if self.fault is not None:
            raise self.fault
        if self._is_closing or self.identity is None:
            raise WorkerExitedError("the session's worker is ending", exit_code=None, worker_pid=self.pid)
        return self._commands.submit(command, timeout, data, wants_times=wants_times)

    def fail_commands(self, error: GatewayError) -> None:
        """Ends every wait for a reply with the error: the session has failed."""
        self._commands.fail_all(error)

    def flush(self) -> None:
        """Sends what was submitted in this turn of the loop now: no more comes in it."""
        self._process.flush()

    def _send_cancel(self, correlation_id: str, reason: str) -> None:
        if self.fault is None and not self._is_closing:
            cancel = wpb.WorkerCancel(reason=reason)
            self._send(wpb.WorkerEnvelope(correlation_id=correlation_id, worker_cancel=cancel))

    def _send(self, envelope: wpb.WorkerEnvelope) -> None:
        self._process.write(self._writer.frame(envelope))

    # -------------------------------------------------------------------------------------------------------- frames

    def _on_frame(self, payload: bytes) -> None:
        try:
            try:
                envelope = self._reader.parse(payload)
            except SessionMismatchError:
                # While a session is being assigned, the first envelope with its id is the answer.
                if self._assigned is None or self._reader.session_id == self._next_session_id:
                    raise
                self._reader.session_id = self._next_session_id
                envelope = self._reader.parse(payload)
            self._dispatch(envelope)
        except PipeProtocolError as error:
            self._process.stop_reading()
            self._on_broken(error)
        except WorkerError as error:
            self._process.stop_reading()
            self._fail(error)

    def _dispatch(self, envelope: wpb.WorkerEnvelope) -> None:
        body = envelope.WhichOneof("body")
        if not self._ready.done():
            self._dispatch_start(envelope, body)
        elif body == "worker_event_batch":
            self._take_events(envelope.worker_event_batch)
        elif body == "worker_command_reply":
            self._commands.reply(envelope.correlation_id, envelope.worker_command_reply)
        elif body == "worker_heartbeat":
            self._take_heartbeat(envelope.worker_heartbeat)
        elif body == "worker_fault":
            raise fault_of(envelope.worker_fault, self.pid)
        elif body == "worker_shutdown_ack":
            if not self._ack.done():
                self._ack.set_result(envelope.worker_shutdown_ack.status.code == pb.PROTOCOL_STATUS_CODE_OK)
        elif body == "worker_assigned" and self._assigned is not None:
            self._reader.session_id = self._next_session_id
            if not self._assigned.done():
                self._assigned.set_result(envelope.worker_assigned)
        elif body == "worker_event":
            event = envelope.worker_event.event
            batch = pb.MxEventBatch(events=[event]).SerializeToString()
            self._publish(
                EventChunk(first_sequence=event.worker_sequence, count=1, data=batch, received_ns=self._clock.unix_ns())
            )
        else:
            raise WorkerProtocolError(f"the worker sent {body} where it may not", worker_pid=self.pid)

    def _dispatch_start(self, envelope: wpb.WorkerEnvelope, body: str | None) -> None:
        if body == "worker_hello" and self._hello is None:
            hello = envelope.worker_hello
            check_greeting(hello, self._nonce, self.pid)
            self._hello = hello
            self._on_hello()
        elif body == "worker_ready" and self._hello is not None:
            self._ready.set_result(envelope.worker_ready)
        elif body == "worker_fault":
            raise fault_of(envelope.worker_fault, self.pid)
        elif body == "worker_heartbeat" and self._hello is not None:
            self._take_heartbeat(envelope.worker_heartbeat)
        else:
            raise WorkerGarbageError(f"the worker sent {body} before it was ready", worker_pid=self.pid)

    def _take_events(self, batch: wpb.WorkerEventBatch) -> None:
        count = batch.event_count
        if not count or not batch.batch:
            raise WorkerProtocolError("the worker sent an empty batch of events", worker_pid=self.pid)
        self._publish(
            EventChunk(
                first_sequence=batch.first_sequence,
                count=count,
                data=batch.batch,
                received_ns=self._clock.unix_ns(),
                dropped_before=batch.dropped_events,
            )
        )

    def _publish(self, chunk: EventChunk) -> None:
        self._watchdog.seen(self._clock.monotonic())
        self.on_events(chunk)

    def _take_heartbeat(self, heartbeat: wpb.WorkerHeartbeat) -> None:
        age = heartbeat.current_command_age.ToNanoseconds() / 1e9 if heartbeat.HasField("current_command_age") else None
        self._heard_at = self._clock.monotonic()
        self._watchdog.heartbeat(self._heard_at, age)
        self.heartbeats += 1
        self.last_heartbeat = heartbeat

    # ----------------------------------------------------------------------------------------------- what goes wrong

    def check(self) -> None:
        """Looks whether the worker hangs; called once in a while."""
        if not self.is_usable:
            return
        verdict = self._watchdog.verdict(self._clock.monotonic(), self._commands.in_flight)
        if verdict is not None:
            self._counters.hung += 1
            self._fail(WorkerHungError(verdict, worker_pid=self.pid))

    def excuse_silence(self) -> None:
        """Nothing was read from it for a moment, which is not held against it."""
        self._watchdog.seen(self._clock.monotonic())

    def _on_broken(self, error: PipeProtocolError) -> None:
        if isinstance(error, VersionMismatchError) and not self._ready.done():
            self._fail(WorkerVersionError(str(error), worker_pid=self.pid))
        elif not self._ready.done():
            self._fail(
                WorkerGarbageError(
                    f"the worker sent no protocol: {error}{IN_LOG}",
                    worker_pid=self.pid,
                    last_words=self._last_words(),
                )
            )
        else:
            self._fail(WorkerProtocolError(f"the worker broke the protocol: {error}", worker_pid=self.pid))

    def _on_end(self, code: int | None) -> None:
        if not self._ack.done():
            self._ack.set_result(False)
        if not self._ready.done():
            self._fail(early_exit(code, self.pid, self._last_words()))
        else:
            error = self._exited(code)
            if self._is_closing:
                self._settle(SessionClosedError("the session was closed while the command was under way"))
            else:
                self._fail(error)

    def _exited(self, code: int | None) -> WorkerError:
        return exited(
            code,
            self.pid,
            self._last_words(),
            memory=self._limits.memory,
            ran_out_of_memory=self._containment.ran_out_of_memory(self.pid),
        )

    def _fail(self, error: WorkerError) -> None:
        if self.fault is not None:
            return
        self.fault = error
        self._settle(error)
        self.on_fault(error)

    def _settle(self, error: WorkerError | SessionClosedError) -> None:
        """Ends every wait with the error."""
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()
        if self._assigned is not None and not self._assigned.done():
            self._assigned.set_exception(error)
        self._commands.fail_all(error)

    def _last_words(self) -> str:
        lines = list(self._process.last_lines)[-3:]
        return " | ".join(lines)[:800]

    # ----------------------------------------------------------------------------------------------------------- end

    async def shut_down(self, reason: str, grace: float | None = None) -> bool:
        """Asks the worker to end and waits; ends it by force when it does not.

        Returns:
            Whether it ended by itself: acknowledged, and the process gone in time.
        """
        limit = self._limits.shutdown if grace is None else grace
        if self._is_closing:
            await asyncio.shield(self._process.ended)
            return True
        self._is_closing = True
        clean = False
        if self.fault is None:
            period = Duration()
            period.FromNanoseconds(int(limit * 1e9))
            self._send(wpb.WorkerEnvelope(worker_shutdown=wpb.WorkerShutdown(grace_period=period, reason=reason)))
            try:
                async with asyncio.timeout(limit):
                    clean = await asyncio.shield(self._ack)
                    self._process.close_input()
                    await asyncio.shield(self._process.ended)
            except TimeoutError:
                clean = False
                logger.warning(
                    "worker_shutdown_timeout", session_id=self.session_id, worker_pid=self.pid, seconds=limit
                )
        if not clean:
            await self._end.force()
        self._settle(SessionClosedError("the session is closed"))
        self._process.close()
        return clean

    async def kill(self) -> None:
        """Ends the worker at once and waits until it is gone."""
        self._is_closing = True
        self._process.stop_reading()
        await self._end.kill()
        self._settle(SessionClosedError("the session's worker was ended"))
        self._process.close()

    def kill_process(self) -> None:
        """Ends the process now; `shut_down` or `kill` still has to clear up."""
        self._end.kill_process()
