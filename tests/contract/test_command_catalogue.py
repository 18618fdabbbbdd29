"""The catalogue knows every command kind of the contract, and nothing else."""

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS, Command, Group, Scope, payload_problem

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
    assert sizes == {Group.COM: 18, Group.BULK: 11, Group.CONTROL: 5, Group.ALARM: 5, Group.FAULT: 1}


def test_a_payload_of_another_kind_or_none_or_an_unknown_kind_is_named() -> None:
    assert payload_problem(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand())) == ""
    assert "without its payload `ping`" in payload_problem(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING))
    mixed = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, advise=pb.AdviseCommand())
    assert "with the payload `advise`" in payload_problem(mixed)
    assert "unknown command kind" in payload_problem(pb.MxCommand())
