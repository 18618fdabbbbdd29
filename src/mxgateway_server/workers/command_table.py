"""Commands that one worker was given: sent in order, matched with their replies, timed, canceled."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.varints import varint
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.envelopes import EnvelopeWriter
from mxgateway_protocol.errors import OversizedFrameError
from mxgateway_protocol.wire import TimeField, delimited, key, timestamp
from mxgateway_server.counters import CommandCounters, CommandCounts
from mxgateway_server.errors import CommandTimeoutError, GatewayError, MessageLimitError, PendingLimitError
from mxgateway_server.workers.pending import PendingTable
from mxgateway_server.workers.replies import CommandReply

_COMMAND_FIELD = wpb.WorkerEnvelope.WORKER_COMMAND_FIELD_NUMBER
_COMMAND = key(wpb.WorkerCommand.COMMAND_FIELD_NUMBER, 2)
_ENQUEUE_TIMESTAMP = key(wpb.WorkerCommand.ENQUEUE_TIMESTAMP_FIELD_NUMBER, 2)
_MXACCESS_FAILURE = pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
_WELL = (pb.PROTOCOL_STATUS_CODE_OK, pb.PROTOCOL_STATUS_CODE_UNSPECIFIED)
"""Status codes of replies that count as good; a worker of another version may name none."""
_CLOCK_STEP = 0.001
_LONG = 64 * 1024
"""Bytes of a command from which on a copy more costs more than a call."""
_TIME_LEFT = key(wpb.WorkerCommand.TIME_LEFT_FIELD_NUMBER, 2)
_WANTS_TIMES = key(wpb.WorkerCommand.WANTS_TIMES_FIELD_NUMBER, 0) + b"\x01"


class ReplyFuture(asyncio.Future[CommandReply]):
    """The reply to come.

    Attributes:
        wants_times: whether the worker is to tell how long the command took.
        times: seconds that it waited in the worker, and that it ran; None when the worker did not tell.
        on_end: called in order, at once, when the reply is there, has failed, or nobody waits any more. A callback of
            the future itself would come a turn of the loop later.
    """

    wants_times = False
    times: tuple[float, float] | None = None

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        on_cancel: Callable[[str], None] | None = None,
        correlation_id: str = "",
    ) -> None:
        super().__init__(loop=loop)
        self.on_end: list[Callable[[], None]] = []
        self._on_cancel = on_cancel
        self._correlation_id = correlation_id

    def cancel(self, msg: Any | None = None) -> bool:
        is_canceled = super().cancel(msg)
        if is_canceled:
            on_cancel = self._on_cancel
            if on_cancel is not None:
                self.on_end.insert(0, lambda: on_cancel(self._correlation_id))
            self._ended()
        return is_canceled

    def finish(self, outcome: CommandReply | GatewayError) -> None:
        """Sets the outcome, unless it has one."""
        if self.done():
            return
        if isinstance(outcome, CommandReply):
            self.set_result(outcome)
        else:
            self.set_exception(outcome)
        self._ended()

    def _ended(self) -> None:
        for call in self.on_end:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - reported as asyncio does: others who wait must not suffer from it
                context = {"message": "telling the end of a command failed", "exception": error, "future": self}
                self.get_loop().call_exception_handler(context)
        # Who is told may hold this future: without the circle it goes at once, and does not wait for the collector.
        self.on_end.clear()


class _Waiter(NamedTuple):
    """Who waits for a reply, until when on the loop's clock, for how many seconds in all, and where it is counted."""

    future: ReplyFuture
    deadline: float
    timeout: float
    counts: CommandCounts


class CommandTable:
    """The commands under way on one worker.

    Args:
        write: takes a frame for the worker, as one argument or in parts.
        send_cancel: tells the worker to drop the command with this correlation id, for this reason.
        counters: where commands are counted.
        first: number of the first command.
        late_replies, unknown_replies: those that were counted before.
    """

    def __init__(
        self,
        limit: int,
        envelopes: EnvelopeWriter,
        write: Callable[..., None],
        send_cancel: Callable[[str, str], None],
        clock: Clock,
        counters: CommandCounters | None = None,
        *,
        first: int = 1,
        late_replies: int = 0,
        unknown_replies: int = 0,
    ) -> None:
        self._counters = counters or CommandCounters()
        self._pending: PendingTable[_Waiter] = PendingTable(limit, late_replies, unknown_replies)
        self._envelopes = envelopes
        self._write = write
        self._send_cancel = send_cancel
        self._clock = clock
        self._numbers = itertools.count(first)
        self._loop = asyncio.get_running_loop()
        self._timeout, self._time_left = math.nan, b""
        self._enqueued = TimeField(_ENQUEUE_TIMESTAMP).write
        self._on_canceled = self._canceled
        # One timer for all: most commands are answered long before it matters.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    @property
    def in_flight(self) -> int:
        """Commands that the worker was given and has not answered."""
        return self._pending.in_flight

    @property
    def late_replies(self) -> int:
        """Replies that came after their wait was given up."""
        return self._pending.late_replies

    @property
    def unknown_replies(self) -> int:
        """Replies to commands that the worker was never given."""
        return self._pending.unknown_replies

    def take_number(self) -> int:
        """A number from which on none was given to a command."""
        return next(self._numbers)

    def submit(
        self, command: pb.MxCommand, timeout: float, data: bytes | None = None, *, wants_times: bool = False
    ) -> ReplyFuture:
        """Sends a command; see WorkerClient.submit. With `wants_times` its future gets `times`.

        Raises:
            PendingLimitError, MessageLimitError
        """
        correlation_id = str(next(self._numbers))
        if timeout != self._timeout:
            # A Duration is written like a Timestamp. Most commands of a session have the same limit.
            self._timeout, self._time_left = timeout, delimited(_TIME_LEFT, timestamp(int(timeout * 1e9)))
        # Never the caller's own bytes: what was judged is what the worker reads, however it was spelled.
        if data is None:
            data = command.SerializeToString()
        front, tail = _COMMAND + varint(len(data)), self._enqueued(self._clock.unix_ns()) + self._time_left
        future = ReplyFuture(self._loop, self._on_canceled, correlation_id)
        if wants_times:
            future.wants_times, tail = True, tail + _WANTS_TIMES
        deadline = self._loop.time() + timeout
        counts = self._counters.of(command.kind)
        try:
            self._pending.add(correlation_id, _Waiter(future, deadline, timeout, counts))
        except PendingLimitError:
            counts.refused += 1
            raise
        try:
            if len(data) <= _LONG:
                self._write(self._envelopes.frame_body(_COMMAND_FIELD, front + data + tail, correlation_id))
            else:
                self._write(*self._envelopes.frame_parts(_COMMAND_FIELD, (front, data, tail), correlation_id))
        except OversizedFrameError:
            self._pending.reply(correlation_id)
            counts.refused += 1
            raise MessageLimitError(
                f"the command has {len(data)} bytes, more than one to a worker may have: send less at once, or raise "
                "worker.max_message_bytes and protocol.max_grpc_message_bytes"
            ) from None
        except GatewayError:
            self._pending.reply(correlation_id)
            counts.refused += 1
            raise
        counts.started += 1
        if deadline < self._timer_at:
            self._set_timer(deadline)
        return future

    def reply(self, correlation_id: str, reply: wpb.WorkerCommandReply) -> None:
        """The worker has answered; a late reply is only counted."""
        waiter = self._pending.reply(correlation_id)
        if waiter is not None:
            counts = waiter.counts
            counts.seconds.observe(self._loop.time() - waiter.deadline + waiter.timeout)
            code = reply.status_code
            if code in _WELL:
                counts.succeeded += 1
            elif code == _MXACCESS_FAILURE:
                counts.mxaccess += 1
            else:
                counts.refused += 1
            if waiter.future.wants_times and reply.HasField("work_time"):
                waiter.future.times = (reply.wait_time.ToNanoseconds() / 1e9, reply.work_time.ToNanoseconds() / 1e9)
            waiter.future.finish(CommandReply(reply.reply_data or reply.reply))

    def fail_all(self, error: GatewayError) -> None:
        """Ends every wait with the error: no replies come any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf
        for waiter in self._pending.drain():
            waiter.counts.worker += 1
            waiter.future.finish(error)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look_at_deadlines)
        self._timer_at = at

    def _look_at_deadlines(self) -> None:
        # The loop may call a little early. Counting that as due keeps the timer from being set again and again.
        now = self._loop.time() + _CLOCK_STEP
        self._timer, self._timer_at = None, math.inf
        for correlation_id, waiter in self._pending.waiters():
            if waiter.deadline <= now:
                self._time_out(correlation_id, waiter)
            elif waiter.deadline < self._timer_at:
                self._timer_at = waiter.deadline
        if self._timer_at < math.inf:
            self._set_timer(self._timer_at)

    def _time_out(self, correlation_id: str, waiter: _Waiter) -> None:
        if self._pending.abandon(correlation_id):
            waiter.counts.timeout += 1
            self._send_cancel(correlation_id, "timeout")
        waiter.future.finish(
            CommandTimeoutError(f"no reply within {waiter.timeout:g} s; the call may still be running in the worker")
        )

    def _canceled(self, correlation_id: str) -> None:
        waiter = self._pending.get(correlation_id)
        if waiter is not None and self._pending.abandon(correlation_id):
            waiter.counts.canceled += 1
            self._send_cancel(correlation_id, "canceled")
