"""The catalogue of command kinds: payload, reply, scope and failures of each, in one place.

The gateway authorizes by it, the worker checks payloads by it, and `docs/commands.md` is written from it. A kind that
is not listed here is refused everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from mxgateway_contract.failures import (
    ACKED_ALREADY,
    ATTRIBUTE_CHANGED,
    ENGINE_DOWN,
    NO_ACK_PRIVILEGE,
    NO_ELEMENT,
    NO_PROPERTY,
    NOT_ADVISED,
    NOT_COERCIBLE,
    NOT_WRITEABLE,
    OBJECT_CHANGED,
    OUT_OF_RANGE,
    PLATFORM_DOWN,
    SECURED_NEEDED,
    UNRESOLVED,
    USER_LACKS_RIGHTS,
    VERIFIED_NEEDED,
    VERIFIER_LACKS_RIGHTS,
    WHOLE_STRUCT,
    WRITE_DENIED,
    WRONG_INDEX,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.hresults import E_ACCESSDENIED, E_INVALIDARG, E_SECURED_WRITE_REFUSED
from mxgateway_contract.status import MxStatus

Kind: TypeAlias = pb.MxCommandKind.ValueType


class Scope(StrEnum):
    """What an API key may do; the whole catalogue."""

    SESSION_OPEN = "session:open"
    SESSION_CLOSE = "session:close"
    INVOKE_READ = "invoke:read"
    INVOKE_WRITE = "invoke:write"
    INVOKE_SECURE = "invoke:secure"
    EVENTS_READ = "events:read"
    METADATA_READ = "metadata:read"
    ADMIN = "admin"


class Group(StrEnum):
    """Which part of the system answers a kind."""

    COM = "MXAccess method"
    BULK = "bulk"
    CONTROL = "worker control"
    ALARM = "alarm"
    FAULT = "fault injection"


@dataclass(frozen=True, slots=True)
class Command:
    """Facts of one command kind.

    Attributes:
        kind: number in the contract.
        scope: what the API key needs.
        group: who answers it.
        reply: payload arm of a successful reply; empty for a bare reply.
        hresults: HRESULTs that the call itself is known to fail with.
        statuses: MXSTATUS_PROXY tuples of failures that come later, by event or in the bulk result.
        section: heading of `docs/mxaccess.md` that says how it behaves.
    """

    kind: Kind
    scope: Scope
    group: Group
    section: str
    reply: str = ""
    hresults: tuple[int, ...] = ()
    statuses: tuple[MxStatus, ...] = field(default=())
    # Asked for with every command.
    name: str = field(init=False)
    payload: str = field(init=False)

    def __post_init__(self) -> None:
        name = pb.MxCommandKind.Name(self.kind).removeprefix("MX_COMMAND_KIND_")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "payload", name.lower())


# What ends any write, whoever signs it: refused by the value, by the alarm, or by what has become of the attribute.
_ANY_WRITE = (
    NOT_COERCIBLE, OUT_OF_RANGE, NO_ELEMENT, NO_ACK_PRIVILEGE, ACKED_ALREADY, ENGINE_DOWN, PLATFORM_DOWN, UNRESOLVED,
    WRONG_INDEX,
)  # fmt: skip
_WRITE = (NOT_WRITEABLE, WRITE_DENIED, SECURED_NEEDED, VERIFIED_NEEDED, *_ANY_WRITE)
_SECURED = (NOT_WRITEABLE, USER_LACKS_RIGHTS, VERIFIER_LACKS_RIGHTS, *_ANY_WRITE)
_ADVISE = (
    UNRESOLVED, WRONG_INDEX, NO_PROPERTY, WHOLE_STRUCT, ENGINE_DOWN, PLATFORM_DOWN, OBJECT_CHANGED, ATTRIBUTE_CHANGED,
)  # fmt: skip
_BAD = (E_INVALIDARG,)
_ADD = (E_INVALIDARG, E_ACCESSDENIED)
_SECURED_CALL = (E_INVALIDARG, E_SECURED_WRITE_REFUSED)
_READ, _WRITES, _SECURE = Scope.INVOKE_READ, Scope.INVOKE_WRITE, Scope.INVOKE_SECURE
_COM, _BULK, _CONTROL, _ALARM = Group.COM, Group.BULK, Group.CONTROL, Group.ALARM


def _command(
    kind: str,
    scope: Scope,
    group: Group,
    section: str,
    reply: str = "",
    hresults: tuple[int, ...] = (),
    statuses: tuple[MxStatus, ...] = (),
) -> Command:
    return Command(pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}"), scope, group, section, reply, hresults, statuses)


_ALL = (
    _command("REGISTER", _READ, _COM, "Handles", "register", _BAD),
    _command("UNREGISTER", _READ, _COM, "Handles", "", _BAD),
    _command("ADD_ITEM", _READ, _COM, "Adding items", "add_item", _ADD),
    _command("ADD_ITEM2", _READ, _COM, "Adding items", "add_item2", _ADD),
    _command("REMOVE_ITEM", _READ, _COM, "Handles", "", _BAD),
    _command("ADVISE", _READ, _COM, "Advise", "", _BAD, _ADVISE),
    _command("UN_ADVISE", _READ, _COM, "Advise", "", _BAD),
    # A supervisory connection may write what a user connection may not, so reading rights are not enough for writing
    # by it; the write itself asks for invoke:write.
    _command("ADVISE_SUPERVISORY", _READ, _COM, "Advise", "", _BAD, _ADVISE),
    _command("ADD_BUFFERED_ITEM", _READ, _COM, "Buffered items", "add_buffered_item", _ADD, _ADVISE),
    _command("SET_BUFFERED_UPDATE_INTERVAL", _READ, _COM, "Buffered items", "", _BAD),
    _command("SUSPEND", _READ, _COM, "Suspend and Activate", "suspend", _BAD, (NOT_ADVISED,)),
    _command("ACTIVATE", _READ, _COM, "Suspend and Activate", "activate", _BAD),
    _command("WRITE", _WRITES, _COM, "Writes", "", _BAD, _WRITE),
    _command("WRITE2", _WRITES, _COM, "Writes", "", _BAD, _WRITE),
    _command("WRITE_SECURED", _SECURE, _COM, "Users and secured writes", "", _SECURED_CALL, _SECURED),
    _command("WRITE_SECURED2", _SECURE, _COM, "Users and secured writes", "", _SECURED_CALL, _SECURED),
    _command("AUTHENTICATE_USER", _SECURE, _COM, "Users and secured writes", "authenticate_user", _BAD),
    _command("ARCHESTRA_USER_TO_ID", _SECURE, _COM, "Users and secured writes", "archestra_user_to_id", _BAD),
    _command("ADD_ITEM_BULK", _READ, _BULK, "Bulk commands", "add_item_bulk", _ADD),
    _command("ADVISE_ITEM_BULK", _READ, _BULK, "Bulk commands", "advise_item_bulk", _BAD, _ADVISE),
    _command("REMOVE_ITEM_BULK", _READ, _BULK, "Bulk commands", "remove_item_bulk", _BAD),
    _command("UN_ADVISE_ITEM_BULK", _READ, _BULK, "Bulk commands", "un_advise_item_bulk", _BAD),
    _command("SUBSCRIBE_BULK", _READ, _BULK, "Bulk commands", "subscribe_bulk", _ADD, _ADVISE),
    _command("UNSUBSCRIBE_BULK", _READ, _BULK, "Bulk commands", "unsubscribe_bulk", _BAD),
    _command("SUBSCRIBE_ALARMS", Scope.ADMIN, _ALARM, "Alarms"),
    _command("UNSUBSCRIBE_ALARMS", Scope.ADMIN, _ALARM, "Alarms"),
    _command("ACKNOWLEDGE_ALARM", _WRITES, _ALARM, "Alarms", "acknowledge_alarm"),
    _command("QUERY_ACTIVE_ALARMS", Scope.EVENTS_READ, _ALARM, "Alarms", "query_active_alarms"),
    _command("ACKNOWLEDGE_ALARM_BY_NAME", _WRITES, _ALARM, "Alarms", "acknowledge_alarm"),
    _command("WRITE_BULK", _WRITES, _BULK, "Bulk commands", "write_bulk", _BAD, _WRITE),
    _command("WRITE2_BULK", _WRITES, _BULK, "Bulk commands", "write2_bulk", _BAD, _WRITE),
    _command("WRITE_SECURED_BULK", _SECURE, _BULK, "Bulk commands", "write_secured_bulk", _SECURED_CALL, _SECURED),
    _command("WRITE_SECURED2_BULK", _SECURE, _BULK, "Bulk commands", "write_secured2_bulk", _SECURED_CALL, _SECURED),
    _command("READ_BULK", _READ, _BULK, "Bulk commands", "read_bulk", _ADD, _ADVISE),
    _command("PING", _READ, _CONTROL, "Worker control"),
    _command("GET_SESSION_STATE", _READ, _CONTROL, "Worker control", "get_session_state"),
    _command("GET_WORKER_INFO", _READ, _CONTROL, "Worker control", "get_worker_info"),
    _command("DRAIN_EVENTS", Scope.EVENTS_READ, _CONTROL, "Worker control", "drain_events"),
    _command("SHUTDOWN_WORKER", Scope.SESSION_CLOSE, _CONTROL, "Worker control"),
    _command("INJECT_FAULT", Scope.ADMIN, Group.FAULT, "Fault injection"),
)

COMMANDS: dict[Kind, Command] = {command.kind: command for command in _ALL}
"""Every kind that exists, by number; UNSPECIFIED is none."""


def payload_problem(command: pb.MxCommand) -> str:
    """Why a command cannot be taken as it is: unknown kind, no payload, or another kind's; empty when it can."""
    facts = COMMANDS.get(command.kind)
    if facts is None:
        return f"unknown command kind {command.kind}"
    arm = command.WhichOneof("payload")
    if arm is None:
        return f"{facts.name} without its payload `{facts.payload}`"
    if arm != facts.payload:
        return f"{facts.name} with the payload `{arm}`; it takes `{facts.payload}`"
    return ""
