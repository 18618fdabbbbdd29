"""Commands of the contract onto the backend's methods.

Whatever a command holds, it gets a reply: MXAccess failures and bad input are data. Only a lost backend ends the
worker.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mxgateway_contract import hresults
from mxgateway_contract.commands import COMMANDS, Command, Group, kind_name, kinds_with
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Backend, BackendInfo
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.contract import MAX_FRAME_BYTES
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_protocol.values import ValueConversionError, to_wire
from mxgateway_protocol.variants import EMPTY, DataType, Variant, VarType
from mxgateway_protocol.wire import delimited, key
from mxgateway_worker import __version__, memory
from mxgateway_worker.bulk import BulkCommands, describe
from mxgateway_worker.calls import (
    USUAL_LIMITS,
    InvalidCommandError,
    LimitReachedError,
    SessionCalls,
    SessionLimits,
    variant,
)
from mxgateway_worker.event_queue import EventQueue, Policy
from mxgateway_worker.executor import Executor
from mxgateway_worker.faults import WorkerFaults
from mxgateway_worker.grace import grace_seconds
from mxgateway_worker.read_bulk import BulkReader
from mxgateway_worker.replies import FRAME_ROOM, refusal
from mxgateway_worker.sink import SessionSink

if TYPE_CHECKING:
    from mxgateway_worker.alarms.commands import AlarmCommands

logger = logging.getLogger(__name__)

Reply = pb.MxCommandReply
Handler = Callable[[Any, Reply], None]

_OK = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK)
_NULL = to_wire(EMPTY)
_READ_BULK = key(Reply.READ_BULK_FIELD_NUMBER, 2)
_DRAIN_EVENTS = key(Reply.DRAIN_EVENTS_FIELD_NUMBER, 2)
_EVENT = key(1, 2)
# Of a frame; the rest is for what each event adds to its bytes.
_DRAIN_SHARE = 15 / 16
_DRAIN_EVENTS_MOST = 50_000

# Their texts never tell anything of what was called with: it holds a password.
_CREDENTIAL_KINDS = kinds_with("verify_user_password") | kinds_with("user_id_guid")
_UNLIMITED = SessionLimits(sys.maxsize, sys.maxsize)
_GROUPS = frozenset({Group.COM, Group.BULK, Group.CONTROL, Group.ALARM})


class Dispatcher:
    """Executes commands for one session, on the executor thread.

    Args:
        default_read_timeout: seconds for ReadBulk when the command has none.
        limits: what the session may hold.
        faults: the process's own faults; None when fault injection is not allowed.
        on_shutdown: told of a ShutdownWorker command, with its grace period in seconds or 0.
    """

    def __init__(
        self,
        backend: Backend,
        sink: SessionSink,
        events: EventQueue,
        executor: Executor,
        clock: Clock,
        *,
        session_id: str,
        default_read_timeout: float,
        limits: SessionLimits = USUAL_LIMITS,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        faults: WorkerFaults | None,
        on_shutdown: Callable[[float], None],
    ) -> None:
        self.session_id = session_id
        # That of the last reply.
        self.code: int = pb.PROTOCOL_STATUS_CODE_OK
        self._events = events
        self._sink = sink
        self._clock = clock
        self._executor = executor
        self._default_read_timeout = default_read_timeout
        self._drain_bytes = int(max_frame_bytes * _DRAIN_SHARE)
        self._faults = faults
        self._on_shutdown = on_shutdown
        self._info = backend.info
        self._backend = backend
        self._calls = calls = SessionCalls(backend, sink, executor, limits)
        self._bulk = BulkCommands(calls, sink)
        self._reader = BulkReader(calls, sink, executor, clock, max_frame_bytes - FRAME_ROOM)
        self._alarms: AlarmCommands | None = None
        self._expires: float | None = None
        # What a handler appends to the reply as bytes.
        self._extra = b""
        self._table = self._handlers()

    @property
    def info(self) -> BackendInfo:
        return self._info

    @property
    def kinds(self) -> frozenset[int]:
        """The command kinds that have a handler."""
        return frozenset(self._table)

    def _handlers(self) -> dict[int, tuple[str, Handler]]:
        """Payload arm and handler of each kind: the method here, or of BulkCommands, that bears the arm's name.

        A COM method that returns nothing needs none.
        """
        groups = _GROUPS if self._faults is None else _GROUPS | {Group.FAULT}
        table: dict[int, tuple[str, Handler]] = {}
        for kind, facts in COMMANDS.items():
            if facts.group not in groups:
                continue
            handler: Handler | None = getattr(self, f"_{facts.payload}", None)
            if handler is None and facts.group is Group.COM and not facts.reply:
                handler = self._plain_call(facts)
            if facts.group is Group.ALARM:
                handler = self._alarm_command(facts.payload)
            table[kind] = facts.payload, handler or getattr(self._bulk, facts.payload)
        return table

    def _alarm_command(self, payload: str) -> Handler:
        """The handler of an alarm command. What carries it out is loaded for the first one: most sessions watch no
        alarms, and it is a tenth of what a worker loads."""

        def handle(command: Any, reply: Reply) -> None:
            if self._alarms is None:
                self._alarms = self._alarm_commands(self._sink, self._clock)
            getattr(self._alarms, payload)(command, reply)

        return handle

    def _alarm_commands(self, sink: SessionSink, clock: Clock) -> AlarmCommands:
        """The alarm commands, on providers that have their turns in the executor's pump."""
        from mxgateway_protocol.alarms.provider import OffersAlarms
        from mxgateway_worker.alarms.attribute_provider import AttributeProvider
        from mxgateway_worker.alarms.commands import AlarmCommands
        from mxgateway_worker.alarms.service import AlarmService

        backend, executor = self._backend, self._executor
        service = AlarmService(
            provider=getattr(backend, OffersAlarms.alarm_provider.__name__, None),
            # What is watched of alarms is the monitor's to bound.
            attributes=AttributeProvider(SessionCalls(backend, sink, executor, _UNLIMITED)),
            events=self._events,
            clock=clock,
            session_id=lambda: sink.session_id,
            check_thread=executor.check_thread,
        )
        executor.take_turns(service.turn, service.close)
        return AlarmCommands(service, clock, executor.pump_until)

    def _plain_call(self, facts: Command) -> Handler:
        """The handler of a method that returns nothing: the payload's fields, in their order, are its arguments."""
        calls, method, done = self._calls, facts.payload, self._done
        of_session = getattr(calls, method, None)
        arguments = tuple((name, name in facts.values) for name in facts.parameters)

        def handle(command: Any, reply: Reply) -> None:
            given = [
                variant(getattr(command, name), command.HasField(name), name) if is_value else getattr(command, name)
                for name, is_value in arguments
            ]
            (of_session or getattr(calls.backend, method))(*given)
            done(reply)

        return handle

    # ----------------------------------------------------------------------------------------------------- executing

    def execute(self, correlation_id: str, command: pb.MxCommand, expires: float | None) -> bytes:
        """Executes a command and returns its serialised reply.

        Args:
            expires: monotonic time at which the caller stops waiting; None for never.

        Raises:
            BackendLostError: the backend is gone.
            ThreadAffinityError: this is not the executor thread.
        """
        self._executor.check_thread()
        kind = command.kind
        self.code = pb.PROTOCOL_STATUS_CODE_OK
        entry = self._table.get(kind)
        if entry is None:
            return self._refuse(correlation_id, kind, self._why_unsupported(kind))
        arm, handler = entry
        given = command.WhichOneof("payload")
        if given != arm:
            return self._refuse(
                correlation_id, kind, f"{kind_name(kind)} needs the payload {arm}, not {given or 'none at all'}"
            )
        reply = Reply(session_id=self.session_id, correlation_id=correlation_id, kind=kind, protocol_status=_OK)
        self._expires = expires
        self._extra = b""
        try:
            handler(getattr(command, arm), reply)
            return reply.SerializeToString() + self._extra
        except MxComError as error:
            return self._failure(correlation_id, kind, error)
        except (InvalidCommandError, ValueConversionError) as error:
            return self._refuse(correlation_id, kind, f"{arm}: {error}")
        except LimitReachedError as error:
            self.code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
            return refusal(self.session_id, correlation_id, kind, self.code, str(error)).SerializeToString()
        except BackendLostError:
            raise
        except MemoryError:
            memory.end_out_of_memory()
        except Exception as error:  # noqa: BLE001 - a command never ends the worker; it is logged and answered
            return self._unexpected(correlation_id, kind, error)

    def _why_unsupported(self, kind: int) -> str:
        name = kind_name(kind)
        group = COMMANDS[pb.MxCommandKind.ValueType(kind)].group if kind in COMMANDS else None
        if group is Group.FAULT:
            return f"{name} is refused: this worker does not allow fault injection"
        return f"{name} is not supported by this worker"

    def _refuse(self, correlation_id: str, kind: int, message: str) -> bytes:
        self.code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        return refusal(self.session_id, correlation_id, kind, self.code, message).SerializeToString()

    def _failure(self, correlation_id: str, kind: int, error: MxComError) -> bytes:
        text = hresults.text(error.hresult)
        message = text if kind in _CREDENTIAL_KINDS else describe(error)
        self.code = pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
        reply = refusal(
            self.session_id,
            correlation_id,
            kind,
            self.code,
            f"{kind_name(kind)} failed with {text}",
            message,
        )
        reply.hresult = error.hresult
        reply.return_value.CopyFrom(_NULL)
        return reply.SerializeToString()

    def _unexpected(self, correlation_id: str, kind: int, error: Exception) -> bytes:
        name = type(error).__name__
        if kind in _CREDENTIAL_KINDS:
            logger.error("%s failed unexpectedly error=%s", kind_name(kind), name)
            text = name
        else:
            logger.exception("%s failed unexpectedly", kind_name(kind))
            text = f"{name}: {describe(error)}"
        self.code = pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
        return refusal(
            self.session_id,
            correlation_id,
            kind,
            self.code,
            f"{kind_name(kind)} failed in the worker",
            text,
        ).SerializeToString()

    # --------------------------------------------------------------------------------------------------- COM methods

    @staticmethod
    def _done(reply: Reply, returned: int | None = None) -> None:
        reply.hresult = 0
        if returned is None:
            reply.return_value.CopyFrom(_NULL)
        else:
            reply.return_value.CopyFrom(to_wire(Variant(VarType.VT_I4, returned, DataType.INTEGER)))

    def _register(self, command: pb.RegisterCommand, reply: Reply) -> None:
        handle = self._calls.register(command.client_name)
        self._done(reply, handle)
        reply.register.server_handle = handle

    def _add_item(self, command: pb.AddItemCommand, reply: Reply) -> None:
        item = self._calls.add_item(command.server_handle, command.item_definition, command.client_handle)
        self._done(reply, item.item_handle)
        reply.add_item.item_handle = item.item_handle

    def _add_item2(self, command: pb.AddItem2Command, reply: Reply) -> None:
        item = self._calls.add_item2(
            command.server_handle, command.item_definition, command.item_context, command.client_handle
        )
        self._done(reply, item.item_handle)
        reply.add_item2.item_handle = item.item_handle

    def _add_buffered_item(self, command: pb.AddBufferedItemCommand, reply: Reply) -> None:
        item = self._calls.add_buffered_item(
            command.server_handle, command.item_definition, command.item_context, command.client_handle
        )
        self._done(reply, item.item_handle)
        reply.add_buffered_item.item_handle = item.item_handle

    def _suspend(self, command: pb.SuspendCommand, reply: Reply) -> None:
        status = self._calls.backend.suspend(command.server_handle, command.item_handle)
        self._done_with_status(reply, reply.suspend.status, status)

    def _activate(self, command: pb.ActivateCommand, reply: Reply) -> None:
        status = self._calls.backend.activate(command.server_handle, command.item_handle)
        self._done_with_status(reply, reply.activate.status, status)

    def _done_with_status(self, reply: Reply, target: pb.MxStatusProxy, status: MxStatus) -> None:
        target.CopyFrom(status.to_proto())
        reply.statuses.append(target)
        self._done(reply)

    # The one plain call that is made thousands of times a second.
    def _write(self, command: pb.WriteCommand, reply: Reply) -> None:
        value = variant(command.value, command.HasField("value"), "value")
        self._calls.backend.write(command.server_handle, command.item_handle, value, command.user_id)
        self._done(reply)

    def _authenticate_user(self, command: pb.AuthenticateUserCommand, reply: Reply) -> None:
        user_id = self._calls.backend.authenticate_user(
            command.server_handle, command.verify_user, command.verify_user_password
        )
        self._done(reply, user_id)
        reply.authenticate_user.user_id = user_id

    def _archestra_user_to_id(self, command: pb.ArchestrAUserToIdCommand, reply: Reply) -> None:
        user_id = self._calls.backend.archestra_user_to_id(command.server_handle, command.user_id_guid)
        self._done(reply, user_id)
        reply.archestra_user_to_id.user_id = user_id

    # --------------------------------------------------------------------------------------- ReadBulk and control

    def _read_bulk(self, command: pb.ReadBulkCommand, reply: Reply) -> None:
        timeout = command.timeout_ms / 1000 or self._default_read_timeout
        data = self._reader.read(command.server_handle, command.tag_addresses, timeout, self._expires)
        self._extra = delimited(_READ_BULK, data)

    def _ping(self, command: pb.PingCommand, reply: Reply) -> None:
        reply.diagnostic_message = command.message

    def _get_session_state(self, command: pb.GetSessionStateCommand, reply: Reply) -> None:
        reply.get_session_state.state = pb.SESSION_STATE_READY

    def _get_worker_info(self, command: pb.GetWorkerInfoCommand, reply: Reply) -> None:
        info = reply.get_worker_info
        info.worker_process_id = os.getpid()
        info.worker_version = __version__
        info.mxaccess_progid = self._info.prog_id
        info.mxaccess_clsid = self._info.class_id
        info.backend_name = self._info.name
        info.mxaccess_interface_version = self._info.interface_version
        info.mxaccess_server_path = self._info.server_path
        info.mxaccess_server_version = self._info.server_version

    def _drain_events(self, command: pb.DrainEventsCommand, reply: Reply) -> None:
        if command.last_values:
            self._last_values(command.after_item, reply)
            return
        events = self._events.drain(
            min(command.max_events or _DRAIN_EVENTS_MOST, _DRAIN_EVENTS_MOST), self._drain_bytes
        )
        self._extra = delimited(_DRAIN_EVENTS, b"".join([delimited(_EVENT, event) for event in events]))

    def _last_values(self, after: int, reply: Reply) -> None:
        sink, now_ns, room = self._sink, self._clock.unix_ns(), self._drain_bytes
        events: list[bytes] = []
        # Only a queue that drops nothing knows the numbers of what waits in it.
        exact = self._events.policy is Policy.FAIL_FAST
        reply.drain_events.as_of_worker_sequence = self._events.last_sequence() if exact else self._events.sequence
        last = 0
        for item in sink.items.last_values(after):
            event = delimited(_EVENT, sink.encoder.last_change(item, now_ns))
            room -= len(event)
            if events and room < 0:
                reply.drain_events.next_after = last
                break
            events.append(event)
            last = item.key
        self._extra = delimited(_DRAIN_EVENTS, b"".join(events))

    def _shutdown_worker(self, command: pb.ShutdownWorkerCommand, reply: Reply) -> None:
        self._on_shutdown(grace_seconds(command.grace_period))

    def _inject_fault(self, command: pb.InjectFaultCommand, reply: Reply) -> None:
        try:
            self.inject(command.fault, dict(command.parameters))
        except ValueError as error:
            raise InvalidCommandError(str(error)) from error

    def inject(self, fault: str, parameters: Mapping[str, str]) -> None:
        """Carries out a fault of the process or of the backend.

        Raises:
            ValueError: there is none of this name, or it does not take the parameters.
        """
        if self._faults is None:
            raise ValueError("fault injection is not allowed")
        if not self._faults.inject(fault, parameters):
            self._backend.inject_fault(fault, parameters)
