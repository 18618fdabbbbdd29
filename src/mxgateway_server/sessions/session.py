"""One open session: its record, its worker, its events, and the one path that every command takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from google.protobuf.message import DecodeError

from mxgateway_contract.commands import COMMANDS
from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_contract.failures import UNRESOLVED
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.handles import HandleTracker
from mxgateway_server.errors import EventQueueOverflowError, GatewayError, SessionFaultedError, WorkerProtocolError
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.events.hub import EventHub
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.pending_writes import PendingWrites
from mxgateway_server.sessions.state import SessionRecord
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.command_table import ReplyFuture

# What advises items, each of which sends its value at once.
_FIRST_VALUE_KINDS = frozenset(
    kind
    for kind, facts in COMMANDS.items()
    if UNRESOLVED in facts.statuses and not (facts.values or facts.is_repeatable)
)

logger = get_logger(__name__)

_WRITE_COMPLETE = bytes((1 << 3, pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE))
"""How a serialised OnWriteComplete begins: family is the first field."""


class Session:
    """A session and what belongs to it.

    Attributes:
        writes: writes whose completion has not come.
        worker_version: protocol version of its worker.
        unsent_replies: replies that wait for streams of commands to take them.
    """

    def __init__(
        self,
        record: SessionRecord,
        hub: EventHub,
        clock: Clock,
        command_timeout: float,
        on_fault: Callable[[Session], None],
    ) -> None:
        self.record = record
        self.hub = hub
        self.handles = HandleTracker()
        self.writes = PendingWrites()
        self.command_timeout = command_timeout
        self.worker: WorkerClient | None = None
        self.worker_version = WORKER_PROTOCOL_VERSION
        self.events_received = 0
        self.event_bytes_received = 0
        self.events_dropped_by_worker = 0
        self.commands_started = 0
        self.unsent_replies = 0
        self.end_error: GatewayError | None = None
        self.ended = asyncio.Event()
        self._clock = clock
        self._on_fault = on_fault

    @property
    def session_id(self) -> str:
        return self.record.session_id

    def attach(self, worker: WorkerClient) -> None:
        """Takes a worker; from now on its events and faults are the session's."""
        self.worker = worker
        worker.on_events = self._take_events
        worker.on_fault = self.fail
        if worker.fault is not None:
            self.fail(worker.fault)

    def touch(self) -> None:
        self.record.touch(self._clock.monotonic())

    def fail(self, error: GatewayError) -> None:
        """Faults the session; its streams end with the error, after the events that came before it."""
        if self.record.fail(error, self._clock.monotonic()):
            if self.worker is not None:
                # Its end comes later; who waits for a reply is told the cause and not that.
                self.worker.fail_commands(SessionFaultedError(error))
            # What overflowed is not worth waiting for: its reader is too slow.
            self.hub.end(error, drains=not isinstance(error, EventQueueOverflowError))
            self._on_fault(self)

    def _take_events(self, chunk: EventChunk) -> None:
        self.events_received += chunk.count
        self.event_bytes_received += len(chunk.data)
        self.events_dropped_by_worker += chunk.dropped_before
        if self.writes:
            if chunk.dropped_before and self.hub.policy == pb.BACKPRESSURE_POLICY_DROP_OLDEST:
                self.writes.lose()
            self._complete_writes(chunk)
        try:
            overflow = self.hub.publish(chunk, self._clock.monotonic())
        except WorkerProtocolError as error:
            overflow = None
            self.fail(error)
        if overflow is not None:
            self.fail(overflow)

    def _complete_writes(self, chunk: EventChunk) -> None:
        # Events pass unopened; only while a write waits is it looked for completions.
        if _WRITE_COMPLETE in chunk.data:
            try:
                for event in chunk.events():
                    if event.startswith(_WRITE_COMPLETE):
                        self.writes.complete(pb.MxEvent.FromString(event))
            except (DecodeError, ValueError, IndexError):
                # What a worker wrote wrong is judged where it is published.
                logger.warning("write_completions_unread", session_id=self.session_id, worker_pid=self.worker_pid())

    def submit(
        self, command: pb.MxCommand, timeout: float, data: bytes | None = None, *, wants_times: bool = False
    ) -> ReplyFuture:
        """Sends a command to the worker; see WorkerClient.submit.

        Raises:
            SessionNotReadyError, WorkerError, PendingLimitError, InvalidRequestError
        """
        self.record.require_ready()
        assert self.worker is not None
        future = self.worker.submit(command, timeout, data, wants_times=wants_times)
        self.commands_started += 1
        self.record.begin_call()
        future.on_end.append(self._call_ended)
        if command.kind in _FIRST_VALUE_KINDS:
            self.hub.begin_adding()
            future.on_end.append(lambda: self.hub.end_adding(self._clock.monotonic()))
        return future

    def _call_ended(self) -> None:
        self.record.end_call(self._clock.monotonic())

    def flush(self) -> None:
        """Sends submitted commands on now; else they go with all others of this turn of the loop."""
        if self.worker is not None:
            self.worker.flush()

    def worker_pid(self) -> int:
        return 0 if self.worker is None else self.worker.pid
