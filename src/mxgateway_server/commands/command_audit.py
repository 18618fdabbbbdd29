"""What of commands goes into the audit: refusals, writes with their outcome, logins. Never a password."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mxgateway_contract.commands import COMMANDS, Scope, Touch, kind_name, kinds_touching
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import DETAIL_WORDS
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.errors import AuditUnavailableError, GatewayError
from mxgateway_server.sessions.kept import KeptWrite
from mxgateway_server.sessions.pending_writes import PendingWrites
from mxgateway_server.sessions.session import Session

_AUDITED_SCOPES = frozenset({Scope.INVOKE_WRITE, Scope.INVOKE_SECURE, Scope.ADMIN})
_AUDITED_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.scope in _AUDITED_SCOPES)
_WRITE_KINDS = kinds_touching(Touch.WRITE)
_BULK_WRITE_KINDS = kinds_touching(Touch.WRITES)
assert _AUDITED_KINDS >= _WRITE_KINDS | _BULK_WRITE_KINDS
_MAX_TARGETS = 20
_MAX_VALUE_CHARACTERS = 200
_SHOWN_ELEMENTS = 25
_CATEGORY = "MX_STATUS_CATEGORY_"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose a command was, as its records say."""

    session_id: str
    key_id: str
    address: str
    correlation_id: str
    kind: int


class _Write:
    """A write on its way. Its completion is recorded after what MXAccess said to it, in whatever order they come."""

    def __init__(
        self, target: str, asked: _Asked, record: Callable[[str, _Asked, pb.MxStatusProxy], None], is_told: bool = False
    ) -> None:
        self.target = target
        self.asked = asked
        self._tell = record
        self._is_told = is_told
        self._completion: pb.MxStatusProxy | None = None

    def __call__(self, event: pb.MxEvent | None) -> None:
        """Its completion came, or is lost."""
        if event is None:
            self._completion = pb.MxStatusProxy(category=pb.MX_STATUS_CATEGORY_UNKNOWN)
        else:
            self._completion = event.statuses[0] if event.statuses else pb.MxStatusProxy()
        if self._is_told:
            self._record(self._completion)

    @property
    def is_told(self) -> bool:
        """Whether what MXAccess said to it is recorded."""
        return self._is_told

    def _record(self, status: pb.MxStatusProxy) -> None:
        self._tell(self.target, self.asked, status)

    def told(self) -> None:
        """What MXAccess said to it is recorded."""
        self._is_told = True
        if self._completion is not None:
            self._record(self._completion)


Followed: TypeAlias = list[tuple[int, int, _Write]]
"""Writes whose completion is waited for: server handle, item handle, and what is done then."""


class CommandAudit:
    """Writes the records of commands.

    Args:
        audit: where they go.
        audits_writes: whether writes and logins are recorded at all.
        audits_values: whether the written values are part of that.
    """

    def __init__(self, audit: AuditLog, *, audits_writes: bool, audits_values: bool) -> None:
        self._audit = audit
        self._kinds = _AUDITED_KINDS if audits_writes else frozenset()
        self._audits_values = audits_values

    def concerns(self, kind: int) -> bool:
        """Whether commands of this kind are recorded."""
        return kind in self._kinds

    def require_room(self, kind: int) -> None:
        """Refuses a write that could not be recorded.

        Raises:
            AuditUnavailableError: the store takes no records, and settings say that nothing is written then.
        """
        if kind in self._kinds and (kind in _WRITE_KINDS or kind in _BULK_WRITE_KINDS) and not self._audit.has_room:
            raise AuditUnavailableError

    def denied(
        self,
        call: CallInfo,
        session_id: str,
        reasons: Mapping[str, str],
        correlation_id: str,
        kind: int | None = None,
    ) -> None:
        """Records the refusal of a command, or of some of its tags: one record however many they are.

        Args:
            call: whose command it was.
            session_id: of which session.
            reasons: why, by the tag, or by whatever else was refused.
            correlation_id: of the command.
            kind: of the command, when it was one.
        """
        target, reason = next(iter(reasons.items()))
        details: dict[str, Any] = {"reason": reason, "method": call.method}
        if kind is not None:
            details["kind"] = kind_name(kind)
        if len(reasons) > 1:
            details |= {"count": len(reasons), "targets": list(reasons)[:_MAX_TARGETS]}
        self._audit.add_denial(
            AuditRecord(
                event="denied",
                key_id=call.caller.key_id,
                remote_address=call.address,
                session_id=session_id,
                correlation_id=correlation_id,
                target=target,
                outcome="permission-denied",
                details=details,
            )
        )

    def begin(
        self,
        session: Session,
        command: pb.MxCommand,
        references: tuple[str, ...],
        call: CallInfo,
        correlation_id: str,
        denied: Mapping[int, str],
    ) -> Followed:
        """Follows the writes of a command that goes to the worker, those of denied entries left out.

        Give what it returns to `finish`.
        """
        kind = command.kind
        if kind not in self._kinds:
            return []
        payload = getattr(command, COMMANDS[kind].payload)
        if kind in _WRITE_KINDS:
            items = [payload.item_handle]
        elif kind in _BULK_WRITE_KINDS:
            items = [entry.item_handle for entry in payload.entries]
        else:
            return []
        followed: Followed = []
        asked = _asked(session.session_id, call, correlation_id, kind)
        for index, (target, item) in enumerate(zip(references, items, strict=False)):
            if index in denied:
                continue
            tell = _Write(target, asked, self._completed)
            session.writes.begin(payload.server_handle, item, tell)
            followed.append((payload.server_handle, item, tell))
        return followed

    def finish(
        self,
        session: Session,
        command: pb.MxCommand,
        references: tuple[str, ...],
        call: CallInfo,
        correlation_id: str,
        followed: Followed,
        answer: pb.MxCommandReply | GatewayError,
        denied: Mapping[int, str],
    ) -> None:
        """Records what MXAccess, or the gateway, said to a command; what becomes of a write is recorded later."""
        kind = command.kind
        if kind not in self._kinds or command.WhichOneof("payload") is None:
            return
        payload = getattr(command, COMMANDS[kind].payload)
        outcome = _outcome(answer)
        asked = _asked(session.session_id, call, correlation_id, kind)
        if kind in _WRITE_KINDS:
            outcomes, values = [outcome], [payload.value]
        elif kind in _BULK_WRITE_KINDS:
            outcomes, values = _bulk_outcomes(answer, kind, len(payload.entries)), [e.value for e in payload.entries]
        else:
            details = {"user": payload.verify_user} if kind == pb.MX_COMMAND_KIND_AUTHENTICATE_USER else {}
            self._add("command", "", outcome, asked, details)
            return
        sent = iter(followed)
        for index, (target, said) in enumerate(zip(references, outcomes, strict=False)):
            if index in denied:
                continue
            write = next(sent, None)
            if said != "accepted" and write is not None and not isinstance(answer, GatewayError):
                session.writes.withdraw(*write)
            details = {"value": _shown(values[index])} if self._audits_values else {}
            self._add("write", target, said, asked, details)
            if write is not None:
                write[2].told()

    def _completed(self, target: str, asked: _Asked, status: pb.MxStatusProxy) -> None:
        words = {"detail": DETAIL_WORDS[status.detail]} if status.detail in DETAIL_WORDS else {}
        self._add("write-completed", target, _completion_outcome(status), asked, words)

    def _add(self, event: str, target: str, outcome: str, asked: _Asked, details: Mapping[str, Any]) -> None:
        self._audit.add(
            AuditRecord(
                event=event,
                key_id=asked.key_id,
                remote_address=asked.address,
                session_id=asked.session_id,
                correlation_id=asked.correlation_id,
                target=target,
                outcome=outcome,
                details={"kind": kind_name(asked.kind), **details},
            )
        )

    # --------------------------------------------------------------------------------------------------- handing on

    def keep(self, session: Session) -> tuple[KeptWrite, ...]:
        """The session's writes whose completion has not come, for another program to go on waiting for it."""
        return tuple(
            KeptWrite(
                server_handle=server,
                item_handle=item,
                target=write.target,
                key_id=write.asked.key_id,
                address=write.asked.address,
                correlation_id=write.asked.correlation_id,
                kind=write.asked.kind,
            )
            for server, item, write in session.writes.waiting
            if isinstance(write, _Write)
        )

    def resume(self, session: Session, writes: Sequence[KeptWrite]) -> None:
        """Goes on waiting for what `keep` gave in another program."""
        for each in writes:
            asked = _Asked(session.session_id, each.key_id, each.address, each.correlation_id, each.kind)
            write = _Write(each.target, asked, self._completed, is_told=True)
            session.writes.begin(each.server_handle, each.item_handle, write)


def is_half_told(writes: PendingWrites) -> bool:
    """Whether what MXAccess said to one of these writes is not recorded yet."""
    return any(isinstance(write, _Write) and not write.is_told for _, _, write in writes.waiting)


def _asked(session_id: str, call: CallInfo, correlation_id: str, kind: int) -> _Asked:
    return _Asked(session_id, call.caller.key_id, call.address, correlation_id, kind)


def _outcome(answer: pb.MxCommandReply | GatewayError) -> str:
    if isinstance(answer, GatewayError):
        return answer.reason.lower()
    if answer.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK:
        # MXAccess took the call; what became of it comes as an event.
        return "accepted"
    return pb.ProtocolStatusCode.Name(answer.protocol_status.code).removeprefix("PROTOCOL_STATUS_CODE_").lower()


def _bulk_outcomes(answer: pb.MxCommandReply | GatewayError, kind: pb.MxCommandKind.ValueType, count: int) -> list[str]:
    outcomes = [_outcome(answer)] * count
    if not isinstance(answer, GatewayError):
        for index, result in enumerate(getattr(answer, COMMANDS[kind].payload).results[:count]):
            outcomes[index] = "accepted" if result.was_successful else "failed"
    return outcomes


def _completion_outcome(status: pb.MxStatusProxy) -> str:
    """`ok`, or category and detail number, such as `security_error-1012`; `unknown` when the completion was lost."""
    if status.category in (pb.MX_STATUS_CATEGORY_OK, pb.MX_STATUS_CATEGORY_UNSPECIFIED) and status.success:
        return "ok"
    known = status.category in pb.MxStatusCategory.values()
    category = pb.MxStatusCategory.Name(status.category).removeprefix(_CATEGORY).lower() if known else "unknown"
    return f"{category}-{status.detail}" if status.detail or category != "unknown" else category


def _shown(value: pb.MxValue) -> str:
    arm = value.WhichOneof("kind")
    if arm in ("array_value", "sparse_array_value"):
        value = _head(value)
    text = "" if arm is None else str(getattr(value, arm)).strip()
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"


def _head(value: pb.MxValue) -> pb.MxValue:
    """The value with a few of its elements: each is written out in words, and most of them are cut off anyway."""
    head = pb.MxValue()
    if value.WhichOneof("kind") == "sparse_array_value":
        sparse = value.sparse_array_value
        head.sparse_array_value.element_data_type = sparse.element_data_type
        head.sparse_array_value.total_length = sparse.total_length
        head.sparse_array_value.elements.extend(sparse.elements[:_SHOWN_ELEMENTS])
        return head
    array = value.array_value
    head.array_value.element_data_type = array.element_data_type
    head.array_value.dimensions.extend(array.dimensions[:_SHOWN_ELEMENTS])
    elements = array.WhichOneof("values")
    if elements is not None:
        shown = getattr(head.array_value, elements)
        shown.values.extend(getattr(array, elements).values[:_SHOWN_ELEMENTS])
    return head
