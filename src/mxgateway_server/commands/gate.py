"""The one path of every command, unary or streamed: validation, authorization, limits, execution, audit.

Up to the moment when the worker has the command nothing waits, so commands run in the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from mxgateway_contract.commands import COMMANDS, Group, Scope, Touch, kind_name, kinds_touching
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.constraints import TagLookup, judge, merge_denied
from mxgateway_server.access.handles import FREEING_KINDS, LEARNED_KINDS
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.scopes import ADMIN_ONLY, COMMAND_SCOPES, ScopeSet, allows
from mxgateway_server.commands.arrays import complete_array_names, expand_sparse, has_sparse, restore_names
from mxgateway_server.commands.checks import check_command, check_correlation_id
from mxgateway_server.errors import (
    CommandCanceledError,
    GatewayError,
    InvalidRequestError,
    MessageLimitError,
    PermissionDeniedError,
    WorkerProtocolError,
)
from mxgateway_server.sessions.session import Session
from mxgateway_server.workers.command_table import ReplyFuture
from mxgateway_server.workers.replies import CommandReply

_AUDITED_SCOPES = frozenset({Scope.INVOKE_WRITE, Scope.INVOKE_SECURE, Scope.ADMIN})
_AUDITED_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.scope in _AUDITED_SCOPES)
_WRITE_KINDS = kinds_touching(Touch.WRITE)
_BULK_WRITE_KINDS = kinds_touching(Touch.WRITES)
assert _AUDITED_KINDS >= _WRITE_KINDS | _BULK_WRITE_KINDS
# Limits of keys, sparse arrays and names of arrays concern nothing else.
_JUDGED_KINDS = frozenset(COMMANDS) - kinds_touching(Touch.NOTHING, Touch.HANDLE, Touch.HANDLES)
_SPECIAL_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.group in (Group.ALARM, Group.FAULT))


@dataclass(slots=True)
class Checked:
    """A well-formed command of a caller who has its scope; only `CommandGate.check` makes it.

    Attributes:
        session_id: the session that it names, which may not be there.
    """

    command: pb.MxCommand
    session_id: str
    correlation_id: str


@dataclass(slots=True)
class Admitted:
    """A command on its way.

    Attributes:
        command: as the caller sent it; only its kind when the worker was not needed.
        future: its reply; already there when the worker was not needed.
        references: the tags that it touches, in order, `?` for a handle that is not known.
        denied: for a bulk command: original index → why that entry did not go to the worker.
        named: what went to the worker as the caller named it, when names were completed.
    """

    command: pb.MxCommand
    future: ReplyFuture
    correlation_id: str
    references: tuple[str, ...] = ()
    denied: dict[int, str] | None = None
    named: pb.MxCommand | None = None


class CommandGate:
    """Admits commands and completes their replies."""

    def __init__(
        self,
        lookup: TagLookup,
        audit: AuditLog,
        *,
        allow_fault_injection: bool,
        max_timeout: float,
        audits_writes: bool,
        completes_array_names: bool,
        max_reply_bytes: int,
    ) -> None:
        self._lookup = lookup
        self._audit = audit
        self._allow_fault_injection = allow_fault_injection
        self._max_timeout = max_timeout
        self._completes_array_names = completes_array_names
        self._max_reply_bytes = max_reply_bytes
        self._audited_kinds = _AUDITED_KINDS if audits_writes else frozenset()

    def check(self, command: pb.MxCommand, call: CallInfo, session_id: str, correlation_id: str) -> Checked:
        """What can be judged without a session: the command's shape, and whether the key has the scope of its kind.

        Args:
            correlation_id: the caller's; the call's own takes its place when it is empty.

        Raises:
            InvalidRequestError: what is wrong with the command.
            PermissionDeniedError: names the scope that is missing.
        """
        if correlation_id:
            check_correlation_id(correlation_id)
        check_command(command)
        checked = Checked(command, session_id, correlation_id or call.correlation_id)
        needed = COMMAND_SCOPES.get(command.kind, ADMIN_ONLY)
        if not allows(call.caller.scopes, needed):
            self._forbid(checked, call, needed)
        return checked

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
            InvalidRequestError, PermissionDeniedError, SessionNotReadyError, PendingLimitError, WorkerError
        """
        command, correlation_id = checked.command, checked.correlation_id
        session.touch()
        session.record.require_ready()
        kind = command.kind
        refusal = self._unavailable(command) if kind in _SPECIAL_KINDS else None
        if refusal is not None:
            return self._answered(session, command, correlation_id, refusal)
        if kind in _JUDGED_KINDS:
            return self._admit_touching(session, command, correlation_id, call, timeout)
        future = session.submit(command, timeout)
        if kind in FREEING_KINDS:
            session.handles.begin(command)
        return Admitted(command, future, correlation_id)

    def _admit_touching(
        self, session: Session, command: pb.MxCommand, correlation_id: str, call: CallInfo, timeout: float
    ) -> Admitted:
        verdict = judge(command, call.caller.constraints, session.handles, self._lookup)
        if verdict.denial is not None:
            target = verdict.references[0] if verdict.references else ""
            self.record_denial(
                call, session.session_id, target, verdict.denial, correlation_id, kind_name(command.kind)
            )
            raise PermissionDeniedError(verdict.denial)
        if verdict.denied:
            for index, reason in verdict.denied.items():
                self.record_denial(
                    call,
                    session.session_id,
                    verdict.references[index],
                    reason,
                    correlation_id,
                    kind_name(command.kind),
                )
        if verdict.command is None:
            reply = self._empty_reply(session, command, correlation_id)
            merge_denied(command, reply, verdict.denied or {})
            return self._answered(session, command, correlation_id, reply)
        sent = verdict.command
        if has_sparse(sent):
            sent = expand_sparse(sent)
        named = sent
        if self._completes_array_names:
            sent = complete_array_names(sent, self._lookup)
        return Admitted(
            command=command,
            future=session.submit(sent, timeout),
            correlation_id=correlation_id,
            references=verdict.references,
            denied=verdict.denied,
            named=None if sent is named else named,
        )

    def complete(self, session: Session, admitted: Admitted, call: CallInfo) -> bytes:
        """The serialised reply of an admitted command whose future is done.

        Raises:
            GatewayError: the worker could not answer, or not in one message.
        """
        command = admitted.command
        kind = command.kind
        try:
            reply = admitted.future.result()
            if kind in LEARNED_KINDS or kind in self._audited_kinds or admitted.denied or admitted.named:
                self._take_in(session, admitted, call, reply.message)
        except GatewayError as error:
            session.handles.forget(command)
            self._audit_write(session, admitted, call, None, error)
            if isinstance(error, WorkerProtocolError):
                session.fail(error)
            raise
        data = reply.to_bytes(session.session_id, admitted.correlation_id)
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
        self._audit_write(session, admitted, call, reply, None)

    def abandoned(self, session: Session, admitted: Admitted, call: CallInfo) -> None:
        """The caller gave up waiting; what becomes of the command is unknown here."""
        session.handles.forget(admitted.command)
        self._audit_write(session, admitted, call, None, CommandCanceledError("the caller gave up"))

    # ------------------------------------------------------------------------------------------------------- details

    def _forbid(self, checked: Checked, call: CallInfo, needed: ScopeSet) -> NoReturn:
        kind = checked.command.kind
        error = PermissionDeniedError(
            f"{kind_name(kind)} needs the scope {' or '.join(sorted(needed))}, which this API key does not have"
        )
        self.record_denial(call, checked.session_id, kind_name(kind), str(error), checked.correlation_id)
        raise error

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

    def record_denial(
        self, call: CallInfo, session_id: str, target: str, reason: str, correlation_id: str, kind: str = ""
    ) -> None:
        """Notes a refusal in the audit."""
        self._audit.add(
            AuditRecord(
                event="denied",
                key_id=call.caller.key_id,
                remote_address=call.address,
                session_id=session_id,
                correlation_id=correlation_id,
                target=target,
                outcome="permission-denied",
                details={"reason": reason, "method": call.method, **({"kind": kind} if kind else {})},
            )
        )

    def _audit_write(
        self,
        session: Session,
        admitted: Admitted,
        call: CallInfo,
        reply: pb.MxCommandReply | None,
        error: GatewayError | None,
    ) -> None:
        command = admitted.command
        kind = command.kind
        if kind not in self._audited_kinds or command.WhichOneof("payload") is None:
            return
        if kind in _WRITE_KINDS:
            self._record_write(session, admitted, call, kind, admitted.references[0], _outcome(reply, error))
        elif kind in _BULK_WRITE_KINDS:
            results = [] if reply is None else list(getattr(reply, COMMANDS[kind].payload).results)
            for index, target in enumerate(admitted.references):
                if admitted.denied and index in admitted.denied:
                    continue
                outcome = _outcome(reply, error)
                if index < len(results):
                    outcome = "accepted" if results[index].was_successful else "failed"
                self._record_write(session, admitted, call, kind, target, outcome)
        else:
            self._record_write(session, admitted, call, kind, "", _outcome(reply, error))

    def _record_write(
        self, session: Session, admitted: Admitted, call: CallInfo, kind: int, target: str, outcome: str
    ) -> None:
        self._audit.add(
            AuditRecord(
                event="write" if kind in _WRITE_KINDS or kind in _BULK_WRITE_KINDS else "command",
                key_id=call.caller.key_id,
                remote_address=call.address,
                session_id=session.session_id,
                correlation_id=admitted.correlation_id,
                target=target,
                outcome=outcome,
                details={"kind": kind_name(kind)},
            )
        )


def _outcome(reply: pb.MxCommandReply | None, error: GatewayError | None) -> str:
    if error is not None:
        return error.reason.lower()
    assert reply is not None
    if reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK:
        # MXAccess took the call; what became of it comes as an event.
        return "accepted"
    return pb.ProtocolStatusCode.Name(reply.protocol_status.code).removeprefix("PROTOCOL_STATUS_CODE_").lower()
