"""The MxAccessGateway service, but for its alarm calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import grpc
import grpc.aio

from mxgateway_contract.constants import (
    CAPABILITY_BULK_READ,
    CAPABILITY_BULK_WRITE,
    CAPABILITY_CLIENT_HANDLES,
    CAPABILITY_COMMAND_STREAM,
    CAPABILITY_EVENT_BATCHES,
    CAPABILITY_LIST_SESSIONS,
    CAPABILITY_RECOVERED_VALUES,
    GATEWAY_PROTOCOL_VERSION,
    MAX_BULK_ITEMS,
    MINIMUM_CLIENT_PROTOCOL_VERSION,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.callers import CallInfo, current_call
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.shares import HEAVY_BODY, LARGE_BODY, Shares
from mxgateway_server.commands.bodies import command_request, parsed, write_out
from mxgateway_server.commands.checks import check_correlation_id, check_session_id
from mxgateway_server.commands.gate import Admitted, Checked, CommandGate
from mxgateway_server.config.settings import Settings
from mxgateway_server.counters import Counters
from mxgateway_server.errors import GatewayError, InvalidRequestError, WorkerProtocolError, WorkerShutdownTimeoutError
from mxgateway_server.events.delivery import Waker, deliveries
from mxgateway_server.events.messages import batch_message, event_messages
from mxgateway_server.events.recovery import Recovery
from mxgateway_server.events.subscriber import StreamIdentity, SubscriberLimits
from mxgateway_server.headers import send_headers
from mxgateway_server.rpc.command_stream import CommandStream
from mxgateway_server.rpc.errors import Context, to_protocol_status
from mxgateway_server.rpc.opening import open_options
from mxgateway_server.rpc.recovering import recovered
from mxgateway_server.rpc.requests import Requests
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.summary import summary
from mxgateway_server.telemetry.tracing import current_trace
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_worker.backends import SIMULATED

SERVICE = "mxaccess_gateway.v1.MxAccessGateway"
CAPABILITIES = (
    CAPABILITY_BULK_READ,
    CAPABILITY_BULK_WRITE,
    CAPABILITY_EVENT_BATCHES,
    CAPABILITY_COMMAND_STREAM,
    CAPABILITY_LIST_SESSIONS,
    CAPABILITY_CLIENT_HANDLES,
    CAPABILITY_RECOVERED_VALUES,
)


class GatewayServicer:
    """Handlers of the service; the caller is known and has the method's scope before any of them runs.

    Args:
        galaxy_settled: waits a bounded time for the Galaxy's first reading.
        counters: where the time that sending takes is counted.
    """

    def __init__(
        self,
        manager: SessionManager,
        gate: CommandGate,
        *,
        settings: Settings,
        plan: WorkerPlan,
        clock: Clock,
        refusals: RefusalLog,
        shares: Shares,
        galaxy_settled: Callable[[], Awaitable[bool]],
        counters: Counters | None = None,
    ) -> None:
        self._sends = (counters or Counters()).sends
        self._manager = manager
        self._gate = gate
        self._settings = settings
        self._plan = plan
        self._clock = clock
        self._refusals = refusals
        self._shares = shares
        self._galaxy_settled = galaxy_settled

    def handler(self) -> grpc.GenericRpcHandler:
        """All methods for a server; events and replies to commands are sent as the bytes that they are."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods: dict[str, Any] = {
            "OpenSession": unary(
                self.open_session, pb.OpenSessionRequest.FromString, pb.OpenSessionReply.SerializeToString
            ),
            "CloseSession": unary(
                self.close_session, pb.CloseSessionRequest.FromString, pb.CloseSessionReply.SerializeToString
            ),
            "ListSessions": unary(
                self.list_sessions, pb.ListSessionsRequest.FromString, pb.ListSessionsReply.SerializeToString
            ),
            # Commands are bytes here: what is long is judged before it is parsed.
            "Invoke": grpc.stream_unary_rpc_method_handler(self.invoke, None, None),
            "InvokeStream": grpc.stream_stream_rpc_method_handler(self.invoke_stream, None, None),
            "StreamEvents": stream(self.stream_events, pb.StreamEventsRequest.FromString, None),
            "StreamEventBatches": stream(self.stream_event_batches, pb.StreamEventsRequest.FromString, None),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    # ------------------------------------------------------------------------------------------------------ sessions

    async def open_session(self, request: pb.OpenSessionRequest, context: Context) -> pb.OpenSessionReply:
        call = current_call()
        check_correlation_id(request.client_correlation_id)
        wanted = open_options(request, self._settings, self._plan, is_admin=call.caller.is_admin)
        if call.caller.constraints.limits_tags:
            # Commands cannot wait, and would be refused: right after a start, to clients that come back.
            await self._galaxy_settled()
        remaining = context.time_remaining()
        deadline = None if remaining is None else self._clock.monotonic() + remaining
        session = await self._manager.open(call.caller, wanted, call.peer, deadline)
        worker = session.worker
        assert worker is not None
        assert worker.identity is not None
        reply = pb.OpenSessionReply(
            session_id=session.session_id,
            backend_name=worker.identity.backend_name,
            worker_process_id=worker.pid,
            worker_protocol_version=session.worker_version,
            capabilities=CAPABILITIES,
            protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
            gateway_protocol_version=GATEWAY_PROTOCOL_VERSION,
            is_simulated=worker.identity.backend_name in SIMULATED,
            minimum_client_protocol_version=MINIMUM_CLIENT_PROTOCOL_VERSION,
            limits=self._limits(),
        )
        reply.default_command_timeout.FromNanoseconds(int(session.command_timeout * 1e9))
        if context.cancelled():
            # Nobody will ever close it: the caller went away while the worker started.
            await self._manager.close_for(session.session_id, call.caller)
        return reply

    def _limits(self) -> pb.GatewayLimits:
        limits = pb.GatewayLimits(
            max_bulk_items=MAX_BULK_ITEMS,
            max_batch_events=self._settings.events.max_batch_events,
            max_commands_in_flight=self._settings.sessions.max_pending_commands_per_session,
            max_message_bytes=self._settings.protocol.max_grpc_message_bytes,
        )
        limits.session_lease.FromNanoseconds(int(self._settings.sessions.default_lease_seconds * 1e9))
        return limits

    async def close_session(self, request: pb.CloseSessionRequest, context: Context) -> pb.CloseSessionReply:
        check_session_id(request.session_id)
        check_correlation_id(request.client_correlation_id)
        status = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK)
        try:
            state = await self._manager.close_for(request.session_id, current_call().caller)
        except WorkerShutdownTimeoutError as error:
            # It is closed all the same, so this is an answer and no failure of the call.
            state = pb.SESSION_STATE_CLOSED
            status = to_protocol_status(error)
        return pb.CloseSessionReply(session_id=request.session_id, final_state=state, protocol_status=status)

    async def list_sessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsReply:
        caller, now = current_call().caller, self._clock.monotonic()
        listed = (summary(session, caller, now) for session in self._manager.visible_to(caller))
        return pb.ListSessionsReply(
            sessions=[each for each in listed if each.is_own or not request.own_only],
            max_sessions=self._manager.max_sessions,
            max_sessions_of_key=self._manager.max_sessions_per_key,
        )

    # ------------------------------------------------------------------------------------------------------ commands

    async def invoke(self, requests: Requests, context: Context) -> bytes:
        call = current_call()
        data = await requests.one()
        if len(data) <= HEAVY_BODY:
            checked = self._check(parsed(pb.MxCommandRequest.FromString, data), call)
        else:
            async with self._shares.of(call.caller.key_id).turn:
                is_long = len(data) > LARGE_BODY
                request = await command_request(data, self._gate, call)
                del data
                await asyncio.sleep(0)
                checked = self._check(request, call)
                del request
                if is_long:
                    await write_out(checked, self._gate)
        trace = current_trace()
        if trace is not None:
            checked.trace = trace.command(checked.command.kind, checked.session_id, checked.correlation_id)
        session, admitted = self._admit(checked, call, context)
        del checked
        try:
            await admitted.future
        except asyncio.CancelledError:
            # Canceling the wait has canceled the future, and with it the command if it has not begun.
            self._gate.abandoned(session, admitted, call)
            raise
        except GatewayError:
            pass  # `complete` raises it again, after it is in the audit
        return self._gate.complete(session, admitted, call)

    def _check(self, request: pb.MxCommandRequest, call: CallInfo) -> Checked:
        checked = self._gate.check(request.command, call, request.session_id, request.client_correlation_id)
        check_session_id(request.session_id)
        return checked

    def _admit(self, checked: Checked, call: CallInfo, context: Context) -> tuple[Session, Admitted]:
        try:
            session = self._manager.find(checked.session_id, call.caller)
            timeout = self._gate.timeout(session, None)
            remaining = context.time_remaining()
            if remaining is not None:
                timeout = max(0.001, min(timeout, remaining))
            session.record.met(call.peer)
            admitted = self._gate.admit(session, checked, call, timeout)
        except GatewayError as error:
            if checked.trace is not None:
                checked.trace.failed(error)
            raise
        admitted.trace = checked.trace
        return session, admitted

    async def invoke_stream(self, requests: Requests, context: Context) -> None:
        call = current_call()
        turn = self._shares.of(call.caller.key_id).turn
        stream = CommandStream(self._manager, self._gate, self._clock, call, self._refusals, turn)
        await stream.run(requests, context)

    # -------------------------------------------------------------------------------------------------------- events

    async def stream_events(self, request: pb.StreamEventsRequest, context: Context) -> None:
        await self._stream(request, context, is_batched=False)

    async def stream_event_batches(self, request: pb.StreamEventsRequest, context: Context) -> None:
        await self._stream(request, context, is_batched=True)

    async def _stream(self, request: pb.StreamEventsRequest, context: Context, *, is_batched: bool) -> None:
        _check_stream(request)
        session = self._manager.find(request.session_id, current_call().caller)
        session.record.require_ready()
        events = self._settings.events
        max_events = min(request.max_batch_events or events.max_batch_events, events.max_batch_events)
        max_bytes = min(request.max_batch_bytes or events.max_batch_bytes, events.max_batch_bytes)
        waker = Waker()
        limits = SubscriberLimits(events.queue_capacity, events.queue_max_bytes)
        subscriber = session.hub.join(
            request.after_worker_sequence,
            request.backpressure_policy,
            waker,
            limits,
            from_beginning=request.from_beginning,
            identity=StreamIdentity(
                kind="batches" if is_batched else "events",
                key_id=current_call().caller.key_id,
                peer=current_call().peer,
                since=self._clock.monotonic(),
            ),
        )
        session.record.attach(self._clock.monotonic(), current_call().peer)
        session_id, clock = session.session_id, self._clock
        try:
            # So that the caller knows that the stream stands before the first event comes.
            await send_headers(context)
            recovery = Recovery(subscriber.policy) if request.recover_gaps else None
            async for delivery in deliveries(subscriber, waker, max_events, max_bytes):
                if recovery is None or recovery.passes(delivery):
                    parts = [delivery]
                else:
                    parts = await recovered(recovery, delivery, session, clock.unix_ns())
                began = perf_counter()
                for part in parts:
                    if is_batched:
                        await context.write(batch_message(part, session_id, clock.unix_ns()))
                        continue
                    for message in event_messages(part, session_id, clock.unix_ns()):
                        await context.write(message)
                        if subscriber.error is not None:
                            raise subscriber.error
                self._sends.observe(perf_counter() - began)
        except WorkerProtocolError as error:
            # Events pass unopened, so it is here that a batch turns out to be none.
            session.fail(error)
            raise
        finally:
            session.hub.leave(subscriber)
            session.record.detach(self._clock.monotonic())


def _check_stream(request: pb.StreamEventsRequest) -> None:
    check_session_id(request.session_id)
    if request.backpressure_policy not in pb.BackpressurePolicy.values():
        raise InvalidRequestError(f"backpressure_policy {request.backpressure_policy} is unknown")
    if request.from_beginning and request.after_worker_sequence:
        raise InvalidRequestError("from_beginning and after_worker_sequence exclude each other")
