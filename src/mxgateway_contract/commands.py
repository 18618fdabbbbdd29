"""The catalogue of command kinds: payload, reply, scope and failures of each, and what of the plant it touches.

What a kind touches is read from its payload's fields, so that nobody can forget to tell it: a payload that this module
cannot read to the last field touches something unknown, and keys that are limited to certain tags may not send it. The
gateway authorizes by the catalogue, the worker and the client build by it, and `docs/commands.md` is written from it. A
kind that is not listed here is refused everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

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
    INVOKE_SUPERVISORY = "invoke:supervisory"
    EVENTS_READ = "events:read"
    METADATA_READ = "metadata:read"
    DASHBOARD_VIEW = "dashboard:view"
    DASHBOARD_OPERATE = "dashboard:operate"
    ADMIN = "admin"


class Group(StrEnum):
    """Which part of the system answers a kind."""

    COM = "MXAccess method"
    BULK = "bulk"
    CONTROL = "worker control"
    ALARM = "alarm"
    FAULT = "fault injection"


class Touch(StrEnum):
    """What a command names of the plant, and whether it writes there."""

    NOTHING = "nothing"
    NAME = "adds an item by name"
    NAMES = "adds or reads items by name"
    HANDLE = "an item by handle"
    HANDLES = "items by handle"
    WRITE = "writes an item"
    WRITES = "writes items"
    UNKNOWN = "what this module cannot tell"


_ADDED_FROM = 100
_SIGNED_BY = frozenset({"user_id", "current_user_id", "verifier_user_id"})
_WRITTEN = frozenset({"item_handle", "value"})
_WRITE_EXTRAS = _SIGNED_BY | {"timestamp_value"}

# What a payload of each sort has, and what it may have beside. One field more, and what it touches is unknown.
_SORTS: tuple[tuple[Touch, frozenset[str], frozenset[str]], ...] = (
    (Touch.NAME, frozenset({"server_handle", "item_definition"}), frozenset({"item_context", "client_handle"})),
    (Touch.NAMES, frozenset({"server_handle", "tag_addresses"}), frozenset({"timeout_ms", "client_handles"})),
    (Touch.WRITE, frozenset({"server_handle"}) | _WRITTEN, _WRITE_EXTRAS),
    (
        Touch.WRITES,
        frozenset({"server_handle", "entries"}) | {f"entries.{name}" for name in _WRITTEN},
        frozenset(f"entries.{name}" for name in _WRITE_EXTRAS),
    ),
    (Touch.HANDLE, frozenset({"server_handle", "item_handle"}), frozenset()),
    (Touch.HANDLES, frozenset({"server_handle", "item_handles"}), frozenset()),
    (
        Touch.NOTHING,
        frozenset(),
        frozenset({
            "client_name", "server_handle", "update_interval_milliseconds", "verify_user", "verify_user_password",
            "user_id_guid", "message", "max_events", "last_values", "after_item", "grace_period", "fault", "parameters",
        }),
    ),
)  # fmt: skip

_WRITING_SCOPES = frozenset({Scope.INVOKE_WRITE, Scope.INVOKE_SECURE})
# A sort that names no value to write is what it seems only for a scope that is not asked for to write.
_SCOPES = {
    Touch.HANDLE: frozenset({Scope.INVOKE_READ, Scope.INVOKE_SUPERVISORY}),
    Touch.WRITE: _WRITING_SCOPES,
    Touch.WRITES: _WRITING_SCOPES,
    Touch.NOTHING: frozenset(Scope) - {Scope.INVOKE_WRITE},
}
_READING_SCOPES = frozenset({Scope.INVOKE_READ})
_VALUE = pb.MxValue.DESCRIPTOR.full_name


def _touched(fields: frozenset[str], scope: Scope) -> Touch:
    for touch, needed, allowed in _SORTS:
        if needed <= fields <= needed | allowed:
            return touch if scope in _SCOPES.get(touch, _READING_SCOPES) else Touch.UNKNOWN
    return Touch.UNKNOWN


def _field_names(payload: Any) -> frozenset[str]:
    """The fields of a message, and of the entries that it holds as `entries.field`."""
    names = set(payload.fields_by_name)
    for part in payload.fields:
        entry = part.message_type
        if entry is None or entry.GetOptions().map_entry or entry.full_name == _VALUE:
            continue
        if entry.file.name == payload.file.name:
            names |= {f"{part.name}.{name}" for name in entry.fields_by_name}
    return frozenset(names)


def _value_fields(payload: Any) -> tuple[str, ...]:
    """The fields of a message, or of its entries, that hold an MxValue."""
    entries = payload.fields_by_name.get("entries")
    holder = payload if entries is None else entries.message_type
    return tuple(part.name for part in holder.fields if part.message_type and part.message_type.full_name == _VALUE)


@dataclass(frozen=True, slots=True)
class Command:
    """Facts of one command kind.

    Attributes:
        kind: number in the contract.
        scope: what the API key needs.
        group: who answers it.
        section: heading of `docs/mxaccess.md` that says how it behaves.
        reply: payload arm of a successful reply; empty for a bare reply.
        hresults: HRESULTs that the call itself is known to fail with.
        statuses: MXSTATUS_PROXY tuples of failures that come later, by event or in the bulk result.
        frees_handles: whether it may end item handles: those that it names, or without any all of its server handle.
        is_repeatable: whether it changes nothing, so that a client may send it twice.
        name: as the contract spells it, without the prefix: `ADD_ITEM2`.
        method: as MXAccess spells it: `AddItem2`.
        payload: its arm of MxCommand.
        parameters: the fields of the payload in the order of their numbers, which is that of MXAccess's arguments;
            additions of this project, numbered from 100 up, are none of them.
        fields: the fields of the payload; those of its entries as `entries.field`.
        values: the fields of the payload, or of its entries, that hold MxValues.
        touches: what of the plant the fields name.
    """

    kind: Kind
    scope: Scope
    group: Group
    section: str
    reply: str = ""
    hresults: tuple[int, ...] = ()
    statuses: tuple[MxStatus, ...] = ()
    frees_handles: bool = False
    is_repeatable: bool = False
    name: str = field(init=False)
    method: str = field(init=False)
    payload: str = field(init=False)
    parameters: tuple[str, ...] = field(init=False)
    fields: frozenset[str] = field(init=False)
    values: tuple[str, ...] = field(init=False)
    touches: Touch = field(init=False)

    def __post_init__(self) -> None:
        name = pb.MxCommandKind.Name(self.kind).removeprefix("MX_COMMAND_KIND_")
        payload: Any = pb.MxCommand.DESCRIPTOR.fields_by_name[name.lower()].message_type
        fields = _field_names(payload)
        for attribute, value in {
            "name": name,
            "method": payload.name.removesuffix("Command"),
            "payload": name.lower(),
            "parameters": tuple(
                part.name for part in sorted(payload.fields, key=lambda part: part.number) if part.number < _ADDED_FROM
            ),
            "fields": fields,
            "values": _value_fields(payload),
            "touches": _touched(fields, self.scope),
        }.items():
            object.__setattr__(self, attribute, value)


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
    **more: bool,
) -> Command:
    number = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}")
    return Command(
        kind=number,
        scope=scope,
        group=group,
        section=section,
        reply=reply,
        hresults=hresults,
        statuses=statuses,
        **more,
    )


_ALL = (
    _command("REGISTER", _READ, _COM, "Handles", "register", _BAD),
    _command("UNREGISTER", _READ, _COM, "Handles", "", _BAD, frees_handles=True),
    _command("ADD_ITEM", _READ, _COM, "Adding items", "add_item", _ADD),
    _command("ADD_ITEM2", _READ, _COM, "Adding items", "add_item2", _ADD),
    _command("REMOVE_ITEM", _READ, _COM, "Handles", "", _BAD, frees_handles=True),
    _command("ADVISE", _READ, _COM, "Advise", "", _BAD, _ADVISE),
    _command("UN_ADVISE", _READ, _COM, "Advise", "", _BAD),
    # On a supervisory connection the plant takes writes that it asks a person to sign for elsewhere: that way has a
    # scope of its own, and the write itself asks for invoke:write beside it.
    _command("ADVISE_SUPERVISORY", Scope.INVOKE_SUPERVISORY, _COM, "Advise", "", _BAD, _ADVISE),
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
    _command("REMOVE_ITEM_BULK", _READ, _BULK, "Bulk commands", "remove_item_bulk", _BAD, frees_handles=True),
    _command("UN_ADVISE_ITEM_BULK", _READ, _BULK, "Bulk commands", "un_advise_item_bulk", _BAD),
    _command("SUBSCRIBE_BULK", _READ, _BULK, "Bulk commands", "subscribe_bulk", _ADD, _ADVISE),
    _command("UNSUBSCRIBE_BULK", _READ, _BULK, "Bulk commands", "unsubscribe_bulk", _BAD, frees_handles=True),
    _command("SUBSCRIBE_ALARMS", Scope.ADMIN, _ALARM, "Alarms"),
    _command("UNSUBSCRIBE_ALARMS", Scope.ADMIN, _ALARM, "Alarms"),
    _command("ACKNOWLEDGE_ALARM", _WRITES, _ALARM, "Alarms", "acknowledge_alarm"),
    _command("QUERY_ACTIVE_ALARMS", Scope.EVENTS_READ, _ALARM, "Alarms", "query_active_alarms", is_repeatable=True),
    _command("ACKNOWLEDGE_ALARM_BY_NAME", _WRITES, _ALARM, "Alarms", "acknowledge_alarm"),
    _command("WRITE_BULK", _WRITES, _BULK, "Bulk commands", "write_bulk", _BAD, _WRITE),
    _command("WRITE2_BULK", _WRITES, _BULK, "Bulk commands", "write2_bulk", _BAD, _WRITE),
    _command("WRITE_SECURED_BULK", _SECURE, _BULK, "Bulk commands", "write_secured_bulk", _SECURED_CALL, _SECURED),
    _command("WRITE_SECURED2_BULK", _SECURE, _BULK, "Bulk commands", "write_secured2_bulk", _SECURED_CALL, _SECURED),
    _command("READ_BULK", _READ, _BULK, "Bulk commands", "read_bulk", _ADD, _ADVISE, is_repeatable=True),
    _command("PING", _READ, _CONTROL, "Worker control", is_repeatable=True),
    _command("GET_SESSION_STATE", _READ, _CONTROL, "Worker control", "get_session_state", is_repeatable=True),
    _command("GET_WORKER_INFO", _READ, _CONTROL, "Worker control", "get_worker_info", is_repeatable=True),
    _command("DRAIN_EVENTS", Scope.EVENTS_READ, _CONTROL, "Worker control", "drain_events"),
    _command("SHUTDOWN_WORKER", Scope.SESSION_CLOSE, _CONTROL, "Worker control"),
    _command("INJECT_FAULT", Scope.ADMIN, Group.FAULT, "Fault injection"),
    _command("ACKNOWLEDGE_ALARMS_BY_NAME", _WRITES, _ALARM, "Alarms", "acknowledge_alarms_by_name"),
    _command("SHELVE_ALARM", _WRITES, _ALARM, "Alarms", "shelve_alarm"),
)

COMMANDS: dict[Kind, Command] = {command.kind: command for command in _ALL}
"""Every kind that exists, by number; UNSPECIFIED is none."""


KINDS_BY_PAYLOAD: dict[str, Kind] = {command.payload: kind for kind, command in COMMANDS.items()}
"""The kind that belongs to each arm of MxCommand."""


def kinds_with(*fields: str) -> frozenset[Kind]:
    """The kinds whose payload has all these fields, those of its entries as `entries.field`."""
    return frozenset(kind for kind, command in COMMANDS.items() if command.fields.issuperset(fields))


def kinds_touching(*touches: Touch) -> frozenset[Kind]:
    """The kinds that touch one of these."""
    return frozenset(kind for kind, command in COMMANDS.items() if command.touches in touches)


def kind_name(kind: int) -> str:
    """The kind as the contract spells it, without the prefix, or `kind 77` for one that it does not know."""
    facts = _KNOWN.get(kind)
    return f"kind {kind}" if facts is None else facts.name


def method_name(kind: int) -> str:
    """The kind as MXAccess writes it, `AddItem2` for ADD_ITEM2, or `command 77` for one that is not known."""
    facts = _KNOWN.get(kind)
    return f"command {kind}" if facts is None else facts.method


_KNOWN: dict[int, Command] = COMMANDS  # type: ignore[assignment]


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
