"""The catalogue knows every command kind of the contract, and nothing else."""

from typing import Any

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import (
    COMMANDS,
    Command,
    Group,
    Scope,
    Touch,
    kind_name,
    kinds_touching,
    kinds_with,
    method_name,
    payload_problem,
)

KINDS = [number for number in pb.MxCommandKind.values() if number]


def test_every_kind_is_listed_once() -> None:
    assert sorted(COMMANDS) == sorted(KINDS)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_its_payload_and_reply_are_arms_of_the_contract(command: Command) -> None:
    requests = {f.name for f in pb.MxCommand.DESCRIPTOR.oneofs_by_name["payload"].fields}
    replies = {f.name for f in pb.MxCommandReply.DESCRIPTOR.oneofs_by_name["payload"].fields}
    assert command.payload in requests
    assert command.reply in replies | {""}


def test_every_write_of_the_plant_needs_a_writing_scope() -> None:
    writes = [c for c in COMMANDS.values() if "WRITE" in c.name]
    assert len(writes) == 8
    assert {c.scope for c in writes} == {Scope.INVOKE_WRITE, Scope.INVOKE_SECURE}
    assert all((c.scope == Scope.INVOKE_SECURE) == ("SECURED" in c.name) for c in writes)


def test_the_groups_have_their_known_sizes() -> None:
    sizes = {group: sum(c.group == group for c in COMMANDS.values()) for group in Group}
    assert sizes == {Group.COM: 18, Group.BULK: 11, Group.CONTROL: 5, Group.ALARM: 7, Group.FAULT: 1}


def test_a_payload_of_another_kind_or_none_or_an_unknown_kind_is_named() -> None:
    assert payload_problem(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand())) == ""
    assert "without its payload `ping`" in payload_problem(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING))
    mixed = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, advise=pb.AdviseCommand())
    assert "with the payload `advise`" in payload_problem(mixed)
    assert "unknown command kind" in payload_problem(pb.MxCommand())


# ------------------------------------------------------------------------------------------------- what a kind touches

UNKNOWN = {
    "SUBSCRIBE_ALARMS": "never reaches a session's worker",
    "ACKNOWLEDGE_ALARM": "never reaches a session's worker",
    "QUERY_ACTIVE_ALARMS": "never reaches a session's worker",
    "ACKNOWLEDGE_ALARM_BY_NAME": "never reaches a session's worker",
    "ACKNOWLEDGE_ALARMS_BY_NAME": "never reaches a session's worker",
    "SHELVE_ALARM": "never reaches a session's worker",
}
"""Kinds that a key which is limited to certain tags may not send, and why that is right."""


def value_paths(message: Any, prefix: str = "") -> set[str]:
    """Every place in a message where a value stands that could be written: an MxValue, or a field named like one."""
    found: set[str] = set()
    for field in message.fields:
        path = prefix + field.name
        kind = field.message_type
        if field.name.endswith("value") or (kind is not None and kind.name in ("MxValue", "MxArray", "MxSparseArray")):
            found.add(path)
        elif kind is not None and not kind.GetOptions().map_entry and kind.file.name == message.file.name:
            found |= value_paths(kind, f"{path}.")
    return found


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_every_kind_with_something_like_a_value_is_judged_as_a_write(command: Command) -> None:
    """By a walk over its payload that knows nothing of the catalogue's own reading."""
    payload = pb.MxCommand.DESCRIPTOR.fields_by_name[command.payload].message_type
    assert payload is not None
    if value_paths(payload):
        assert command.touches in (Touch.WRITE, Touch.WRITES)
        assert {path.removeprefix("entries.") for path in value_paths(payload)} == set(command.values)
        assert command.scope in (Scope.INVOKE_WRITE, Scope.INVOKE_SECURE)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_what_a_kind_touches_is_known_but_for_those_that_are_named_here(command: Command) -> None:
    """A new kind that fails here is refused to limited keys: tell `_SORTS` in the catalogue what its fields touch."""
    assert (command.touches is Touch.UNKNOWN) == (command.name in UNKNOWN), sorted(command.fields)


def test_the_sorts_have_the_kinds_that_they_are_known_to_have() -> None:
    names = {touch: {COMMANDS[kind].name for kind in kinds_touching(touch)} for touch in Touch}
    assert names[Touch.NAME] == {"ADD_ITEM", "ADD_ITEM2", "ADD_BUFFERED_ITEM"}
    assert names[Touch.NAMES] == {"ADD_ITEM_BULK", "SUBSCRIBE_BULK", "READ_BULK"}
    assert names[Touch.WRITE] == {"WRITE", "WRITE2", "WRITE_SECURED", "WRITE_SECURED2"}
    assert names[Touch.WRITES] == {"WRITE_BULK", "WRITE2_BULK", "WRITE_SECURED_BULK", "WRITE_SECURED2_BULK"}
    assert kinds_with("server_handle", "item_handle", "value") == kinds_touching(Touch.WRITE)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_a_kind_that_makes_items_or_takes_many_answers_so_that_the_gateway_can_follow(command: Command) -> None:
    """Handles are learned from the reply, and refused entries are put back into its results."""
    if command.touches in (Touch.NAME, Touch.NAMES, Touch.WRITES) or command.name.endswith("_BULK"):
        reply: Any = pb.MxCommandReply.DESCRIPTOR.fields_by_name[command.reply].message_type
        assert ("item_handle" if command.touches is Touch.NAME else "results") in reply.fields_by_name


def test_a_scope_for_reading_makes_no_write_of_a_kind_that_carries_a_value() -> None:
    """Who gives a writing kind a scope for reading has made a kind that limited keys may not send."""
    facts = COMMANDS[pb.MX_COMMAND_KIND_WRITE]
    assert Command(facts.kind, Scope.INVOKE_READ, Group.COM, "Writes").touches is Touch.UNKNOWN
    assert Command(pb.MX_COMMAND_KIND_ADVISE, Scope.INVOKE_WRITE, Group.COM, "Advise").touches is Touch.UNKNOWN


def test_kinds_are_named_as_the_contract_and_as_mxaccess_spell_them() -> None:
    assert kind_name(pb.MX_COMMAND_KIND_ADD_ITEM2) == "ADD_ITEM2"
    assert method_name(pb.MX_COMMAND_KIND_ADD_ITEM2) == "AddItem2"
    assert method_name(pb.MX_COMMAND_KIND_ARCHESTRA_USER_TO_ID) == "ArchestrAUserToId"
    assert (kind_name(77), method_name(77)) == ("kind 77", "command 77")
