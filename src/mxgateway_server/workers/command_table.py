"""Commands that one worker was given: sent in order, matched with their replies, timed, canceled."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.envelopes import EnvelopeWriter
from mxgateway_protocol.errors import OversizedFrameError
from mxgateway_protocol.wire import delimited, key, timestamp
from mxgateway_server.core.pending import PendingTable
from mxgateway_server.core.replies import CommandReply
from mxgateway_server.errors import CommandTimeoutError, GatewayError, InvalidRequestError

ReplyFuture: TypeAlias = asyncio.Future[CommandReply]

_COMMAND_FIELD = wpb.WorkerEnvelope.WORKER_COMMAND_FIELD_NUMBER
_COMMAND = key(wpb.WorkerCommand.COMMAND_FIELD_NUMBER, 2)
_ENQUEUE_TIMESTAMP = key(wpb.WorkerCommand.ENQUEUE_TIMESTAMP_FIELD_NUMBER, 2)
_TIME_LEFT = key(wpb.WorkerCommand.TIME_LEFT_FIELD_NUMBER, 2)


class _Waiter(NamedTuple):
    """Who waits for a reply."""

    future: ReplyFuture
    timer: asyncio.TimerHandle
    on_reply: Callable[[], None] | None


class CommandTable:
    """The commands under way on one worker.

    Args:
        write: takes a frame for the worker.
        send_cancel: tells the worker to drop the command with this correlation id, for this reason.
    """

    def __init__(
        self,
        limit: int,
        envelopes: EnvelopeWriter,
        write: Callable[[bytes], None],
        send_cancel: Callable[[str, str], None],
        clock: Clock,
    ) -> None:
        self._pending: PendingTable[_Waiter] = PendingTable(limit)
        self._envelopes = envelopes
        self._write = write
        self._send_cancel = send_cancel
        self._clock = clock
        self._numbers = itertools.count(1)
        self._loop = asyncio.get_running_loop()

    @property
    def in_flight(self) -> int:
        """Commands that the worker was given and has not answered."""
        return self._pending.in_flight

    @property
    def late_replies(self) -> int:
        return self._pending.late_replies

    def submit(self, command: pb.MxCommand, timeout: float, on_reply: Callable[[], None] | None) -> ReplyFuture:
        """Sends a command; see WorkerClient.submit.

        Raises:
            PendingLimitError, InvalidRequestError
        """
        correlation_id = str(next(self._numbers))
        future: ReplyFuture = self._loop.create_future()
        # A Duration is written like a Timestamp.
        body = (
            delimited(_COMMAND, command.SerializeToString())
            + delimited(_ENQUEUE_TIMESTAMP, timestamp(self._clock.unix_ns()))
            + delimited(_TIME_LEFT, timestamp(int(timeout * 1e9)))
        )
        timer = self._loop.call_later(timeout, self._time_out, correlation_id, future, timeout)
        try:
            self._pending.add(correlation_id, _Waiter(future, timer, on_reply))
        except GatewayError:
            timer.cancel()
            raise
        try:
            self._write(self._envelopes.frame_body(_COMMAND_FIELD, body, correlation_id))
        except OversizedFrameError:
            self._forget(correlation_id)
            raise InvalidRequestError(
                "the command is longer than a frame may be (setting worker.max_message_bytes)"
            ) from None
        except GatewayError:
            self._forget(correlation_id)
            raise
        future.add_done_callback(lambda done: self._canceled(correlation_id) if done.cancelled() else None)
        return future

    def reply(self, correlation_id: str, reply: wpb.WorkerCommandReply) -> None:
        """The worker has answered; a late reply is only counted."""
        waiter = self._pending.reply(correlation_id)
        if waiter is None:
            return
        waiter.timer.cancel()
        if not waiter.future.done():
            waiter.future.set_result(CommandReply(reply.reply_data or reply.reply))
            if waiter.on_reply is not None:
                waiter.on_reply()

    def fail_all(self, error: GatewayError) -> None:
        """Ends every wait with the error: no replies come any more."""
        for waiter in self._pending.drain():
            waiter.timer.cancel()
            if not waiter.future.done():
                waiter.future.set_exception(error)

    def _forget(self, correlation_id: str) -> None:
        waiter = self._pending.reply(correlation_id)
        if waiter is not None:
            waiter.timer.cancel()

    def _time_out(self, correlation_id: str, future: ReplyFuture, timeout: float) -> None:
        if self._pending.abandon(correlation_id):
            self._send_cancel(correlation_id, "timeout")
        if not future.done():
            future.set_exception(
                CommandTimeoutError(f"no reply within {timeout:g} s; the call may still be running in the worker")
            )

    def _canceled(self, correlation_id: str) -> None:
        if self._pending.abandon(correlation_id):
            self._send_cancel(correlation_id, "canceled")
