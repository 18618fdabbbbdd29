"""InvokeStream: commands of one session, pipelined, everything that waits in one message each way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.shares import HEAVY_BODY, LARGE_BODY
from mxgateway_server.commands.bodies import Batch, batch_of, glance, streamed_command, write_out
from mxgateway_server.commands.checks import check_session_id
from mxgateway_server.commands.gate import Admitted, Checked, CommandGate
from mxgateway_server.errors import CommandCanceledError, GatewayError, InvalidRequestError
from mxgateway_server.events.delivery import Waker
from mxgateway_server.headers import send_headers
from mxgateway_server.rpc.errors import Context, to_protocol_status
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.session import Session
from mxgateway_server.telemetry.tracing import CallTrace, current_trace
from mxgateway_server.workers.replies import reply_batch

MAX_REPLIES_TOGETHER = 500
MAX_BYTES_TOGETHER = 1024 * 1024
MAX_WAITING_REPLIES = 1000
MAX_WAITING_BYTES = 8 * 1024 * 1024
"""Replies that may wait for a caller who does not read them; beyond it no more commands are taken."""
TURN_SECONDS = 0.003
"""How long commands of one message are begun before others get a turn."""


class CommandStream:
    """One stream. Each command passes the same gate as a unary call; failures are replies and never end the stream."""

    def __init__(
        self,
        manager: SessionManager,
        gate: CommandGate,
        clock: Clock,
        call: CallInfo,
        refusals: RefusalLog,
        turn: asyncio.Lock,
    ) -> None:
        self._manager = manager
        self._gate = gate
        self._clock = clock
        self._call = call
        self._refusals = refusals
        self._turn = turn
        self._trace = current_trace()
        # Of the message that is taken now, where its commands are traced.
        self._sampled: CallTrace | None = None
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[str, Admitted] = {}
        self._replies: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake = Waker()
        self._room = asyncio.Event()
        self._room.set()
        self._is_input_over = False
        self._session: Session | None = None
        # Replies that were not written yet, those that are being written included.
        self._unsent = 0

    async def run(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Serves the stream until the caller has ended it and every command is answered.

        Args:
            requests: serialised MxCommandBatches.
            context: the call.

        Raises:
            InvalidRequestError, SessionNotFoundError, OwnerMismatchError, SessionNotReadyError: the first message
                does not name a session that the caller may use now.
        """
        first = await anext(aiter(requests), None)
        if first is None:
            return
        batch = await self._unwrap(first)
        check_session_id(batch.session_id)
        session = self._manager.find(batch.session_id, self._call.caller)
        session.record.require_ready()
        self._session = session
        session.record.attach(self._clock.monotonic(), self._call.peer)
        try:
            await send_headers(context)
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(session, batch, len(first), requests))
                del first, batch
                await self._write(context)
                reader.cancel()
        except* GatewayError as errors:
            raise errors.exceptions[0] from None
        finally:
            session.record.detach(self._clock.monotonic())
            for admitted in list(self._under_way.values()):
                admitted.future.cancel()
            session.unsent_replies -= self._unsent
            self._unsent = 0

    async def _read(self, session: Session, first: Batch, size: int, requests: AsyncIterator[bytes]) -> None:
        await self._take(session, first, size)
        del first
        async for data in requests:
            size = len(data)
            batch = await self._unwrap(data)
            del data
            await self._take(session, batch, size)
            del batch
        self._is_input_over = True
        self._wake()

    async def _unwrap(self, data: bytes) -> Batch:
        if len(data) > LARGE_BODY:
            # To take it was work enough for one turn.
            await asyncio.sleep(0)
        return batch_of(data)

    async def _take(self, session: Session, batch: Batch, size: int) -> None:
        if batch.session_id and batch.session_id != session.session_id:
            raise InvalidRequestError("a command stream belongs to one session; open another for another session")
        commands: Iterator[pb.MxStreamCommand | bytes] = iter(batch.commands)
        is_heavy = size > HEAVY_BODY
        if self._trace is not None:
            self._sampled = self._trace if self._trace.samples_batch() else None
        while True:
            if is_heavy:
                async with self._turn:
                    is_taken = await self._begin_some(session, commands)
            else:
                is_taken = await self._begin_some(session, commands)
            session.flush()
            if is_taken:
                break
            await asyncio.sleep(0)
            await self._room.wait()
        for correlation_id in batch.cancel_correlation_ids:
            admitted = self._under_way.get(correlation_id)
            if admitted is not None:
                admitted.future.cancel()
        await self._room.wait()

    async def _begin_some(self, session: Session, commands: Iterator[pb.MxStreamCommand | bytes]) -> bool:
        """Begins commands for the length of a turn; whether all have begun."""
        until = self._loop.time() + TURN_SECONDS
        for streamed in commands:
            if not isinstance(streamed, bytes):
                self._begin(session, streamed)
            else:
                await self._unpack(session, streamed)
            if self._loop.time() > until:
                return False
        return True

    async def _unpack(self, session: Session, data: bytes) -> None:
        try:
            streamed = await streamed_command(data, self._gate, self._call)
        except GatewayError as error:
            correlation_id, kind = glance(data)
            self._put(self._failure(session, kind, correlation_id, error))
        else:
            if len(data) > LARGE_BODY:
                await self._begin_long(session, streamed)
            else:
                self._begin(session, streamed)

    async def _begin_long(self, session: Session, streamed: pb.MxStreamCommand) -> None:
        """`_begin` in turns with others. No other command of the stream begins meanwhile: they keep their order."""
        await asyncio.sleep(0)
        try:
            checked = self._check(session, streamed)
            await write_out(checked, self._gate)
        except GatewayError as error:
            self._put(self._failure(session, streamed.command.kind, streamed.correlation_id, error))
        else:
            self._admit(session, streamed, checked)

    def _begin(self, session: Session, streamed: pb.MxStreamCommand) -> None:
        try:
            checked = self._check(session, streamed)
        except GatewayError as error:
            self._put(self._failure(session, streamed.command.kind, streamed.correlation_id, error))
        else:
            self._admit(session, streamed, checked)

    def _check(self, session: Session, streamed: pb.MxStreamCommand) -> Checked:
        correlation_id = streamed.correlation_id
        if not correlation_id or correlation_id in self._under_way:
            raise InvalidRequestError("correlation_id must be set, and unique among the commands under way")
        checked = self._gate.check(streamed.command, self._call, session.session_id, correlation_id)
        if self._sampled is not None:
            checked.trace = self._sampled.command(streamed.command.kind, session.session_id, correlation_id)
        return checked

    def _admit(self, session: Session, streamed: pb.MxStreamCommand, checked: Checked) -> None:
        correlation_id = checked.correlation_id
        try:
            if not self._manager.holds(session):
                # It was closed meanwhile, and answers as it does to Invoke.
                self._manager.find(session.session_id, self._call.caller)
            asked = None
            if streamed.HasField("timeout"):
                asked = streamed.timeout.seconds + streamed.timeout.nanos / 1e9
            admitted = self._gate.admit(session, checked, self._call, self._gate.timeout(session, asked))
        except GatewayError as error:
            if checked.trace is not None:
                checked.trace.failed(error)
            self._put(self._failure(session, checked.command.kind, correlation_id, error))
            return
        admitted.trace = checked.trace
        if admitted.future.done():
            self._put(self._gate.complete(session, admitted, self._call))
            return
        self._under_way[correlation_id] = admitted
        admitted.future.on_end.append(lambda: self._finish(session, admitted))

    def _finish(self, session: Session, admitted: Admitted) -> None:
        correlation_id = admitted.correlation_id
        del self._under_way[correlation_id]
        if admitted.future.cancelled():
            self._gate.abandoned(session, admitted, self._call)
            canceled = CommandCanceledError("canceled; a call that had begun may still be running in the worker")
            self._put(self._failure(session, admitted.command.kind, correlation_id, canceled))
            return
        try:
            reply = self._gate.complete(session, admitted, self._call)
        except GatewayError as error:
            reply = self._failure(session, admitted.command.kind, correlation_id, error)
        self._put(reply)

    def _failure(self, session: Session, kind: int, correlation_id: str, error: GatewayError) -> bytes:
        self._refusals.call(error, self._call, correlation_id=correlation_id, session_id=session.session_id)
        return pb.MxCommandReply(
            session_id=session.session_id,
            correlation_id=correlation_id,
            kind=kind,  # type: ignore[arg-type]
            protocol_status=to_protocol_status(error),
        ).SerializeToString()

    def _put(self, reply: bytes) -> None:
        self._replies.append(reply)
        self._count_unsent(1)
        self._waiting_bytes += len(reply)
        if len(self._replies) >= MAX_WAITING_REPLIES or self._waiting_bytes >= MAX_WAITING_BYTES:
            self._room.clear()
        self._wake()

    def _count_unsent(self, change: int) -> None:
        if self._session is not None:
            self._unsent += change
            self._session.unsent_replies += change

    async def _write(self, context: Context) -> None:
        while True:
            await self._wake.wait()
            while self._replies:
                batch: list[bytes] = []
                size = 0
                while self._replies and len(batch) < MAX_REPLIES_TOGETHER and size < MAX_BYTES_TOGETHER:
                    reply = self._replies.popleft()
                    batch.append(reply)
                    size += len(reply)
                self._waiting_bytes -= size
                await context.write(reply_batch(batch))
                self._count_unsent(-len(batch))
                if len(self._replies) < MAX_WAITING_REPLIES and self._waiting_bytes < MAX_WAITING_BYTES:
                    self._room.set()
            if self._is_input_over and not self._under_way and not self._replies:
                return
