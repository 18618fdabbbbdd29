"""The one path of every command, unary or streamed: validation, authorization, limits, execution, audit.

Up to the moment when the worker has the command nothing waits, so commands run in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mxgateway_contract.commands import COMMANDS, Group, Touch, kind_name, kinds_touching
from mxgateway_contract.constants import MAX_REQUEST_BYTES
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.constraints import TagLookup, judge, merge_denied
from mxgateway_server.access.handles import FREEING_KINDS, LEARNED_KINDS
from mxgateway_server.access.scopes import ADMIN_ONLY, CHANGING_KINDS, COMMAND_SCOPES, ScopeSet, allows
from mxgateway_server.commands.arrays import complete_array_names, expand_sparse, has_sparse, restore_names
from mxgateway_server.commands.checks import check_command, check_correlation_id, is_correlation_id, is_session_id
from mxgateway_server.commands.command_audit import CommandAudit, Followed
from mxgateway_server.errors import (
    CommandCanceledError,
    GatewayError,
    InvalidRequestError,
    MessageLimitError,
    PermissionDeniedError,
    WorkerProtocolError,
)
from mxgateway_server.sessions.session import Session
from mxgateway_server.telemetry.tracing import CommandTrace
from mxgateway_server.workers.command_table import ReplyFuture
from mxgateway_server.workers.replies import CommandReply

# Limits of keys, sparse arrays and names of arrays concern nothing else.
_JUDGED_KINDS = frozenset(COMMANDS) - kinds_touching(Touch.NOTHING, Touch.HANDLE, Touch.HANDLES)
_LONG_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.values or facts.group is Group.BULK)
_SPECIAL_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.group in (Group.ALARM, Group.FAULT))


@lru_cache(1024)
def _open_kinds(scopes: ScopeSet, is_read_only: bool) -> frozenset[int]:
    """The kinds that a caller with these scopes may send; the same for every call with a key until it changes."""
    return frozenset(
        kind
        for kind in COMMANDS
        if allows(scopes, COMMAND_SCOPES.get(kind, ADMIN_ONLY)) and not (is_read_only and kind in CHANGING_KINDS)
    )


@dataclass(slots=True)
class Checked:
    """A well-formed command of a caller who has its scope; only `CommandGate.check` makes it.

    Attributes:
        session_id: the session that it names, which may not be there.
        tags: its `tag_addresses`, read out.
        data: the command serialised, see `CommandGate.write_out`.
        trace: its span, for one that is traced.
    """

    command: pb.MxCommand
    session_id: str
    correlation_id: str
    tags: Sequence[str] = ()
    data: bytes | None = None
    trace: CommandTrace | None = None


@dataclass(slots=True)
class Admitted:
    """A command on its way.

    Attributes:
        command: as the caller sent it; only its kind when the worker was not needed.
        future: its reply; already there when the worker was not needed.
        references: the tags that it touches, in order, `?` for a handle that is not known.
        denied: for a bulk command: original index → why that entry did not go to the worker.
        named: what went to the worker as the caller named it, when names were completed.
        followed: writes whose completion goes into the audit.
        trace: its span, for one that is traced.
    """

    command: pb.MxCommand
    future: ReplyFuture
    correlation_id: str
    references: tuple[str, ...] = ()
    denied: dict[int, str] | None = None
    named: pb.MxCommand | None = None
    followed: Followed = field(default_factory=list)
    trace: CommandTrace | None = None


class CommandGate:
    """Admits commands and completes their replies."""

    def __init__(
        self,
        lookup: TagLookup,
        audit: CommandAudit,
        *,
        allow_fault_injection: bool,
        max_timeout: float,
        is_read_only: bool = False,
        completes_array_names: bool,
        max_reply_bytes: int,
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self._lookup = lookup
        self._audit = audit
        self._allow_fault_injection = allow_fault_injection
        self._max_timeout = max_timeout
        self._is_read_only = is_read_only
        self._completes_array_names = completes_array_names
        self._max_reply_bytes = max_reply_bytes
        self._max_request_bytes = max_request_bytes

    @property
    def audit(self) -> CommandAudit:
        """Who writes the records of commands."""
        return self._audit

    def check(self, command: pb.MxCommand, call: CallInfo, session_id: str, correlation_id: str) -> Checked:
        """What can be judged without a session: the command's shape, and whether the key has the scope of its kind.

        Args:
            command: as the caller sent it.
            call: whose it is.
            session_id: the session that it names.
            correlation_id: the caller's; the call's own takes its place when it is empty.

        Raises:
            PermissionDeniedError: names the scope that is missing.
            InvalidRequestError: what is wrong with the command.
        """
        kind = command.kind
        if kind in COMMANDS:
            self._authorize(kind, call, session_id, correlation_id)
        if correlation_id:
            check_correlation_id(correlation_id)
        tags = check_command(command)
        return Checked(command, session_id, correlation_id or call.correlation_id, tags)

    def write_out(self, checked: Checked) -> None:
        """Serialises a command ahead of `admit`, which does all that it does at once: for long ones."""
        checked.data = checked.command.SerializeToString()

    def admit_length(self, kind: int, size: int, call: CallInfo) -> None:
        """Judges a long command by its kind, before it is parsed.

        Args:
            kind: by a glance; 0 for one that could not be seen, which is judged once it is parsed.
            size: of the message that brings it, bytes.
            call: whose it is.

        Raises:
            PermissionDeniedError: names the scope that is missing.
            MessageLimitError: commands of this kind may not be so long.
        """
        if kind in COMMANDS:
            self._authorize(kind, call, "", "")
        if kind not in _LONG_KINDS and size > self._max_request_bytes:
            name = kind_name(kind) if kind in COMMANDS else "the command"
            raise MessageLimitError(
                f"{name} has {size} bytes; a command that neither writes nor is a bulk command may have "
                f"{self._max_request_bytes} (setting protocol.max_request_bytes)"
            )

    def timeout(self, session: Session, asked: float | None) -> float:
        """The time limit of a command in seconds.

        Raises:
            InvalidRequestError: the asked one is not positive.
        """
        if asked is None:
            return session.command_timeout
        if asked <= 0:
            raise InvalidRequestError("the command's time limit must be more than 0")
        return min(asked, self._max_timeout)

    def admit(self, session: Session, checked: Checked, call: CallInfo, timeout: float) -> Admitted:
        """Checks what the session has to say and gives the command to the worker, at once.

        Raises:
            InvalidRequestError, PermissionDeniedError, SessionNotReadyError, PendingLimitError, AuditUnavailableError,
            WorkerError
        """
        command, correlation_id = checked.command, checked.correlation_id
        session.touch()
        session.record.require_ready()
        kind = command.kind
        refusal = self._unavailable(command) if kind in _SPECIAL_KINDS else None
        if refusal is not None:
            return self._answered(session, command, correlation_id, refusal)
        if kind in _JUDGED_KINDS:
            return self._admit_touching(session, checked, call, timeout)
        future = session.submit(command, timeout, checked.data, wants_times=checked.trace is not None)
        if kind in FREEING_KINDS:
            session.handles.begin(command)
        return Admitted(command, future, correlation_id)

    def _admit_touching(self, session: Session, checked: Checked, call: CallInfo, timeout: float) -> Admitted:
        command, correlation_id, caller = checked.command, checked.correlation_id, call.caller
        verdict = judge(command, caller.constraints, session.handles, self._lookup, caller.scopes)
        if verdict.denial is not None:
            target = verdict.references[0] if verdict.references else ""
            self._audit.denied(call, session.session_id, {target: verdict.denial}, correlation_id, command.kind)
            raise PermissionDeniedError(verdict.denial)
        if verdict.denied:
            reasons = {verdict.references[index]: reason for index, reason in verdict.denied.items()}
            self._audit.denied(call, session.session_id, reasons, correlation_id, command.kind)
        if verdict.command is None:
            reply = self._empty_reply(session, command, correlation_id)
            merge_denied(command, reply, verdict.denied or {})
            return self._answered(session, command, correlation_id, reply)
        sent = verdict.command
        if has_sparse(sent):
            sent = expand_sparse(sent)
        named = sent
        if self._completes_array_names:
            sent = complete_array_names(sent, self._lookup, checked.tags if sent is command else None)
        self._audit.require_room(command.kind)
        data = checked.data if sent is command else None
        future = session.submit(sent, timeout, data, wants_times=checked.trace is not None)
        admitted = Admitted(command, future, correlation_id, verdict.references, verdict.denied)
        if sent is not named:
            admitted.named = named
        if self._audit.concerns(command.kind):
            admitted.followed = self._audit.begin(
                session, command, verdict.references, call, correlation_id, verdict.denied or {}
            )
        return admitted

    def complete(self, session: Session, admitted: Admitted, call: CallInfo) -> bytes:
        """The serialised reply of an admitted command whose future is done.

        Raises:
            GatewayError: the worker could not answer, or not in one message.
        """
        command = admitted.command
        kind = command.kind
        try:
            reply = admitted.future.result()
            if kind in LEARNED_KINDS or self._audit.concerns(kind) or admitted.denied or admitted.named:
                self._take_in(session, admitted, call, reply.message)
            elif kind == pb.MX_COMMAND_KIND_DRAIN_EVENTS and session.writes:
                # What is taken out by hand does not come as an event.
                for event in reply.message.drain_events.events:
                    if event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE:
                        session.writes.complete(event)
        except GatewayError as error:
            session.handles.forget(command)
            self._record(session, admitted, call, error)
            if isinstance(error, WorkerProtocolError):
                session.fail(error)
            if admitted.trace is not None:
                admitted.trace.failed(error, admitted.references)
            raise
        data = reply.to_bytes(session.session_id, admitted.correlation_id)
        if admitted.trace is not None:
            admitted.trace.answered(data, admitted.future.times, admitted.references)
        if len(data) > self._max_reply_bytes:
            raise MessageLimitError(
                f"the reply has {len(data)} bytes and may have {self._max_reply_bytes}: ask for less at once, or raise "
                "protocol.max_grpc_message_bytes"
            )
        return data

    def _take_in(self, session: Session, admitted: Admitted, call: CallInfo, reply: pb.MxCommandReply) -> None:
        command = admitted.command
        if admitted.named is not None:
            restore_names(admitted.named, reply)
        session.handles.learn(command, reply)
        if admitted.denied:
            merge_denied(command, reply, admitted.denied)
        self._record(session, admitted, call, reply)

    def abandoned(self, session: Session, admitted: Admitted, call: CallInfo) -> None:
        """The caller gave up waiting; what becomes of the command is unknown here."""
        session.handles.forget(admitted.command)
        error = CommandCanceledError("the caller gave up")
        self._record(session, admitted, call, error)
        if admitted.trace is not None:
            admitted.trace.failed(error, admitted.references)

    # ------------------------------------------------------------------------------------------------------- details

    def _authorize(self, kind: int, call: CallInfo, session_id: str, correlation_id: str) -> None:
        caller = call.caller
        if kind in _open_kinds(caller.scopes, self._is_read_only or caller.constraints.read_only):
            return
        why = ""
        if kind in CHANGING_KINDS and self._is_read_only:
            why = "this gateway writes nothing (setting read_only)"
        elif kind in CHANGING_KINDS and caller.constraints.read_only:
            why = "this API key is read-only, whatever its scopes"
        elif not allows(caller.scopes, needed := COMMAND_SCOPES.get(kind, ADMIN_ONLY)):
            scopes = " or ".join(sorted(needed))
            why = f"{kind_name(kind)} needs the scope {scopes}, which this API key does not have"
        if why:
            # Nothing of the request is checked yet, so of its texts only what can be one goes on record.
            session_id = session_id if is_session_id(session_id) else ""
            correlation_id = correlation_id if is_correlation_id(correlation_id) else call.correlation_id
            self._audit.denied(call, session_id, {kind_name(kind): why}, correlation_id)
            raise PermissionDeniedError(why)

    def _unavailable(self, command: pb.MxCommand) -> str | None:
        facts = COMMANDS[command.kind]
        if facts.group is Group.ALARM:
            return f"{facts.name} is not available: this version of the gateway has no alarms"
        if facts.group is Group.FAULT and not self._allow_fault_injection:
            return f"{facts.name} exists only while the gateway runs with allow_fault_injection"
        return None

    def _empty_reply(self, session: Session, command: pb.MxCommand, correlation_id: str) -> pb.MxCommandReply:
        return pb.MxCommandReply(
            session_id=session.session_id,
            correlation_id=correlation_id,
            kind=command.kind,
            protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
        )

    def _answered(
        self, session: Session, command: pb.MxCommand, correlation_id: str, answer: pb.MxCommandReply | str
    ) -> Admitted:
        if isinstance(answer, str):
            reply = self._empty_reply(session, command, correlation_id)
            reply.protocol_status.code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
            reply.protocol_status.message = answer
        else:
            reply = answer
        future = ReplyFuture()
        future.finish(CommandReply(reply))
        return Admitted(pb.MxCommand(kind=command.kind), future, correlation_id)

    def _record(
        self, session: Session, admitted: Admitted, call: CallInfo, answer: pb.MxCommandReply | GatewayError
    ) -> None:
        self._audit.finish(
            session,
            admitted.command,
            admitted.references,
            call,
            admitted.correlation_id,
            admitted.followed,
            answer,
            admitted.denied or {},
        )
