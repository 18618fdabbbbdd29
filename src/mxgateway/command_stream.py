"""Commands of one session over one bidirectional stream (InvokeStream).

Whatever waits travels in one message, so concurrent calls pipeline by themselves and a lone call costs half the
latency of a unary one. What a caller sees is the same as with Invoke.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from mxgateway.channel import Connection
from mxgateway.errors import MxGatewayError, MxGatewaySessionError, MxGatewayTimeoutError, MxGatewayTransportError
from mxgateway.owned_task import OwnedTask
from mxgateway_contract.commands import method_name
from mxgateway_contract.constants import ENVELOPE_BYTES
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

WINDOW = 100
"""Most commands under way; more wait here. The gateway's own limit is 128 a session by default."""

STALE_AFTER = 2.0
"""Seconds without a command after which the next one gets a new stream: proxies end idle ones, the strictest in 5 s."""

_CLOCK_STEP = 0.001
_MAX_COMMANDS = 500
_MAX_BYTES = 1024 * 1024


class _Pending:
    """A command that somebody waits for."""

    __slots__ = ("deadline", "future", "is_sent", "message", "size", "timeout")

    def __init__(
        self,
        message: pb.MxStreamCommand,
        size: int,
        future: asyncio.Future[pb.MxCommandReply],
        timeout: float | None,
        now: float,
    ) -> None:
        self.message = message
        self.size = size
        self.future = future
        self.is_sent = False
        self.timeout = timeout
        self.deadline = math.inf if timeout is None else now + timeout


class CommandStream:
    """The command stream of a session: opened by its first command, reopened after a failure by the next one."""

    def __init__(self, connection: Connection, session_id: str) -> None:
        self._connection = connection
        self._session_id = session_id
        self._under_way: dict[str, _Pending] = {}
        self._waiting: deque[_Pending] = deque()
        self._cancels: list[str] = []
        self._in_window = 0
        # What the request iterator sleeps on while nothing waits.
        self._sleeper: asyncio.Future[None] | None = None
        self._reader = OwnedTask()
        self._used_at = -math.inf
        self._current: object | None = None
        self._is_closed = False
        self._is_unsupported = False
        # One timer for all: most commands are answered long before it matters.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def takes(self, correlation_id: str) -> bool:
        """Whether a command with this id can go over the stream; otherwise it has to go as a unary call."""
        return not self._is_closed and not self._is_unsupported and correlation_id not in self._under_way

    async def invoke(self, command: pb.MxCommand, correlation_id: str, timeout: float | None) -> pb.MxCommandReply:
        """Sends a command and returns its reply, whatever that says.

        Raises:
            MxGatewayTimeoutError: no reply within `timeout` seconds.
            MxGatewayError: the stream failed; whether the command ran is unknown.
        """
        loop = asyncio.get_running_loop()
        message = pb.MxStreamCommand(correlation_id=correlation_id, command=command)
        if timeout is not None:
            message.timeout.seconds, message.timeout.nanos = divmod(round(timeout * 1e9), 1_000_000_000)
        size = self._connection.check_size(message, method_name(command.kind), correlation_id)
        if not self._under_way and loop.time() - self._used_at > STALE_AFTER:
            # Between here and the gateway somebody may be ending it right now, and the command with it.
            self._current = None
            self._wake()
            await self._reader.stop()
        self._used_at = loop.time()
        pending = _Pending(message, size, loop.create_future(), timeout, loop.time())
        self._under_way[correlation_id] = pending
        self._waiting.append(pending)
        self._wake()
        if not self._reader.is_running:
            self._reader.start(self._run(), f"command stream of {self._session_id}")
        if pending.deadline < self._timer_at:
            self._set_timer(pending.deadline)
        try:
            return await pending.future
        except asyncio.CancelledError:
            self._forget(pending)
            raise

    async def close(self) -> None:
        """Ends the stream; commands that still wait fail. Idempotent."""
        self._is_closed = True
        self._fail(MxGatewaySessionError("the session was closed during the call"))
        await self._reader.stop()

    def _set_timer(self, at: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_at(at, self._look_at_deadlines)
        self._timer_at = at

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def _look_at_deadlines(self) -> None:
        # Loops fire a timer up to one clock step early; without the step this would find nothing due, again and again.
        now = asyncio.get_running_loop().time() + _CLOCK_STEP
        self._timer, self._timer_at = None, math.inf
        for pending in list(self._under_way.values()):
            if pending.deadline <= now:
                self._expire(pending)
        earliest = min((pending.deadline for pending in self._under_way.values()), default=math.inf)
        if earliest < math.inf:
            self._set_timer(earliest)

    def _expire(self, pending: _Pending) -> None:
        if not pending.future.done():
            name = method_name(pending.message.command.kind)
            pending.future.set_exception(
                MxGatewayTimeoutError(
                    f"{name}: DEADLINE_EXCEEDED: no reply within {pending.timeout:g} s",
                    correlation_id=pending.message.correlation_id,
                    grpc_code=grpc.StatusCode.DEADLINE_EXCEEDED,
                )
            )
        self._forget(pending)

    def _forget(self, pending: _Pending) -> None:
        """Nobody waits for this command any more: it is not sent, or the gateway is told to drop it from its queue."""
        if self._under_way.pop(pending.message.correlation_id, None) is None:
            return
        if pending.is_sent:
            self._in_window -= 1
            self._cancels.append(pending.message.correlation_id)
            self._wake()

    async def _run(self) -> None:
        # A call that has failed may leave its request iterator waiting; the mark tells it that its time is over.
        mark = self._current = object()
        call: Any = None
        try:
            call = self._connection.stub.InvokeStream(
                self._requests(mark),
                metadata=self._connection.metadata,
                timeout=self._connection.options.stream_timeout,
            )
            while (batch := await call.read()) is not grpc.aio.EOF:
                self._used_at = asyncio.get_running_loop().time()
                for reply in batch.replies:
                    self._settle(reply)
            self._end(mark, MxGatewayTransportError("the gateway ended the command stream"))
        except grpc.RpcError as error:
            mapped = self._connection.map_error(error, "InvokeStream", "", True)
            self._is_unsupported = mapped.grpc_code is grpc.StatusCode.UNIMPLEMENTED
            self._end(mark, mapped)
        except asyncio.CancelledError:
            self._end(mark, MxGatewayTransportError("the client was closed during the call"))
            raise
        except Exception as error:
            # Whatever it is, nobody may be left waiting for replies that cannot come.
            self._end(mark, MxGatewayTransportError(f"the command stream failed: {type(error).__name__}"))
            raise
        finally:
            if call is not None:
                call.cancel()

    def _end(self, mark: object, error: MxGatewayError) -> None:
        """The stream is over; what waits belongs to another one where that has taken its place already."""
        if self._current is mark:
            self._current = None
            self._fail(error)
            self._wake()

    async def _requests(self, mark: object) -> AsyncIterator[pb.MxCommandBatch]:
        first = True
        while self._current is mark:
            batch = self._next_batch()
            if first:
                batch.session_id = self._session_id
                first = False
            elif not batch.commands and not batch.cancel_correlation_ids:
                self._sleeper = asyncio.get_running_loop().create_future()
                await self._sleeper
                continue
            yield batch

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    def _next_batch(self) -> pb.MxCommandBatch:
        """Everything that waits, within the window and the size of a message."""
        batch = pb.MxCommandBatch(cancel_correlation_ids=self._cancels)
        self._cancels = []
        size, most = 0, min(_MAX_BYTES, self._connection.options.max_message_bytes - ENVELOPE_BYTES)
        while self._waiting and self._in_window < WINDOW and len(batch.commands) < _MAX_COMMANDS:
            if size and size + self._waiting[0].size > most:
                break
            pending = self._waiting.popleft()
            if self._under_way.get(pending.message.correlation_id) is not pending:
                continue
            pending.is_sent = True
            self._in_window += 1
            batch.commands.append(pending.message)
            size += pending.size
        return batch

    def _settle(self, reply: pb.MxCommandReply) -> None:
        pending = self._under_way.pop(reply.correlation_id, None)
        if pending is None:
            # The reply to a command that timed out or was canceled.
            return
        self._in_window -= 1
        if self._waiting:
            self._wake()
        if not pending.future.done():
            pending.future.set_result(reply)

    def _fail(self, error: MxGatewayError) -> None:
        self._stop_timer()
        pendings, self._under_way = self._under_way, {}
        self._waiting.clear()
        self._cancels.clear()
        self._in_window = 0
        for pending in pendings.values():
            if pending.future.done():
                continue
            failure = type(error)(
                f"{method_name(pending.message.command.kind)}: {error.message}",
                correlation_id=pending.message.correlation_id,
                grpc_code=error.grpc_code,
                retry_after=error.retry_after,
                reason=error.reason,
            )
            pending.future.set_exception(failure)
            # Whoever waited may have been canceled in the same turn.
            pending.future.exception()
